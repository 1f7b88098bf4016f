#include "merger/plan/tensor_keys.hpp"

#include <sys/stat.h>

#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include "merger/recipe/method_info.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

// Names, sizes and times of change of a folder's files.
void add_files(Sha256& hash, const fs::path& folder) {
  std::set<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) files.insert(entry.path());
  for (const fs::path& file : files) {
    struct stat info{};
    if (::stat(file.c_str(), &info) != 0) continue;
    hash.field(file.string()).field(std::to_string(info.st_size));
    for (const timespec& time : {info.st_mtim, info.st_ctim})
      hash.field(std::to_string(time.tv_sec) + "." + std::to_string(time.tv_nsec));
  }
}

Digest files_of(const PlannedModel& model) {
  Sha256 hash;
  hash.field(model.reference.text());
  for (const fs::path& folder : model.weights->folders()) add_files(hash, folder);
  return hash.finish();
}

template <typename Value>
void add_value(Sha256& hash, Value value) {
  hash.update(std::as_bytes(std::span(&value, 1)));
}

// Alignment looks at all inputs of a tensor, by the numbers of their models.
Digest vocabulary_of(const MergePlan& plan, const std::vector<Digest>& models) {
  if (!plan.tokenizer) return {};
  const tokenizer::OutputTokenizer& made = *plan.tokenizer;
  Sha256 hash;
  for (const Digest& model : models) hash.field(model.hex());
  add_value(hash, made.tokens);
  add_value(hash, made.rows);
  for (const bool is_token : made.is_token) add_value(hash, static_cast<char>(is_token));
  for (const auto& rows : made.row_maps) {
    add_value(hash, std::uint64_t{rows == nullptr ? 0 : rows->size()});
    if (rows != nullptr) hash.update(std::as_bytes(std::span(*rows)));
  }
  for (const auto& [id, rule] : made.rules) {
    add_value(hash, id);
    add_value(hash, static_cast<int>(rule.kind));
    add_value(hash, std::uint64_t{rule.model});
    add_value(hash, rule.row);
    add_value(hash, static_cast<char>(rule.force));
  }
  return hash.finish();
}

}  // namespace

Digest merge_identity(const MergePlan& plan, const MergeOptions& options) {
  Sha256 hash;
  hash.field("merge " CRUCIBLE_VERSION).field(plan.identity).field(std::to_string(options.seed));
  hash.field(method::name_of(options.compatibility));
  hash.field(options.allow_nonfinite ? "allow_nonfinite" : "");
  for (const PlannedModel& model : plan.models) hash.field(files_of(model).hex());
  return hash.finish();
}

TensorKeys::TensorKeys(const MergePlan& plan, std::string method, const MergeOptions& options)
    : plan_(plan), method_(std::move(method)) {
  options_ = "merged tensor " CRUCIBLE_VERSION " seed " + std::to_string(options.seed) +
             (options.allow_nonfinite ? " allow_nonfinite" : "");
  for (const PlannedModel& model : plan.models) models_.push_back(files_of(model));
  vocabulary_ = vocabulary_of(plan, models_);
}

void TensorKeys::add_parameters(Sha256& hash, const method::ParameterValues& values) const {
  const recipe::MethodInfo* info = recipe::find_method(method_);
  if (info == nullptr) return;
  for (const recipe::ParameterInfo& parameter : info->parameters) {
    if (!values.has(parameter.name)) continue;
    hash.field(parameter.name);
    add_value(hash, values.number(parameter.name));
  }
  hash.field("");
}

Digest TensorKeys::key(std::size_t number, std::uint64_t draws) const {
  const PlannedTensor& planned = plan_.tensors[number];
  const method::TensorTask& task = planned.task;
  Sha256 hash;
  hash.field(options_).field(method_).field(vocabulary_.hex());
  hash.field(method::name_of(task.compatibility));
  add_value(hash, draws);
  add_value(hash, static_cast<int>(planned.output));
  add_value(hash, static_cast<int>(planned.copied));
  add_value(hash, static_cast<int>(task.dtype));
  for (const std::uint64_t extent : planned.shape) add_value(hash, extent);
  add_value(hash, task.base ? static_cast<std::int64_t>(*task.base) : std::int64_t{-1});
  add_parameters(hash, task.shared);
  for (std::size_t i = 0; i < planned.inputs.size(); ++i) {
    const PlannedInput& input = planned.inputs[i];
    hash.field(models_[input.model].hex()).field(input.source->origin());
    if (i < task.models.size()) add_parameters(hash, task.models[i]);
  }
  return hash.finish();
}

}  // namespace crucible::plan
