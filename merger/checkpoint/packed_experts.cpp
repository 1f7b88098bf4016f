#include "merger/checkpoint/packed_experts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace crucible::checkpoint {
namespace {

// Tensors of one type, one after the other.
class ConcatenatedTensor : public TensorSource {
 public:
  ConcatenatedTensor(std::vector<TensorSourcePtr> parts, tensor::Shape shape)
      : parts_(std::move(parts)), shape_(std::move(shape)) {
    for (const TensorSourcePtr& part : parts_) {
      ends_.push_back((ends_.empty() ? 0 : ends_.back()) +
                      tensor::element_count(part->shape()).value_or(0));
    }
  }
  tensor::DType dtype() const override { return parts_.front()->dtype(); }
  const tensor::Shape& shape() const override { return shape_; }
  std::uint64_t stored_bytes() const override {
    std::uint64_t bytes = 0;
    for (const TensorSourcePtr& part : parts_) bytes += part->stored_bytes();
    return bytes;
  }
  std::string origin() const override {
    return parts_.front()->origin() + " and " + std::to_string(parts_.size() - 1) +
           " more that are packed with it";
  }
  Status read(std::uint64_t first, std::span<std::byte> out) const override {
    const std::uint64_t element = tensor::byte_size(dtype());
    auto at = static_cast<std::size_t>(std::ranges::upper_bound(ends_, first) - ends_.begin());
    while (!out.empty()) {
      const std::uint64_t begin = at == 0 ? 0 : ends_[at - 1];
      const std::uint64_t bytes =
          std::min<std::uint64_t>((ends_[at] - first) * element, out.size());
      if (auto status = parts_[at]->read(first - begin, out.first(bytes)); !status) return status;
      out = out.subspan(bytes);
      first = ends_[at++];
    }
    return {};
  }

 private:
  std::vector<TensorSourcePtr> parts_;
  std::vector<std::uint64_t> ends_;  // element numbers
  tensor::Shape shape_;
};

class PackedWeights : public Weights {
 public:
  PackedWeights(std::unique_ptr<const Weights> weights,
                std::map<std::string, TensorSourcePtr> packed, std::set<std::string> hidden)
      : weights_(std::move(weights)), packed_(std::move(packed)), hidden_(std::move(hidden)) {}
  std::vector<std::string> names() const override {
    std::vector<std::string> all;
    for (std::string& name : weights_->names()) {
      if (!hidden_.contains(name)) all.push_back(std::move(name));
    }
    for (const auto& [name, source] : packed_) all.push_back(name);
    std::ranges::sort(all);
    return all;
  }
  std::vector<std::filesystem::path> folders() const override { return weights_->folders(); }
  TensorSourcePtr find(std::string_view name) const override {
    const auto found = packed_.find(std::string(name));
    return found == packed_.end() ? weights_->find(name) : found->second;
  }

 private:
  std::unique_ptr<const Weights> weights_;
  std::map<std::string, TensorSourcePtr> packed_;
  std::set<std::string> hidden_;  // names of the parts
};

std::string name_in_layer(const std::string& name, std::uint64_t layer) {
  TensorTemplate tensor;
  tensor.name = name;
  return tensor.in_layer(layer);
}

// The parts of a packed tensor in one layer; empty where the layer has none of them.
Result<std::vector<TensorSourcePtr>> parts_of(const Weights& weights, const TensorTemplate& packed,
                                              std::uint64_t layer) {
  std::vector<TensorSourcePtr> parts;
  std::string missing;
  for (const std::string& part : packed.parts) {
    const std::string name = name_in_layer(part, layer);
    if (auto source = weights.find(name)) {
      parts.push_back(std::move(source));
    } else if (missing.empty()) {
      missing = name;
    }
  }
  if (parts.empty()) return parts;
  if (!missing.empty())
    return fail(ErrorCode::kCorrupt, "experts cannot be packed: no tensor " + missing);
  for (const TensorSourcePtr& part : parts) {
    if (part->dtype() == parts.front()->dtype() && part->shape() == parts.front()->shape() &&
        part->shape().size() == 2) {
      continue;
    }
    return fail(ErrorCode::kCorrupt, "experts cannot be packed: " + part->origin() +
                                         " differs in type or shape from " +
                                         parts.front()->origin());
  }
  return parts;
}

}  // namespace

Result<std::unique_ptr<const Weights>> pack_experts(std::unique_ptr<const Weights> weights,
                                                    const Architecture& architecture,
                                                    std::uint64_t layers) {
  std::map<std::string, TensorSourcePtr> sources;
  std::set<std::string> hidden;
  for (const TensorTemplate& packed : architecture.modules.front().packed) {
    for (std::uint64_t layer = 0; layer < layers; ++layer) {
      auto parts = parts_of(*weights, packed, layer);
      if (!parts) return fail(std::move(parts.error()));
      if (parts->empty()) continue;
      for (const std::string& part : packed.parts) hidden.insert(name_in_layer(part, layer));
      // Parts are listed expert by expert, equally many each; their number over the experts is how
      // many matrices lie one under the other.
      const tensor::Shape one = parts->front()->shape();
      const std::uint64_t experts = packed.repeated;
      const tensor::Shape shape = {experts, parts->size() / experts * one[0], one[1]};
      sources.emplace(packed.in_layer(layer),
                      std::make_shared<const ConcatenatedTensor>(std::move(*parts), shape));
    }
  }
  return std::unique_ptr<const Weights>(std::make_unique<const PackedWeights>(
      std::move(weights), std::move(sources), std::move(hidden)));
}

}  // namespace crucible::checkpoint
