#include "merger/checkpoint/model_source.hpp"

#include <system_error>
#include <utility>

namespace crucible::checkpoint {

bool FolderDocuments::has(std::string_view name) const {
  std::error_code ignored;
  return std::filesystem::is_regular_file(folder_ / name, ignored);
}

Result<std::string> FolderDocuments::read(std::string_view name, std::uint64_t limit_bytes) const {
  return io::read_text(folder_ / name, limit_bytes);
}

std::uint64_t ModelSource::parameter_count() const {
  std::uint64_t count = 0;
  for (const auto& [name, header] : tensors()) {
    count += tensor::element_count(header.shape).value_or(0);
  }
  return count;
}

StoredModel::StoredModel(std::shared_ptr<const Checkpoint> checkpoint)
    : checkpoint_(std::move(checkpoint)), documents_(checkpoint_->folder()) {
  for (const std::string& name : checkpoint_->tensor_names()) {
    const safetensors::TensorEntry& entry = *checkpoint_->find(name).entry;
    tensors_.emplace(name, TensorHeader{entry.dtype, entry.shape});
  }
}

Result<StoredModel> StoredModel::open(const std::filesystem::path& folder) {
  auto checkpoint = Checkpoint::open(folder);
  if (!checkpoint) return fail(std::move(checkpoint.error()));
  return StoredModel(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
}

Status StoredModel::visit(TensorVisitor& visitor, const ProgressSink& /*progress*/,
                          std::stop_token stop) {
  for (const auto& [name, header] : tensors_) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "loading was cancelled");
    const StoredTensor tensor(checkpoint_->find(name));
    if (auto taken = visitor.take(name, tensor, std::nullopt); !taken) return taken;
  }
  return {};
}

}  // namespace crucible::checkpoint
