#include "merger/plan/output_folder.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "merger/base/json_text.hpp"
#include "merger/checkpoint/files.hpp"
#include "merger/checkpoint/json_file.hpp"
#include "merger/plan/layer_config.hpp"
#include "merger/plan/vocabulary.hpp"
#include "merger/recipe/method_info.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kCopyBytes = 1U << 20;

// JSON strings are YAML strings, so every name is safe in the front matter.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<Digest> copy_file(const fs::path& from, const fs::path& to, io::Syscalls& calls) {
  auto source = io::File::open_read(from, calls);
  if (!source) return fail(std::move(source.error()));
  const auto size = source->size();
  if (!size) return fail(size.error());
  auto target = io::File::create(to, calls);
  if (!target) return fail(std::move(target.error()));
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min(*size, kCopyBytes)));
  Sha256 hash;
  for (std::uint64_t offset = 0; offset < *size; offset += piece.size()) {
    const std::span<std::byte> part(piece.data(), static_cast<std::size_t>(std::min<std::uint64_t>(
                                                      piece.size(), *size - offset)));
    if (auto status = source->pread(part, offset); !status) return fail(std::move(status.error()));
    if (auto status = target->pwrite(part, offset); !status) return fail(std::move(status.error()));
    hash.update(part);
  }
  if (auto status = target->sync(); !status) return fail(std::move(status.error()));
  if (auto status = target->close(); !status) return fail(std::move(status.error()));
  return hash.finish();
}

Result<ordered_json> output_config(const MergePlan& plan, io::Syscalls& calls) {
  const fs::path path = plan.models[plan.donor].checkpoint->folder() / checkpoint::kConfigFile;
  const auto text = io::read_text(path, checkpoint::kConfigLimitBytes, calls);
  if (!text) return fail(text.error());
  auto config = parse_untrusted_json<ordered_json>(*text);
  if (!config.is_object())
    return fail(ErrorCode::kCorrupt, path.string() + " changed while it was read");
  const std::string dtype(tensor::torch_name(plan.main_dtype()));
  if (config.contains("dtype")) config["dtype"] = dtype;
  if (config.contains("torch_dtype") || !config.contains("dtype")) config["torch_dtype"] = dtype;
  fit_layers(config, plan);
  fit_vocabulary(config, plan);
  return config;
}

Result<std::string> config_text(const MergePlan& plan, io::Syscalls& calls) {
  const auto config = output_config(plan, calls);
  if (!config) return fail(config.error());
  return config->dump(2) + "\n";
}

std::string model_card(const MergePlan& plan, const recipe::Recipe& recipe,
                       const std::string& title) {
  std::string card = "---\nbase_model:\n";
  for (const PlannedModel& model : plan.models)
    card += "- " + quoted(model.reference.text()) + "\n";
  card += "library_name: transformers\ntags:\n- mergekit\n- merge\n---\n\n# " + title + "\n\n";
  const auto* info = recipe::find_method(recipe.merge_method);
  card += "A merge of language models by Crucible.\n\n## Method\n\n`" + recipe.merge_method + "`";
  if (info != nullptr) card += ": " + std::string(info->meaning);
  card += ".\n";
  if (recipe.base_model) card += "\nBase model: " + recipe.base_model->text() + "\n";
  card += "\n## Models\n\n";
  for (const PlannedModel& model : plan.models) card += "* " + model.reference.text() + "\n";
  std::string fence = "```";
  while (recipe.source_text.find(fence) != std::string::npos) fence += "`";
  card += "\n## Recipe\n\n" + fence + "yaml\n" + recipe.source_text;
  if (!recipe.source_text.ends_with('\n')) card += "\n";
  return card + fence + "\n";
}

Result<std::map<std::string, Digest>> copy_tokenizer_files(const checkpoint::Checkpoint& donor,
                                                           const fs::path& folder,
                                                           io::Syscalls& calls) {
  std::map<std::string, Digest> copied;
  for (const std::string& name : donor.tokenizer_files()) {
    const auto digest = copy_file(donor.folder() / name, folder / name, calls);
    if (!digest) return fail(digest.error());
    copied.emplace(name, *digest);
  }
  return copied;
}

Result<WrittenFiles> write_side_files(const MergePlan& plan, const recipe::Recipe& recipe,
                                      const fs::path& folder, const std::string& title,
                                      io::Syscalls& calls) {
  WrittenFiles written;
  const auto config = config_text(plan, calls);
  if (!config) return fail(config.error());
  written.config = json::parse(*config);
  if (auto status = io::write_new_file(folder / checkpoint::kConfigFile, *config, calls); !status) {
    return fail(std::move(status.error()));
  }
  auto tokenizer = write_tokenizer_files(plan, folder, calls);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  written.tokenizer = std::move(*tokenizer);
  if (auto status = io::write_new_file(folder / "mergekit_config.yml", recipe.source_text, calls);
      !status) {
    return fail(std::move(status.error()));
  }
  if (auto status =
          io::write_new_file(folder / "README.md", model_card(plan, recipe, title), calls);
      !status) {
    return fail(std::move(status.error()));
  }
  return written;
}

}  // namespace crucible::plan
