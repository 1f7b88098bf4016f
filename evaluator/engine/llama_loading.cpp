#include "evaluator/engine/llama_loading.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <thread>
#include <utility>

#include "evaluator/engine/gguf_export.hpp"
#include "evaluator/engine/gguf_file.hpp"
#include "ggml-backend.h"
#include "llama.h"

namespace crucible::engine {
namespace {

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

// How models are loaded. Must outlive the loading.
class LoadOptions {
 public:
  LoadOptions(const ModelShape& shape, std::uint32_t gpu_layers) : gpu_layers_(gpu_layers) {
    if (shape.rope.scaling.kind != RopeScaling::Kind::kLongRope) return;
    // llama.cpp takes the factors of long texts by the size of its memory, which sequences share.
    llama_model_kv_override& context = overrides_.front();
    context.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
    context.val_i64 = 1LL << 30;
    const std::string key = shape.architecture->gguf + ".rope.scaling.original_context_length";
    std::snprintf(context.key, sizeof context.key, "%s", key.c_str());
  }
  LoadOptions(const LoadOptions&) = delete;
  LoadOptions& operator=(const LoadOptions&) = delete;

  llama_model_params params() const {
    llama_model_params params = llama_model_default_params();
    params.load_mode = LLAMA_LOAD_MODE_MMAP;
    params.n_gpu_layers = static_cast<std::int32_t>(gpu_layers_);
    params.kv_overrides = overrides_.data();
    return params;
  }

 private:
  std::uint32_t gpu_layers_;
  std::array<llama_model_kv_override, 2> overrides_ = {};  // an empty key ends them
};

}  // namespace

void FreeModel::operator()(llama_model* model) const { llama_model_free(model); }
void FreeContext::operator()(llama_context* context) const { llama_free(context); }

void start_llama() {
  llama_log_set(keep_complaint, nullptr);
  llama_backend_init();
}

std::string engine_name() {
  std::string name = std::string("llama.cpp ") + llama_version();
  ggml_backend_reg_t cpu = ggml_backend_reg_by_name("CPU");
  if (cpu == nullptr) return name;
  const auto features = reinterpret_cast<ggml_backend_get_features_t>(
      ggml_backend_reg_get_proc_address(cpu, "ggml_backend_get_features"));
  if (features == nullptr) return name;
  for (auto feature = features(cpu); feature->name != nullptr; ++feature) {
    if (std::string_view(feature->name) == "AVX512_BF16") return name + " avx512-bf16";
  }
  return name;
}

void forget_complaint() { first_complaint.clear(); }

std::string with_complaint(std::string message) {
  if (!first_complaint.empty()) message += ": " + first_complaint;
  return message;
}

Result<ModelHandle> map_model(int fd, const ModelShape& shape, std::uint32_t gpu_layers,
                              const std::string& label) {
  const int own = ::dup(fd);
  const std::unique_ptr<std::FILE, CloseFile> file(own < 0 ? nullptr : ::fdopen(own, "r+b"));
  if (!file) return fail(from_errno(errno, "reserving memory for the model"));
  if (std::fseek(file.get(), 0, SEEK_SET) != 0)
    return fail(from_errno(errno, "reading the model's memory"));
  const LoadOptions options(shape, gpu_layers);
  forget_complaint();
  ModelHandle model(llama_model_load_from_file_ptr(file.get(), options.params()));
  if (model) return model;
  return fail(ErrorCode::kUnsupported, with_complaint("llama.cpp refuses " + label));
}

Result<ModelHandle> load_weights_file(const std::filesystem::path& file, const ModelShape& shape,
                                      std::uint32_t gpu_layers) {
  const auto facts = read_gguf_facts(file);
  if (!facts) return fail(facts.error());
  const LoadOptions options(shape, gpu_layers);
  llama_model_params params = options.params();
  params.check_tensors = true;
  forget_complaint();
  ModelHandle model(llama_model_load_from_file(file.c_str(), params));
  if (!model) {
    return fail(ErrorCode::kCorrupt, with_complaint("llama.cpp refuses " + file.string()));
  }
  const std::int32_t tokens = llama_vocab_n_tokens(llama_model_get_vocab(model.get()));
  const ModelShape& found = facts->shape;
  if (tokens < 0 || static_cast<std::uint32_t>(tokens) != shape.vocabulary ||
      found.architecture->gguf != shape.architecture->gguf || found.hidden != shape.hidden ||
      found.layers != shape.layers || found.heads != shape.heads ||
      found.kv_heads != shape.kv_heads || found.head_size != shape.head_size) {
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
  const std::uint32_t most = shape.longest();
  if (asked <= most) return asked > 0 ? asked : most;
  const bool window = most == shape.sliding_window;
  return fail(ErrorCode::kInvalidArgument,
              "a context of " + std::to_string(asked) + " tokens is longer than the model's " +
                  (window                 ? "sliding window, "
                   : most < shape.context ? "original_max_position_embeddings, "
                                          : "max_position_embeddings, ") +
                  std::to_string(most));
}

unsigned thread_count(unsigned asked, std::uint64_t parameters) {
  if (asked > 0) return asked;
  return parameters < kSmallModel ? 1 : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace crucible::engine
