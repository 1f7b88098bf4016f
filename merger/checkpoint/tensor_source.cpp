#include "merger/checkpoint/tensor_source.hpp"

namespace crucible::checkpoint {

std::string StoredTensor::origin() const {
  return "tensor " + location_.entry->name + " in " + location_.shard->path().string();
}

Status StoredTensor::read(std::uint64_t first, std::span<std::byte> out) const {
  return location_.shard->read(*location_.entry, first * tensor::byte_size(location_.entry->dtype),
                               out);
}

TensorSourcePtr StoredWeights::find(std::string_view name) const {
  const TensorLocation location = checkpoint_->find(name);
  if (location.shard == nullptr) return nullptr;
  return std::make_shared<const StoredTensor>(location);
}

}  // namespace crucible::checkpoint
