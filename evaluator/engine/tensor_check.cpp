#include <algorithm>
#include <set>
#include <utility>

#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {
namespace {

constexpr std::size_t kFaultLimit = 50;  // shown; the rest is counted

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

bool is_output(const std::string& name, const ArchitectureTable& table) {
  return std::ranges::any_of(table.tensors, [&](const TensorRule& rule) {
    return rule.when_tied != WhenTied::kAbsent &&
           std::ranges::find(rule.sources, name) != rule.sources.end();
  });
}

// Tensors that checkpoints carry and the computation does not need.
bool is_redundant(const std::string& name, const ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  if (name.ends_with(".rotary_emb.inv_freq")) return true;
  const auto ends = [&](const std::string& ending) { return name.ends_with(ending); };
  if (std::ranges::any_of(table.buffers, ends)) return true;
  return shape.tied_embeddings && is_output(name, table);
}

void check_one(const checkpoint::TensorHeaders& tensors, const std::string& source,
               const tensor::Shape& storage, std::vector<Fault>& faults) {
  const auto found = tensors.find(source);
  if (found == tensors.end()) {
    faults.push_back({source, "is missing", {}});
    return;
  }
  const checkpoint::TensorHeader& header = found->second;
  if (header.shape != storage) {
    faults.push_back(
        {source,
         "has shape " + text_of(header.shape) + ", config.json makes it " + text_of(storage),
         {}});
  }
  if (!tensor::is_floating(header.dtype)) {
    faults.push_back({source,
                      "holds " + std::string(tensor::safetensors_name(header.dtype)) +
                          ", not floating-point numbers",
                      "use a checkpoint in F32, BF16 or F16"});
  }
}

}  // namespace

Status check_tensors(const checkpoint::ModelSource& source, const ModelShape& shape) {
  std::vector<Fault> faults;
  std::set<std::string> known;
  for (const TensorPlan& plan : tensor_plans(source.tensors(), shape)) {
    for (const std::string& name : plan.sources) {
      if (known.insert(name).second) check_one(source.tensors(), name, plan.storage, faults);
    }
  }
  for (const auto& [name, header] : source.tensors()) {
    if (known.contains(name) || is_redundant(name, shape)) continue;
    faults.push_back({name, "is no part of a " + model_type(shape) + " of this config", {}});
  }
  if (faults.empty()) return {};
  const std::size_t count = faults.size();
  if (count > kFaultLimit) faults.resize(kFaultLimit);
  return fail(
      Error{ErrorCode::kCorrupt,
            source.label() + ": " + std::to_string(count) + " tensors do not fit config.json",
            std::move(faults)});
}

}  // namespace crucible::engine
