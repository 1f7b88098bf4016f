#include "evaluator/engine/llama_loading.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>

#include "evaluator/engine/gguf_export.hpp"
#include "evaluator/engine/gguf_model.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

constexpr std::uint32_t kDefaultContext = 4096;
constexpr std::uint64_t kSmallModel = 20'000'000;  // parameters

thread_local std::string first_complaint;

void keep_complaint(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR || text == nullptr || !first_complaint.empty()) return;
  first_complaint = text;
  while (!first_complaint.empty() && first_complaint.back() == '\n') first_complaint.pop_back();
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

void FreeModel::operator()(llama_model* model) const { llama_model_free(model); }
void FreeContext::operator()(llama_context* context) const { llama_free(context); }

void start_llama() {
  llama_log_set(keep_complaint, nullptr);
  llama_backend_init();
}

void forget_complaint() { first_complaint.clear(); }

std::string with_complaint(std::string message) {
  if (!first_complaint.empty()) message += ": " + first_complaint;
  return message;
}

Result<ModelHandle> load_weights(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                                 WeightType weights) {
  start_llama();
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

Result<ModelHandle> load_weights_file(const std::filesystem::path& file, const ModelShape& shape) {
  start_llama();
  llama_model_params params = llama_model_default_params();
  params.load_mode = LLAMA_LOAD_MODE_MMAP;
  params.n_gpu_layers = 0;
  forget_complaint();
  ModelHandle model(llama_model_load_from_file(file.c_str(), params));
  if (!model) {
    return fail(ErrorCode::kCorrupt, with_complaint("llama.cpp refuses " + file.string()));
  }
  const auto same = [](std::int32_t have, std::uint32_t want) {
    return have >= 0 && static_cast<std::uint32_t>(have) == want;
  };
  if (!same(llama_vocab_n_tokens(llama_model_get_vocab(model.get())), shape.vocabulary) ||
      !same(llama_model_n_embd(model.get()), shape.hidden) ||
      !same(llama_model_n_layer(model.get()), shape.layers)) {
    return fail(ErrorCode::kInvalidArgument,
                file.string() + " holds a model of other sizes than the folder's config.json says");
  }
  return model;
}

std::string weights_file_type(const llama_model* model) {
  char text[16] = {};
  if (llama_model_meta_val_str(model, "general.file_type", text, sizeof text) <= 0) return "gguf";
  for (const GgufTypeInfo& info : gguf_types()) {
    if (std::to_string(info.file_type) == text) return std::string(info.name);
  }
  return "gguf";
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
