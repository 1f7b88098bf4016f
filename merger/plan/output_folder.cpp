#include "merger/plan/output_folder.hpp"

#include <algorithm>
#include <random>
#include <system_error>
#include <utility>

#include "merger/checkpoint/files.hpp"
#include "merger/checkpoint/json_file.hpp"
#include "merger/recipe/method_info.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kCopyBytes = 1U << 20;

// Lists with one entry a layer ("layer_types") follow the layers that were chosen; a loader refuses
// lists of another length.
void adjust_layer_lists(ordered_json& config, const MergePlan& plan) {
  const std::uint64_t donor_layers = plan.models[plan.donor].layers;
  for (auto& [key, value] : config.items()) {
    if (!value.is_array() || value.size() != donor_layers || key.find("layer") == std::string::npos)
      continue;
    ordered_json chosen = ordered_json::array();
    for (const std::uint64_t layer : plan.layer_origins) {
      chosen.push_back(value[std::min<std::size_t>(layer, value.size() - 1)]);
    }
    value = std::move(chosen);
  }
}

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

// JSON strings are YAML strings, so every name is safe in the front matter.
std::string quoted(const std::string& text) {
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Result<ordered_json> output_config(const MergePlan& plan, io::Syscalls& calls) {
  const fs::path path = plan.models[plan.donor].checkpoint.folder() / checkpoint::kConfigFile;
  const auto text = io::read_text(path, checkpoint::kConfigLimitBytes, calls);
  if (!text) return fail(text.error());
  auto config = ordered_json::parse(*text, nullptr, false);
  if (!config.is_object())
    return fail(ErrorCode::kCorrupt, path.string() + " changed while it was read");
  const std::string dtype(tensor::torch_name(plan.main_dtype()));
  if (config.contains("dtype")) config["dtype"] = dtype;
  if (config.contains("torch_dtype") || !config.contains("dtype")) config["torch_dtype"] = dtype;
  if (plan.sliced) {
    config[plan.models[plan.donor].architecture->layer_count_key] = plan.layers;
    adjust_layer_lists(config, plan);
  }
  return config;
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

Result<WrittenFiles> write_side_files(const MergePlan& plan, const recipe::Recipe& recipe,
                                      const fs::path& folder, const std::string& title,
                                      io::Syscalls& calls) {
  WrittenFiles written;
  const auto config = output_config(plan, calls);
  if (!config) return fail(config.error());
  const std::string text = config->dump(2) + "\n";
  written.config = json::parse(text);
  if (auto status = io::write_new_file(folder / checkpoint::kConfigFile, text, calls); !status) {
    return fail(std::move(status.error()));
  }
  const checkpoint::Checkpoint& donor = plan.models[plan.donor].checkpoint;
  for (const std::string& name : donor.tokenizer_files()) {
    const auto digest = copy_file(donor.folder() / name, folder / name, calls);
    if (!digest) return fail(digest.error());
    written.tokenizer.emplace(name, *digest);
  }
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

Result<StagingFolder> StagingFolder::create(const fs::path& out, io::Syscalls& calls) {
  std::random_device random;
  fs::path path = out;
  path.replace_filename("." + out.filename().string() + ".merging-" + std::to_string(random()));
  if (auto status = io::make_folder(path, calls); !status) return fail(std::move(status.error()));
  return StagingFolder(std::move(path));
}

StagingFolder::StagingFolder(StagingFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

StagingFolder::~StagingFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Status StagingFolder::publish(const fs::path& out, io::Syscalls& calls) {
  auto status = io::publish_folder(path_, out, calls);
  std::error_code ignored;
  if (!status && !fs::exists(path_, ignored)) fs::remove_all(out, ignored);
  if (status) path_.clear();
  return status;
}

}  // namespace crucible::plan
