#include "merger/plan/vocabulary.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

#include "merger/base/json_text.hpp"
#include "merger/plan/output_folder.hpp"
#include "merger/tokenizer/aligned_tensor.hpp"
#include "merger/tokenizer/chat_template.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
using nlohmann::ordered_json;
using recipe::TokenizerChoice;

namespace {

constexpr std::string_view kSizeKey = "vocab_size";
constexpr std::array<std::string_view, 3> kTokenIdKeys{"bos_token_id", "eos_token_id",
                                                       "pad_token_id"};
// Describe the part of a tokenizer that stays when tokens are added.
constexpr std::array<std::string_view, 3> kModelFiles{"merges.txt", "tokenizer.model",
                                                      "vocab.json"};
constexpr std::array<std::string_view, 2> kTemplateFiles{"chat_template.jinja",
                                                         "chat_template.json"};
constexpr std::string_view kGenerationFile = "generation_config.json";

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

void add_copy(SideFiles& files, const fs::path& folder, std::string_view name) {
  if (is_file(folder / name)) files[std::string(name)] = {folder / name, {}};
}

std::string text_of(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<SideFiles> built_files(const MergePlan& plan, io::Syscalls& calls) {
  const tokenizer::ModelTokenizer& tokenizer = plan.tokenizer->tokenizer;
  const fs::path& folder = tokenizer.folder();
  SideFiles files;
  add_copy(files, plan.models[plan.donor].checkpoint->folder(), kGenerationFile);
  add_copy(files, folder, kGenerationFile);
  for (const std::string_view name : kTemplateFiles) add_copy(files, folder, name);
  if (!tokenizer.stripped()) {
    for (const std::string_view name : kModelFiles) add_copy(files, folder, name);
  }
  auto text = tokenizer.tokenizer_json(calls);
  if (!text) return fail(std::move(text.error()));
  files["tokenizer.json"] = {{}, std::move(*text)};
  if (const auto config = tokenizer.tokenizer_config(); !config.empty())
    files["tokenizer_config.json"] = {{}, text_of(config)};
  if (const auto map = tokenizer.special_tokens_map(); !map.empty())
    files["special_tokens_map.json"] = {{}, text_of(map)};
  return files;
}

Result<SideFiles> donor_files(const MergePlan& plan) {
  const checkpoint::Checkpoint& donor = *plan.models[plan.donor].checkpoint;
  SideFiles files;
  for (const std::string& name : donor.tokenizer_files()) add_copy(files, donor.folder(), name);
  return files;
}

// As transformers 5 keeps it, and inside tokenizer_config.json, where older readers look.
Status set_chat_template(SideFiles& files, const std::string& text, io::Syscalls& calls) {
  files["chat_template.jinja"] = {{}, text};
  files.erase("chat_template.json");
  const auto found = files.find("tokenizer_config.json");
  if (found == files.end()) return {};
  constexpr std::uint64_t kLimitBytes = 16ULL << 20;
  if (!found->second.copy_of.empty()) {
    auto stored = io::read_text(found->second.copy_of, kLimitBytes, calls);
    if (!stored) return fail(std::move(stored.error()));
    found->second.text = std::move(*stored);
  }
  auto config = parse_untrusted_json<ordered_json>(found->second.text);
  if (!config.is_object())
    return fail(ErrorCode::kCorrupt, found->second.copy_of.string() + ": must be a JSON object");
  config["chat_template"] = text;
  found->second = {{}, text_of(config)};
  return {};
}

std::string special_text(const tokenizer::ModelTokenizer& tokenizer, std::uint64_t id) {
  const auto tokens = tokenizer.tokens();
  const auto found = std::ranges::find(tokens, id, [](const auto& item) { return item.first; });
  return found == tokens.end() ? std::string() : found->second;
}

std::vector<tokenizer::InputTokenizer> input_tokenizers(const MergePlan& plan) {
  std::vector<tokenizer::InputTokenizer> inputs;
  for (const PlannedModel& model : plan.models) {
    inputs.push_back({model.reference, model.recipe_path, model.checkpoint->folder(),
                      checkpoint::config_number(model.checkpoint->config(), kSizeKey).value_or(0)});
  }
  return inputs;
}

void add_faults(FaultList& faults, const Error& error, const std::string& path) {
  if (error.faults.empty()) faults.add(path, error.message, "", error.code);
  for (const Fault& fault : error.faults) {
    faults.add(fault.path.empty() ? path : fault.path, fault.message, fault.suggestion, error.code);
  }
}

void build_tokenizer(const recipe::TokenizerSetting& setting, const ModelResolver& resolver,
                     MergePlan& plan, FaultList& faults) {
  if (plan.models.front().architecture->inferred) {
    faults.add("tokenizer_source",
               "which tensors have a row for every token is not known for this architecture",
               "leave it out; the models must then have the same vocabulary");
    return;
  }
  fs::path source;
  if (setting.choice == TokenizerChoice::kModel) {
    auto folder = resolver(setting.model);
    if (!folder) {
      faults.add("tokenizer_source", folder.error().message,
                 "union, base, or the path of a folder that holds a tokenizer.json");
      return;
    }
    source = std::move(*folder);
  }
  auto built =
      tokenizer::build_output_tokenizer(setting, input_tokenizers(plan), plan.donor, source);
  if (!built) {
    add_faults(faults, built.error(), "tokenizer_source");
    return;
  }
  std::ranges::move(built->warnings, std::back_inserter(plan.warnings));
  plan.tokenizer = std::make_shared<const tokenizer::OutputTokenizer>(std::move(*built));
}

}  // namespace

bool is_vocabulary_tensor(const checkpoint::TensorTemplate& tensor) {
  return !tensor.shape.empty() && tensor.shape.front() == kSizeKey;
}

void plan_tokenizer(const recipe::Recipe& recipe, const ModelResolver& resolver, MergePlan& plan,
                    FaultList& faults) {
  if (recipe.tokenizer) build_tokenizer(*recipe.tokenizer, resolver, plan, faults);
  if (recipe.chat_template.empty()) return;
  std::vector<fs::path> folders;
  for (const PlannedModel& model : plan.models) folders.push_back(model.checkpoint->folder());
  auto text = tokenizer::resolve_chat_template(recipe.chat_template, folders);
  if (!text) {
    add_faults(faults, text.error(), "chat_template");
    return;
  }
  if (text->empty()) {
    plan.warnings.push_back({"chat_template", "none of the models has a chat template",
                             "name a built-in one, such as chatml"});
  }
  plan.chat_template = std::move(*text);
}

bool align_inputs(const MergePlan& plan, const checkpoint::TensorTemplate& tensor,
                  const std::string& path, PlannedTensor& planned, FaultList& faults) {
  if (!plan.tokenizer || !is_vocabulary_tensor(tensor)) return true;
  std::vector<tokenizer::AlignmentInput> inputs;
  for (const PlannedInput& input : planned.inputs) inputs.push_back({input.model, input.source});
  auto aligned =
      tokenizer::align(plan.tokenizer, planned.name, inputs, planned.task.base, planned.task.dtype);
  if (!aligned) {
    add_faults(faults, aligned.error(), path);
    return false;
  }
  for (std::size_t i = 0; i < aligned->size(); ++i)
    planned.inputs[i].source = std::move((*aligned)[i]);
  return true;
}

void fit_vocabulary(ordered_json& config, const MergePlan& plan) {
  if (!plan.tokenizer) return;
  const bool nested = !config.contains(kSizeKey) && config.contains("text_config") &&
                      config["text_config"].is_object();
  ordered_json& section = nested ? config["text_config"] : config;
  section[std::string(kSizeKey)] = plan.tokenizer->rows;
  const tokenizer::ModelTokenizer& made = plan.tokenizer->tokenizer;
  const fs::path& folder = plan.models[plan.donor].checkpoint->folder();
  if (made.folder() == folder) return;  // grown out of the donor's: its numbers hold
  const auto own = tokenizer::ModelTokenizer::open(folder);
  if (!own) return;
  const auto renumber = [&](ordered_json& id) {
    if (!id.is_number_unsigned()) return;
    const auto other = made.find(special_text(*own, id.get<std::uint64_t>()));
    if (other) id = *other;
  };
  for (const std::string_view key : kTokenIdKeys) {
    const auto found = section.find(key);
    if (found == section.end()) continue;
    if (found->is_array()) {
      for (ordered_json& id : *found) renumber(id);
    } else {
      renumber(*found);
    }
  }
}

Result<SideFiles> tokenizer_files(const MergePlan& plan, io::Syscalls& calls) {
  auto files = plan.tokenizer ? built_files(plan, calls) : donor_files(plan);
  if (!files || plan.chat_template.empty()) return files;
  if (auto status = set_chat_template(*files, plan.chat_template, calls); !status)
    return fail(std::move(status.error()));
  return files;
}

Result<std::map<std::string, Digest>> write_tokenizer_files(const MergePlan& plan,
                                                            const fs::path& folder,
                                                            io::Syscalls& calls) {
  const auto files = tokenizer_files(plan, calls);
  if (!files) return fail(files.error());
  std::map<std::string, Digest> written;
  for (const auto& [name, file] : *files) {
    if (!file.copy_of.empty()) {
      auto digest = copy_file(file.copy_of, folder / name, calls);
      if (!digest) return fail(std::move(digest.error()));
      written.emplace(name, *digest);
      continue;
    }
    if (auto status = io::write_new_file(folder / name, file.text, calls); !status)
      return fail(std::move(status.error()));
    written.emplace(name, sha256(file.text));
  }
  return written;
}

}  // namespace crucible::plan
