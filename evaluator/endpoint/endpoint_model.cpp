#include "evaluator/endpoint/endpoint_model.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "evaluator/chat/chat_template.hpp"
#include "evaluator/endpoint/endpoint_client.hpp"
#include "evaluator/endpoint/probe.hpp"
#include "evaluator/endpoint/prompt_scorer.hpp"
#include "evaluator/endpoint/remote_codec.hpp"
#include "evaluator/endpoint/wire.hpp"
#include "evaluator/tokenizer/tokenizer.hpp"
#include "evaluator/tokenizer/whitespace.hpp"

namespace crucible::endpoint {
namespace {

using engine::Call;
using engine::GenerationRequest;
using engine::GenerationResult;
using engine::GenerationSettings;

constexpr std::uint32_t kDefaultContext = 2048;  // the harness's for endpoints
constexpr std::uint32_t kLeastContext = 8;
constexpr std::size_t kChatStops = 4;  // more are refused by OpenAI

Json messages_json(std::span<const engine::ChatMessage> messages) {
  Json out = Json::array();
  for (const engine::ChatMessage& message : messages) {
    out.push_back({{"role", message.role}, {"content", message.content}});
  }
  return out;
}

// Cut before the first place of each stop string in turn; whether there was one.
bool cut_at_stops(std::string& text, const std::vector<std::string>& stops) {
  bool cut = false;
  for (const std::string& stop : stops) {
    const std::size_t at = stop.empty() ? std::string::npos : text.find(stop);
    if (at == std::string::npos) continue;
    text.resize(at);
    cut = true;
  }
  return cut;
}

class EndpointModel final : public engine::LanguageModel {
 public:
  EndpointModel(const EndpointOptions& options, std::unique_ptr<EndpointClient> client)
      : options_(options), client_(std::move(client)) {}

  Status connect(const std::stop_token& stop) {
    auto model = find_model(*client_, options_.model_name, stop);
    if (!model) return fail(std::move(model.error()));
    model_ = std::move(*model);
    if (auto found = find_codec(stop); !found) return found;
    auto report = probe(*client_, options_.protocol, model_.name, codec(), stop);
    if (!report) return fail(std::move(report.error()));
    report_ = std::move(*report);
    if (auto known = client_->identify(model_.name, report_.logprobs); !known) return known;
    description_.engine = "endpoint " + client_->url().text();
    description_.architecture = model_.name;
    description_.dtype = "remote";
    description_.context_length = options_.context_length;
    if (description_.context_length == 0) description_.context_length = model_.context_length;
    if (description_.context_length == 0) description_.context_length = kDefaultContext;
    description_.adds_bos = codec() != nullptr && !codec()->prefix().empty();
    if (description_.context_length >= kLeastContext) return {};
    return fail(ErrorCode::kInvalidArgument, "the endpoint's context is too short to be used");
  }

  const engine::ModelDescription& description() const override { return description_; }
  engine::Capabilities capabilities() const override {
    return {report_.prompt_logprobs, true, report_.chat || template_.has_value(),
            report_.why_no_logprobs};
  }
  engine::ComputeAccount account() const override {
    const Usage spent = client_->spent();
    return {spent.prompt_tokens, spent.prompt_tokens, spent.completion_tokens};
  }

  Result<std::vector<engine::LoglikelihoodResult>> loglikelihood(
      std::span<const engine::LoglikelihoodRequest> requests, const Call& call) override {
    if (auto able = check_logprobs(); !able) return fail(std::move(able.error()));
    PromptScorer scorer(*client_, model_.name, options_.batch_size);
    if (codec() == nullptr) return scorer.score_text(requests, call);
    if (auto ready = prefetch(requests, call.stop); !ready) return fail(std::move(ready.error()));
    const auto encoded = engine::encode_requests(*codec(), call.bos, max_length(), requests);
    if (remote_) remote_->forget();
    if (!encoded) return fail(encoded.error());
    const auto scores = scorer.score(*encoded, call);
    if (!scores) return fail(scores.error());
    std::vector<engine::LoglikelihoodResult> results;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const engine::EncodedRequest& one = (*encoded)[i];
      results.push_back({(*scores)[i].sum_logprob, (*scores)[i].is_greedy,
                         static_cast<std::uint32_t>(one.targets.size()), one.truncated,
                         one.encoded_apart});
    }
    return results;
  }

  Result<std::vector<engine::RollingResult>> loglikelihood_rolling(
      std::span<const engine::RollingRequest> requests, const Call& call) override {
    if (auto able = check_logprobs(); !able) return fail(std::move(able.error()));
    if (codec() == nullptr) {
      return fail(ErrorCode::kUnsupported,
                  "the log-probability of a whole text needs the model's tokens; give the folder "
                  "of its tokenizer (--tokenizer)");
    }
    std::vector<engine::EncodedRequest> windows;
    std::vector<std::size_t> owner;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto own = engine::encode_windows(*codec(), call.bos, max_length(), requests[i].text);
      if (!own) return fail(std::move(own.error()).with_context("request " + std::to_string(i)));
      owner.insert(owner.end(), own->size(), i);
      std::move(own->begin(), own->end(), std::back_inserter(windows));
    }
    PromptScorer scorer(*client_, model_.name, options_.batch_size);
    const auto scores = scorer.score(windows, call);
    if (!scores) return fail(scores.error());
    std::vector<engine::RollingResult> results(requests.size());
    for (std::size_t i = 0; i < windows.size(); ++i) {
      engine::RollingResult& result = results[owner[i]];
      result.sum_logprob += (*scores)[i].sum_logprob;
      result.tokens += static_cast<std::uint32_t>(windows[i].targets.size());
      ++result.windows;
    }
    return results;
  }

  Result<std::vector<GenerationResult>> generate(std::span<const GenerationRequest> requests,
                                                 const Call& call) override {
    std::vector<Query> queries;
    std::vector<GenerationResult> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      auto query = generation_query(requests[i], call, results[i]);
      if (!query) {
        return fail(std::move(query.error()).with_context("request " + std::to_string(i)));
      }
      queries.push_back(std::move(*query));
    }
    const auto accept = [&](std::size_t i, const Json& answer) -> Status {
      return read_generation(answer, requests[i].settings, results[i]);
    };
    if (auto asked = client_->ask_all(queries, accept, call); !asked) {
      return fail(std::move(asked.error()));
    }
    return results;
  }

  // Without a known template: the messages as JSON, which only stands for what is sent as messages.
  Result<std::string> apply_chat_template(std::span<const engine::ChatMessage> messages,
                                          bool add_generation_prompt) const override {
    if (template_) {
      return template_->apply(messages, add_generation_prompt, !add_generation_prompt);
    }
    if (!report_.chat) return LanguageModel::apply_chat_template(messages, add_generation_prompt);
    return messages_json(messages).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  std::string chat_template() const override { return template_ ? template_->source() : ""; }

 private:
  const tokenizer::TextCodec* codec() const {
    if (local_) return &*local_;
    return remote_.get();
  }
  // Of context and continuation without its last token: that one and one generated come on top.
  std::uint32_t max_length() const { return description_.context_length - 2; }

  Status find_codec(const std::stop_token& stop) {
    if (!options_.tokenizer.empty()) {
      auto local = tokenizer::Tokenizer::load_folder(options_.tokenizer);
      if (!local) return fail(std::move(local.error()));
      local_.emplace(std::move(*local));
      auto found = chat::ChatTemplate::load_folder(options_.tokenizer);
      if (found) {
        template_.emplace(std::move(*found));
      } else if (found.error().code != ErrorCode::kNotFound) {
        return fail(std::move(found.error()));
      }
      return {};
    }
    if (options_.protocol == Protocol::kChat) return {};
    auto remote = RemoteCodec::open(*client_, model_.name, stop);
    if (remote) {
      remote_ = std::move(*remote);
    } else if (remote.error().code == ErrorCode::kCancelled) {
      return fail(std::move(remote.error()));
    }
    return {};
  }

  Status check_logprobs() const {
    if (report_.prompt_logprobs) return {};
    return fail(ErrorCode::kUnsupported,
                client_->url().text() +
                    " gives no log-probabilities of prompts, so tasks of log-likelihoods would "
                    "score chance: " +
                    report_.why_no_logprobs);
  }

  // The texts that encode_requests asks for.
  Status prefetch(std::span<const engine::LoglikelihoodRequest> requests,
                  const std::stop_token& stop) {
    if (!remote_) return {};
    std::vector<std::string> texts;
    for (const engine::LoglikelihoodRequest& request : requests) {
      const std::size_t cut =
          request.context.size() - tokenizer::trailing_whitespace(request.context);
      if (cut > 0) texts.push_back(request.context.substr(0, cut));
      texts.push_back(request.context + request.continuation);
    }
    return remote_->prefetch(texts, stop);
  }

  bool goes_as_chat(const GenerationRequest& request) const {
    return report_.chat && !request.messages.empty() && !(report_.completions && template_);
  }

  Result<Query> generation_query(const GenerationRequest& request, const Call& call,
                                 GenerationResult& result) const {
    const GenerationSettings& settings = request.settings;
    Query query;
    Json& body = query.body;
    body["model"] = model_.name;
    if (goes_as_chat(request)) {
      query.path = client_->url().path + "/chat/completions";
      body["messages"] = messages_json(request.messages);
      for (const auto& message : request.messages)
        query.most.prompt_tokens += 8 + message.content.size() / 2;
    } else if (report_.completions) {
      query.path = client_->url().path + "/completions";
      if (auto set = set_prompt(request, call, query, result); !set) {
        return fail(std::move(set.error()));
      }
    } else {
      return fail(ErrorCode::kUnsupported,
                  "the endpoint has conversations only; evaluate with its chat template "
                  "(--apply-chat-template)");
    }
    body["max_tokens"] = settings.max_new_tokens;
    query.most.completion_tokens = settings.max_new_tokens;
    set_sampling(settings, request.repeat, body);
    std::vector<std::string> stops = settings.until;
    std::erase(stops, std::string());
    if (goes_as_chat(request)) stops.resize(std::min(stops.size(), kChatStops));
    if (!stops.empty()) body["stop"] = stops;
    return query;
  }

  Status set_prompt(const GenerationRequest& request, const Call& call, Query& query,
                    GenerationResult& result) const {
    if (codec() == nullptr) {
      query.body["prompt"] = request.context;
      query.most.prompt_tokens = request.context.size() / 2 + 8;
      return {};
    }
    auto ids = engine::encode_prompt(*codec(), call.bos, request.context);
    if (!ids) return fail(std::move(ids.error()));
    if (request.settings.max_new_tokens >= description_.context_length) {
      return fail(ErrorCode::kInvalidArgument,
                  "an answer of up to " + std::to_string(request.settings.max_new_tokens) +
                      " tokens leaves no room for a prompt in the endpoint's context of " +
                      std::to_string(description_.context_length));
    }
    const std::size_t most = description_.context_length - request.settings.max_new_tokens;
    if (ids->size() > most) {
      ids->erase(ids->begin(), ids->end() - static_cast<std::ptrdiff_t>(most));
      result.truncated = true;
    }
    query.most.prompt_tokens = ids->size();
    query.body["prompt"] = *ids;
    return {};
  }

  // Every value is sent: servers fill gaps from the model's generation_config.json.
  void set_sampling(const GenerationSettings& settings, std::uint32_t repeat, Json& body) const {
    body["temperature"] = settings.do_sample ? settings.temperature : 0.0;
    body["top_p"] = settings.do_sample ? settings.top_p : 1.0;
    body["seed"] = settings.seed + repeat;
    if (settings.do_sample && settings.top_k > 0) body["top_k"] = settings.top_k;
    if (!model_.is_vllm) return;
    if (!body.contains("top_k")) body["top_k"] = -1;
    body["min_p"] = 0.0;
    body["repetition_penalty"] = 1.0;
  }

  Status read_generation(const Json& answer, const GenerationSettings& settings,
                         GenerationResult& result) const {
    auto choices = read_choices(answer, 1);
    if (!choices) return fail(std::move(choices.error()));
    WireChoice& choice = choices->front();
    const WireUsage usage = read_usage(answer);
    result.prompt_tokens = usage.prompt_tokens;
    result.new_tokens = usage.completion_tokens;
    result.text = std::move(choice.text);
    const bool cut = cut_at_stops(result.text, settings.until);
    if (cut || !choice.stop_reason.empty()) {
      result.stop = engine::StopReason::kStopString;
    } else {
      result.stop = choice.finish_reason == "length" ? engine::StopReason::kLength
                                                     : engine::StopReason::kEndOfText;
    }
    return {};
  }

  EndpointOptions options_;
  std::unique_ptr<EndpointClient> client_;
  ServedModel model_;
  ProbeReport report_;
  engine::ModelDescription description_;
  std::optional<tokenizer::Tokenizer> local_;
  std::unique_ptr<RemoteCodec> remote_;
  std::optional<chat::ChatTemplate> template_;
};

}  // namespace

Result<std::unique_ptr<engine::LanguageModel>> load_endpoint_model(const EndpointOptions& options,
                                                                   const std::stop_token& stop) {
  auto client = EndpointClient::create(options);
  if (!client) return fail(std::move(client.error()));
  auto model = std::make_unique<EndpointModel>(options, std::move(*client));
  if (auto connected = model->connect(stop); !connected) return fail(std::move(connected.error()));
  return model;
}

}  // namespace crucible::endpoint
