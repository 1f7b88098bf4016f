#include "evaluator/engine/weight_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <utility>

#include "evaluator/engine/gguf_model.hpp"
#include "llama.h"
#include "merger/tensor/finite.hpp"

namespace crucible::engine {
namespace {

// Elements widened on the way into the mapped memory.
class MappedElements final : public checkpoint::ElementSink {
 public:
  MappedElements(std::string name, tensor::DType dtype, std::vector<std::span<float>> targets)
      : name_(std::move(name)), dtype_(dtype), targets_(std::move(targets)) {}
  Status write(std::uint64_t first, std::span<const std::byte> data) override {
    const std::size_t count = data.size() / tensor::byte_size(dtype_);
    for (const std::span<float> target : targets_) {
      if (first > target.size() || count > target.size() - first)
        return fail(ErrorCode::kInternal, name_ + " is written past its end");
      tensor::to_float32(dtype_, data, target.subspan(static_cast<std::size_t>(first), count));
    }
    if (tensor::count_not_finite(dtype_, data) == 0) return {};
    return fail(ErrorCode::kCorrupt, name_ + " holds NaN or infinite weights");
  }

 private:
  std::string name_;
  tensor::DType dtype_;
  std::vector<std::span<float>> targets_;
};

// Writes what is not there yet.
class MemoryWriter final : public checkpoint::TensorVisitor {
 public:
  // `map` gives the whole memory, or nothing where only whole tensors are to be taken.
  MemoryWriter(const GgufImage& image, const GgufFile& file, std::map<std::string, Digest>& held,
               std::function<std::span<std::byte>()> map)
      : image_(image), file_(file), held_(held), map_(std::move(map)), pool_(0) {}

  bool has(const std::string& name, const Digest& identity) override {
    const auto found = held_.find(name);
    return found != held_.end() && found->second == identity;
  }
  std::unique_ptr<checkpoint::ElementSink> begin(const std::string& name,
                                                 const checkpoint::TensorHeader& header) override {
    const auto offsets = image_.plain_copies(name);
    // float64 may become infinite when it is narrowed, which is checked on whole tensors only.
    if (offsets.empty() || header.dtype == tensor::DType::kF64) return nullptr;
    const std::span<std::byte> memory = map_();
    if (memory.empty()) return nullptr;
    held_.erase(name);
    const std::uint64_t elements = tensor::element_count(header.shape).value_or(0);
    std::vector<std::span<float>> targets;
    for (const std::uint64_t offset : offsets) {
      // Tensor data lies at multiples of 32 bytes.
      auto* begin = reinterpret_cast<float*>(memory.data() + offset);
      targets.emplace_back(begin, static_cast<std::size_t>(elements));
    }
    return std::make_unique<MappedElements>(name, header.dtype, std::move(targets));
  }
  Status finish(const std::string& name, const Digest& identity) override {
    held_.insert_or_assign(name, identity);
    return {};
  }
  Status take(const std::string& name, const checkpoint::TensorSource& tensor,
              const std::optional<Digest>& identity) override {
    if (identity && has(name, *identity)) return {};
    held_.erase(name);
    auto written = image_.write_tensor(name, tensor, file_, pool_);
    if (written && identity) held_.emplace(name, *identity);
    return written;
  }

 private:
  const GgufImage& image_;
  const GgufFile& file_;
  std::map<std::string, Digest>& held_;
  std::function<std::span<std::byte>()> map_;
  ThreadPool pool_;
};

}  // namespace

WeightMemory::~WeightMemory() { forget(); }

void WeightMemory::forget() {
  model_.reset();
  held_.clear();
  head_.clear();
  if (!mapped_.empty()) ::munmap(mapped_.data(), mapped_.size());
  mapped_ = {};
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

// Where that fails, tensors are taken whole.
std::span<std::byte> WeightMemory::map(std::uint64_t bytes) {
  if (!mapped_.empty()) return mapped_;
  const auto size = static_cast<std::size_t>(bytes);
  void* begin = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (begin != MAP_FAILED) mapped_ = {static_cast<std::byte*>(begin), size};
  return mapped_;
}

Status WeightMemory::write(const GgufImage& image, checkpoint::ModelSource& source, bool stays,
                           const ProgressSink& progress, const std::stop_token& stop) {
  const GgufFile file{fd_, stop, io::system()};
  if (auto written = image.write_head(file); !written) return written;
  MemoryWriter writer(image, file, held_,
                      [&] { return stays ? map(image.bytes()) : std::span<std::byte>(); });
  return source.visit(writer, progress, stop);
}

Result<std::shared_ptr<llama_model>> WeightMemory::load(checkpoint::ModelSource& source,
                                                        const ModelShape& shape, WeightType weights,
                                                        std::uint32_t gpu_layers,
                                                        const ProgressSink& progress,
                                                        const std::stop_token& stop) {
  start_llama();
  const GgufImage image(source, shape, weights, {});
  // Other types may be rearranged for the processor when they are loaded, and what a graphics card
  // may compute is copied: writing over the memory would not reach it.
  const bool stays =
      weights == WeightType::kF32 && gpu_layers == 0 && !llama_supports_gpu_offload();
  const bool again = stays && fd_ >= 0 && image.head() == head_ && model_.use_count() == 1;
  if (!again) {
    forget();
    fd_ = memfd_create("crucible-model", MFD_CLOEXEC);
    if (fd_ < 0) return fail(from_errno(errno, "reserving memory for the model"));
  }
  auto status = write(image, source, stays, progress, stop);
  if (status && !again) {
    auto model = map_model(fd_, shape, gpu_layers, source.label());
    if (model) {
      model_ = std::move(*model);
      head_ = image.head();
    } else {
      status = fail(std::move(model.error()));
    }
  }
  if (!status) {
    forget();
    return fail(std::move(status.error()));
  }
  std::shared_ptr<llama_model> loaded = model_;
  if (!stays) forget();
  return loaded;
}

}  // namespace crucible::engine
