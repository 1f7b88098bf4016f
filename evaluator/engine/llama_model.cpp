#include "evaluator/engine/llama_model.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "evaluator/engine/batch_plan.hpp"
#include "evaluator/engine/llama_loading.hpp"
#include "evaluator/engine/log_softmax.hpp"
#include "evaluator/engine/model_shape.hpp"
#include "evaluator/engine/request_encoding.hpp"
#include "llama.h"

// ggml ends the process on misuse, so shapes, ids and sizes are checked before they get here.
namespace crucible::engine {
namespace {

constexpr std::uint32_t kMicroBatch = 512;           // tokens of one pass through the graph
constexpr std::uint64_t kLogitBytes = 128ULL << 20;  // of one batch
constexpr std::size_t kLeastOutputs = 32;

bool stop_requested(void* stop) { return static_cast<std::stop_token*>(stop)->stop_requested(); }

tl::unexpected<Error> cancelled() {
  return fail(ErrorCode::kCancelled, "evaluation was cancelled");
}

// A llama_batch that points into vectors of its own.
class BatchArrays {
 public:
  explicit BatchArrays(const std::vector<BatchToken>& tokens) {
    std::int32_t most = 1;
    for (const BatchToken& token : tokens) {
      most = std::max(most, token.first_sequence + token.sequences);
    }
    for (std::int32_t i = 0; i < most; ++i) sequences_.push_back(i);
    for (const BatchToken& token : tokens) {
      ids_.push_back(token.token);
      positions_.push_back(token.position);
      counts_.push_back(token.sequences);
      firsts_.push_back(sequences_.data() + token.first_sequence);
      logits_.push_back(token.wants_logits ? 1 : 0);
    }
    firsts_.push_back(nullptr);
  }
  llama_batch view() {
    return {static_cast<std::int32_t>(ids_.size()),
            ids_.data(),
            nullptr,
            positions_.data(),
            counts_.data(),
            firsts_.data(),
            logits_.data()};
  }

 private:
  std::vector<llama_seq_id> sequences_;  // 0, 1, 2, …: every token's sequences are a range of it
  std::vector<llama_token> ids_;
  std::vector<llama_pos> positions_;
  std::vector<std::int32_t> counts_;
  std::vector<llama_seq_id*> firsts_;
  std::vector<std::int8_t> logits_;
};

// Leaves in memory what the batch keeps of the one before, as the beginning of all its sequences.
void prepare_memory(llama_context* context, const Batch& batch) {
  const llama_memory_t memory = llama_get_memory(context);
  if (batch.kept == 0) {
    llama_memory_clear(memory, false);
    return;
  }
  llama_memory_seq_keep(memory, batch.kept_sequence);
  llama_memory_seq_rm(memory, batch.kept_sequence, static_cast<llama_pos>(batch.kept), -1);
  for (std::int32_t sequence = 0; sequence < batch.sequences; ++sequence) {
    if (sequence != batch.kept_sequence) {
      llama_memory_seq_cp(memory, batch.kept_sequence, sequence, -1, -1);
    }
  }
  if (batch.kept_sequence >= batch.sequences) {
    llama_memory_seq_rm(memory, batch.kept_sequence, -1, -1);
  }
}

// What a context must hold to compute every batch of a plan.
struct Capacity {
  std::size_t cells = kMicroBatch;
  std::size_t tokens = kMicroBatch;
  std::size_t outputs = 1;
  std::size_t sequences = 1;
};

Capacity capacity_of(const std::vector<Batch>& batches) {
  Capacity need;
  for (const Batch& batch : batches) {
    std::size_t outputs = 0;
    for (const BatchToken& token : batch.tokens) outputs += token.wants_logits ? 1 : 0;
    need.cells = std::max(need.cells, batch.kept + batch.tokens.size());
    need.tokens = std::max(need.tokens, batch.tokens.size());
    need.outputs = std::max(need.outputs, outputs);
    need.sequences = std::max(need.sequences, static_cast<std::size_t>(batch.sequences));
  }
  need.outputs = std::max(need.outputs, need.sequences);
  return need;
}

class LlamaModel final : public LanguageModel {
 public:
  LlamaModel(ModelHandle model, tokenizer::Tokenizer tokenizer, ModelDescription description,
             const LlamaOptions& options, std::uint32_t vocabulary)
      : model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        description_(std::move(description)),
        options_(options),
        vocabulary_(vocabulary) {}

  const ModelDescription& description() const override { return description_; }

  Result<std::vector<LoglikelihoodResult>> loglikelihood(
      std::span<const LoglikelihoodRequest> requests, const ProgressSink& progress,
      std::stop_token stop) override {
    if (stop.stop_requested()) return cancelled();
    if (requests.empty()) return std::vector<LoglikelihoodResult>();
    const auto encoded =
        encode_requests(tokenizer_, options_.bos, description_.context_length, requests);
    if (!encoded) return fail(encoded.error());
    const auto batches = plan_batches(*encoded, limits(), options_.share_prefixes);
    const auto context = make_context(capacity_of(batches), stop);
    if (!context) return fail(context.error());
    std::vector<LoglikelihoodResult> results(requests.size());
    std::uint64_t done = 0;
    for (const Batch& batch : batches) {
      if (auto computed = compute(context->get(), batch, stop); !computed) {
        return fail(std::move(computed.error()));
      }
      if (auto read = read_scores(context->get(), batch, *encoded, results); !read) {
        return fail(std::move(read.error()));
      }
      done += batch.requests.size();
      if (progress) progress({"evaluate", done, requests.size(), "requests"});
    }
    return results;
  }

 private:
  PlanLimits limits() const {
    PlanLimits limits;
    limits.outputs =
        std::clamp<std::size_t>(kLogitBytes / (4ULL * vocabulary_), kLeastOutputs, limits.outputs);
    limits.sequences = std::min(limits.outputs, llama_max_parallel_sequences());
    return limits;
  }

  // `stop` must outlive the context.
  Result<ContextHandle> make_context(const Capacity& need, std::stop_token& stop) const {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(need.cells);
    params.n_batch = static_cast<std::uint32_t>(need.tokens);
    params.n_ubatch = kMicroBatch;
    params.n_seq_max = static_cast<std::uint32_t>(need.sequences);
    params.n_outputs_max = static_cast<std::uint32_t>(need.outputs);
    params.kv_unified = true;
    params.type_k = GGML_TYPE_F32;
    params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.no_perf = true;
    params.n_threads = static_cast<std::int32_t>(options_.threads);
    params.n_threads_batch = params.n_threads;
    params.abort_callback = stop_requested;
    params.abort_callback_data = &stop;
    forget_complaint();
    ContextHandle context(llama_init_from_model(model_.get(), params));
    if (!context) {
      return fail(ErrorCode::kIo, with_complaint("llama.cpp cannot prepare the computation"));
    }
    return context;
  }

  static Status compute(llama_context* context, const Batch& batch, const std::stop_token& stop) {
    if (stop.stop_requested()) return cancelled();
    prepare_memory(context, batch);
    BatchArrays arrays(batch.tokens);
    forget_complaint();
    const std::int32_t code = llama_decode(context, arrays.view());
    if (code == 0) return {};
    if (stop.stop_requested()) return cancelled();
    return fail(ErrorCode::kInternal,
                with_complaint("llama_decode failed with " + std::to_string(code)));
  }

  Status read_scores(llama_context* context, const Batch& batch,
                     const std::vector<EncodedRequest>& encoded,
                     std::vector<LoglikelihoodResult>& results) const {
    for (const BatchRequest& request : batch.requests) {
      LoglikelihoodResult& result = results[request.request];
      result.truncated = encoded[request.request].truncated;
      result.encoded_apart = encoded[request.request].encoded_apart;
      result.tokens = static_cast<std::uint32_t>(request.scored.size());
      result.is_greedy = true;
      for (const ScoredToken& token : request.scored) {
        const float* logits = llama_get_logits_ith(context, static_cast<std::int32_t>(token.index));
        if (logits == nullptr) return fail(ErrorCode::kInternal, "llama.cpp gave no logits");
        const auto score = score_token(std::span(logits, vocabulary_), token.target);
        if (!score) {
          return fail(ErrorCode::kCorrupt, "the model yields NaN or infinite logits (request " +
                                               std::to_string(request.request) + ")");
        }
        result.sum_logprob += score->logprob;
        result.is_greedy = result.is_greedy && score->is_argmax;
      }
    }
    return {};
  }

  ModelHandle model_;
  tokenizer::Tokenizer tokenizer_;
  ModelDescription description_;
  LlamaOptions options_;
  std::uint32_t vocabulary_;
};

std::string_view dtype_name(WeightType weights) {
  switch (weights) {
    case WeightType::kF32:
      return "f32";
    case WeightType::kBF16:
      return "bf16";
    case WeightType::kF16:
      return "f16";
    case WeightType::kQ8_0:
      return "q8_0";
  }
  return "";
}

}  // namespace

Result<std::unique_ptr<LanguageModel>> load_llama_model(const std::filesystem::path& folder,
                                                        const LlamaOptions& options) {
  const auto checkpoint = checkpoint::Checkpoint::open(folder);
  if (!checkpoint) return fail(checkpoint.error());
  const auto shape = read_shape(*checkpoint);
  if (!shape) return fail(shape.error());
  if (auto fits = check_tensors(*checkpoint, *shape); !fits) return fail(std::move(fits.error()));
  const auto length = context_length(*shape, options.context_length);
  if (!length) return fail(length.error());
  auto tokenizer = tokenizer::Tokenizer::load(*checkpoint, shape->vocabulary);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  const bool from_file = !options.weights_file.empty();
  auto model = from_file ? load_weights_file(options.weights_file, *shape)
                         : load_weights(*checkpoint, *shape, options.weights);
  if (!model) return fail(std::move(model.error()));
  ModelDescription description;
  description.engine = std::string("llama.cpp ") + llama_version();
  description.architecture = std::string(model_type(shape->family));
  description.dtype =
      from_file ? weights_file_type(model->get()) : std::string(dtype_name(options.weights));
  description.context_length = *length;
  description.adds_bos = options.bos == BosRule::kTokenizer && !tokenizer->prefix().empty();
  LlamaOptions resolved = options;
  resolved.threads = thread_count(options.threads, checkpoint->parameter_count());
  return std::make_unique<LlamaModel>(std::move(*model), std::move(*tokenizer),
                                      std::move(description), resolved, shape->vocabulary);
}

}  // namespace crucible::engine
