#include "evaluator/engine/weight_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "evaluator/engine/gguf_model.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

// Writes what is not there yet.
class MemoryWriter final : public checkpoint::TensorVisitor {
 public:
  MemoryWriter(const GgufImage& image, const GgufFile& file, std::map<std::string, Digest>& held)
      : image_(image), file_(file), held_(held), pool_(0) {}

  bool has(const std::string& name, const Digest& identity) override {
    const auto found = held_.find(name);
    return found != held_.end() && found->second == identity;
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
  ThreadPool pool_;
};

}  // namespace

WeightMemory::~WeightMemory() { forget(); }

void WeightMemory::forget() {
  model_.reset();
  held_.clear();
  head_.clear();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status WeightMemory::write(const GgufImage& image, checkpoint::ModelSource& source,
                           const ProgressSink& progress, const std::stop_token& stop) {
  const GgufFile file{fd_, stop, io::system()};
  if (auto written = image.write_head(file); !written) return written;
  MemoryWriter writer(image, file, held_);
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
  auto status = write(image, source, progress, stop);
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
