#include <algorithm>
#include <utility>

#include "evaluator/engine/model_shape.hpp"

namespace crucible::engine {
namespace {

std::string replaced(std::string text, std::string_view variable, std::uint64_t value) {
  const std::size_t at = text.find(variable);
  if (at != std::string::npos) text.replace(at, variable.size(), std::to_string(value));
  return text;
}

// Expands the rules of one layer, or of what lies outside the layers.
class Expander {
 public:
  Expander(const checkpoint::TensorHeaders& tensors, const ModelShape& shape,
           std::vector<TensorPlan>& plans)
      : tensors_(tensors), shape_(shape), plans_(plans) {}

  void add(const TensorRule& rule, std::uint32_t layer, const Flags& flags) {
    if (!holds(rule.condition, flags)) return;
    TensorPlan plan;
    plan.target = replaced(rule.target, "${layer}", layer);
    plan.changes = rule.changes;
    plan.storage = extents(rule.storage.empty() ? rule.shape : rule.storage);
    plan.shape =
        plan.has(Change::kFlatten) ? tensor::Shape{plan.storage.back()} : extents(rule.shape);
    if (plan.has(Change::kTranspose)) std::reverse(plan.storage.begin(), plan.storage.end());
    if (rule.when_tied != WhenTied::kAbsent && shape_.tied_embeddings) {
      if (rule.when_tied == WhenTied::kOmit) return;
      plan.sources = plans_.front().sources;  // the embedding, which tables name first
    } else if (rule.count.empty()) {
      plan.sources.push_back(present(rule.sources, layer, 0));
    } else {
      add_stacked(plan, rule, layer);
    }
    plans_.push_back(std::move(plan));
  }

 private:
  void add_stacked(TensorPlan& plan, const TensorRule& rule, std::uint32_t layer) {
    static const std::vector<std::string> kNone;
    const std::uint64_t count = size(rule.count);
    for (const std::string& name : rule.packed ? rule.packed->sources : kNone) {
      const std::string packed = replaced(name, "${layer}", layer);
      if (!tensors_.contains(packed)) continue;
      plan.sources.push_back(packed);
      plan.packed_rows = size(rule.packed->rows);
      plan.packed_first = size(rule.packed->first);
      plan.storage = {count, plan.packed_rows, plan.shape.back()};
      plan.shape.insert(plan.shape.begin(), count);
      return;
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      plan.sources.push_back(present(rule.sources, layer, i));
    }
    plan.shape.insert(plan.shape.begin(), count);
  }

  // The first of the alternative names that are there, else the first of all.
  std::string present(const std::vector<std::string>& names, std::uint32_t layer,
                      std::uint64_t expert) const {
    const auto& prefixes = shape_.architecture->prefixes;
    std::string usual;
    for (const std::string& name : names) {
      const std::string one = replaced(replaced(name, "${layer}", layer), "${expert}", expert);
      if (usual.empty()) usual = one;
      if (tensors_.contains(one)) return one;
      if (prefixes.empty() || !one.starts_with(prefixes.front())) continue;
      for (const std::string& prefix : prefixes) {
        const std::string other = prefix + one.substr(prefixes.front().size());
        if (tensors_.contains(other)) return other;
      }
    }
    return usual;
  }

  std::uint64_t size(const std::string& expression) const {
    return evaluate_size(expression, shape_.sizes).value_or(0);
  }
  tensor::Shape extents(const std::vector<std::string>& expressions) const {
    tensor::Shape all;
    for (const std::string& expression : expressions) all.push_back(size(expression));
    return all;
  }

  const checkpoint::TensorHeaders& tensors_;
  const ModelShape& shape_;
  std::vector<TensorPlan>& plans_;
};

// In groups of (queries, key, value) for each key-value head.
std::uint64_t grouped_row(const TensorPlan& plan, const ModelShape& shape, std::uint64_t row) {
  const std::uint64_t size = shape.head_size;
  const std::uint64_t queries = std::uint64_t{shape.heads / shape.kv_heads} * size;
  const std::uint64_t group = queries + 2 * size;
  const std::uint64_t q = shape.sizes.at("q");
  const std::uint64_t kv = shape.sizes.at("kv");
  const auto query = [&](std::uint64_t i) { return i / queries * group + i % queries; };
  const auto other = [&](std::uint64_t i, std::uint64_t after) {
    return i / size * group + queries + after + i % size;
  };
  if (plan.has(Change::kQueries)) return query(row);
  if (plan.has(Change::kKeys)) return other(row, 0);
  if (plan.has(Change::kValues)) return other(row, size);
  if (!plan.has(Change::kUngroup)) return row;
  if (row < q) return query(row);
  return row < q + kv ? other(row - q, 0) : other(row - q - kv, size);
}

}  // namespace

bool TensorPlan::has(Change change) const {
  return std::ranges::find(changes, change) != changes.end();
}

std::uint64_t TensorPlan::rows() const {
  std::uint64_t count = 1;
  const std::size_t outer = is_vector() ? 1 : shape.size() - 1;
  for (std::size_t i = 0; i < outer; ++i) count *= shape[i];
  return count;
}

SourceRow source_row(const TensorPlan& plan, const ModelShape& shape, std::uint64_t target_row) {
  std::uint64_t row = target_row;
  if (plan.has(Change::kInterleave)) {
    const std::uint64_t size = shape.head_size;
    const std::uint64_t i = row % size;
    row = row / size * size + (i % 2 == 0 ? i / 2 : size / 2 + i / 2);
  }
  row = grouped_row(plan, shape, row);
  if (plan.packed_rows > 0) {
    const std::uint64_t each = plan.shape[1];
    return {0, row / each * plan.packed_rows + plan.packed_first + row % each};
  }
  if (plan.sources.size() == 1) return {0, row};
  const std::uint64_t each = plan.rows() / plan.sources.size();
  return {row / each, row % each};
}

std::vector<TensorPlan> tensor_plans(const checkpoint::TensorHeaders& tensors,
                                     const ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  const auto dense = evaluate_size(table.dense_layers, shape.sizes);
  std::vector<TensorPlan> plans;
  Expander expander(tensors, shape, plans);
  const auto in_layers = [](const TensorRule& rule) {
    return rule.target.find("${layer}") != std::string::npos;
  };
  for (const TensorRule& rule : table.tensors) {
    if (!in_layers(rule)) expander.add(rule, 0, shape.flags);
  }
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    Flags flags = shape.flags;
    flags["dense_layer"] = dense.value_or(0) > layer;
    for (const TensorRule& rule : table.tensors) {
      if (in_layers(rule)) expander.add(rule, layer, flags);
    }
  }
  return plans;
}

}  // namespace crucible::engine
