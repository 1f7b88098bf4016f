#include "evaluator/engine/opened_model.hpp"

#include <utility>

#include "evaluator/engine/end_of_text.hpp"
#include "evaluator/engine/gguf_codec.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"
#include "llama.h"

namespace crucible::engine {
namespace {

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
    case WeightType::kQ4K:
      return "q4_k";
  }
  return "";
}

Result<std::shared_ptr<llama_model>> load_weights(checkpoint::ModelSource& source,
                                                  const ModelShape& shape,
                                                  const LlamaOptions& options,
                                                  const LoadContext& context) {
  if (!options.weights_file.empty()) {
    return load_weights_file(options.weights_file, shape, options.gpu_layers)
        .map([](ModelHandle&& model) { return std::shared_ptr<llama_model>(std::move(model)); });
  }
  WeightMemory own;
  WeightMemory& memory = context.memory != nullptr ? *context.memory : own;
  return memory.load(source, shape, options.weights, options.gpu_layers, context.progress,
                     context.stop);
}

Result<OpenedModel> open_gguf(const std::filesystem::path& file, const LlamaOptions& options) {
  if (!options.weights_file.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                file.string() + " is a model by itself; weights of another file do not fit it");
  }
  auto facts = read_gguf_facts(file);
  if (!facts) return fail(std::move(facts.error()));
  const auto length = context_length(facts->shape, options.context_length);
  if (!length) return fail(length.error());
  auto codec = open_gguf_codec(file, *facts);
  if (!codec) return fail(std::move(codec.error()));
  auto model = load_weights_file(file, facts->shape, options.gpu_layers);
  if (!model) return fail(std::move(model.error()));
  OpenedModel opened;
  opened.description.engine = engine_name();
  opened.description.architecture = facts->shape.architecture->gguf;
  opened.description.dtype = weights_file_type(model->get());
  opened.description.context_length = *length;
  opened.description.adds_bos = !(*codec)->prefix().empty();
  opened.threads = thread_count(options.threads, llama_model_n_params(model->get()));
  opened.model = std::move(*model);
  opened.codec = std::move(*codec);
  opened.vocabulary = facts->shape.vocabulary;
  opened.end_tokens = opened.codec->ends();
  if (!facts->chat_template.empty()) {
    opened.chat_template = chat::ChatTemplate::compile(
        facts->chat_template,
        {{"bos_token", opened.codec->bos_text()}, {"eos_token", opened.codec->eos_text()}});
  }
  return opened;
}

}  // namespace

Result<OpenedModel> open_model(checkpoint::ModelSource& source, const LlamaOptions& options,
                               const LoadContext& context) {
  const auto shape = read_shape(source);
  if (!shape) return fail(shape.error());
  if (auto fits = check_tensors(source, *shape); !fits) return fail(std::move(fits.error()));
  const auto length = context_length(*shape, options.context_length);
  if (!length) return fail(length.error());
  auto tokenizer =
      tokenizer::Tokenizer::load(source.documents(), source.config(), shape->vocabulary);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  auto model = load_weights(source, *shape, options, context);
  if (!model) return fail(std::move(model.error()));
  OpenedModel opened;
  opened.description.engine = engine_name();
  opened.description.architecture = model_type(*shape);
  opened.description.dtype = options.weights_file.empty() ? std::string(dtype_name(options.weights))
                                                          : weights_file_type(model->get());
  opened.description.context_length = *length;
  opened.description.adds_bos = !tokenizer->prefix().empty();
  opened.model = std::move(*model);
  opened.codec = std::make_unique<tokenizer::Tokenizer>(std::move(*tokenizer));
  opened.vocabulary = shape->vocabulary;
  opened.threads = thread_count(options.threads, source.parameter_count());
  opened.end_tokens = end_of_text_ids(source.documents(), source.config(), *opened.codec);
  opened.chat_template = chat::ChatTemplate::load(source.documents());
  return opened;
}

Result<OpenedModel> open_model(const std::filesystem::path& path, const LlamaOptions& options) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  if (path.extension() == ".gguf" && !folder) return open_gguf(path, options);
  auto source = checkpoint::StoredModel::open(path);
  if (!source) return fail(std::move(source.error()));
  return open_model(*source, options, {});
}

}  // namespace crucible::engine
