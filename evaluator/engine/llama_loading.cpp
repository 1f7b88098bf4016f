#include "evaluator/engine/llama_loading.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "evaluator/engine/gguf_export.hpp"
#include "evaluator/engine/gguf_file.hpp"
#include "evaluator/engine/load_options.hpp"
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
