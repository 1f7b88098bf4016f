#include "evaluator/engine/llama_loading.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>

#include "evaluator/engine/gguf_model.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

constexpr std::uint32_t kDefaultContext = 4096;
constexpr std::uint64_t kSmallModel = 20'000'000;  // parameters

thread_local std::string last_complaint;

void keep_complaint(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR || text == nullptr) return;
  last_complaint = text;
  while (!last_complaint.empty() && last_complaint.back() == '\n') last_complaint.pop_back();
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void FreeModel::operator()(llama_model* model) const { llama_model_free(model); }
void FreeContext::operator()(llama_context* context) const { llama_free(context); }

void forget_complaint() { last_complaint.clear(); }

std::string with_complaint(std::string message) {
  if (!last_complaint.empty()) message += ": " + last_complaint;
  return message;
}

Result<ModelHandle> load_weights(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                                 WeightType weights) {
  llama_log_set(keep_complaint, nullptr);
  llama_backend_init();
  const int fd = memfd_create("crucible-model", MFD_CLOEXEC);
  if (fd < 0) return fail(from_errno(errno, "reserving memory for the model"));
  const std::unique_ptr<std::FILE, CloseFile> file(fdopen(fd, "r+b"));
  if (!file) return fail(from_errno(errno, "reserving memory for the model"));
  if (auto written = write_gguf(checkpoint, shape, weights, fd); !written) {
    return fail(std::move(written.error()));
  }
  llama_model_params params = llama_model_default_params();
  params.load_mode = LLAMA_LOAD_MODE_MMAP;
  params.n_gpu_layers = 0;
  forget_complaint();
  ModelHandle model(llama_model_load_from_file_ptr(file.get(), params));
  if (!model) {
    return fail(ErrorCode::kUnsupported,
                with_complaint("llama.cpp refuses " + checkpoint.folder().string()));
  }
  return model;
}

Result<std::uint32_t> context_length(const ModelShape& shape, std::uint32_t asked) {
  std::uint32_t most = shape.context;
  if (shape.sliding_window > 0) most = std::min(most, shape.sliding_window);
  if (asked <= most) return asked > 0 ? asked : std::min(most, kDefaultContext);
  const bool window = most < shape.context;
  return fail(ErrorCode::kInvalidArgument,
              "a context of " + std::to_string(asked) + " tokens is longer than the model's " +
                  (window ? "sliding window, " : "max_position_embeddings, ") +
                  std::to_string(most));
}

unsigned thread_count(unsigned asked, std::uint64_t parameters) {
  if (asked > 0) return asked;
  return parameters < kSmallModel ? 1 : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace crucible::engine
