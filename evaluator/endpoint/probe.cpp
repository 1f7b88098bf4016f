#include "evaluator/endpoint/probe.hpp"

#include <algorithm>
#include <cmath>

#include "evaluator/endpoint/wire.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::endpoint {
namespace {

constexpr std::string_view kFirstHalf = "The quick brown fox jumps over the lazy dog.";
constexpr std::string_view kPrompt =
    "The quick brown fox jumps over the lazy dog. One, two, three, four.";
// Half-precision servers differ by this much between batches.
constexpr double kAbsolute = 0.1;
constexpr double kRelative = 0.05;
constexpr std::uint64_t kMostTokens = 200;

// Errors that say something about the connection or the account, not about what is offered.
bool is_fatal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kPermission:
    case ErrorCode::kCancelled:
    case ErrorCode::kNoSpace:
    case ErrorCode::kDeadline:
    case ErrorCode::kIo:
      return true;
    default:
      return false;
  }
}

Query completion(const EndpointClient& client, const std::string& model, const Json& prompt,
                 bool echo) {
  Json body = {
      {"model", model}, {"prompt", prompt}, {"max_tokens", 1}, {"temperature", 0}, {"seed", 1234}};
  if (echo) {
    body["logprobs"] = 1;
    body["echo"] = true;
  }
  return {client.url().path + "/completions", std::move(body), {kMostTokens, 1}, false};
}

Query conversation(const EndpointClient& client, const std::string& model) {
  return {client.url().path + "/chat/completions",
          {{"model", model},
           {"messages", Json::array({{{"role", "user"}, {"content", "Say yes."}}})},
           {"max_tokens", 1},
           {"temperature", 0},
           {"seed", 1234}},
          {kMostTokens, 1},
          false};
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \n\t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \n\t") - begin + 1);
}

// What is wrong with the log-probabilities of a prompt, "" if nothing. `expected` = 0: not known.
std::string fault_of(const WireChoice& choice, std::size_t expected, std::string_view prompt) {
  const auto& tokens = choice.tokens;
  if (tokens.empty()) return "it gives no log-probabilities";
  if (expected > 0 && tokens.size() != expected && tokens.size() != expected + 1) {
    return "it gives " + std::to_string(tokens.size()) + " log-probabilities for a prompt of " +
           std::to_string(expected) + " tokens";
  }
  if (choice.text.find(trimmed(prompt)) == std::string::npos) {
    return expected > 0 && !trimmed(choice.text).empty() && tokens.size() >= expected
               ? "the prompt comes back as other text: the tokenizer is not the model's"
               : "it does not repeat the prompt";
  }
  if (tokens.size() < 4) return "it gives too few log-probabilities";
  if (tokens.front().logprob) return "it gives the first token a log-probability";
  const std::size_t size = expected > 0 ? expected : tokens.size() - 1;
  bool all_zero = true;
  bool all_equal = true;
  for (std::size_t i = 1; i < size; ++i) {
    if (!tokens[i].logprob) return "it leaves out log-probabilities of the prompt";
    if (!tokens[i].best) return "it does not say which token was the most probable";
    all_zero = all_zero && std::abs(*tokens[i].logprob) < 1e-9;
    all_equal = all_equal && *tokens[i].logprob == *tokens[1].logprob;
  }
  if (all_zero) return "all its log-probabilities are zero";
  if (all_equal) return "all its log-probabilities are equal";
  return "";
}

// The same tokens in the same place must get the same numbers whatever follows.
std::string difference(const WireChoice& part, const WireChoice& whole, std::size_t part_tokens) {
  const std::size_t common = part_tokens > 0 ? part_tokens : part.tokens.size() - 1;
  double sum_part = 0;
  double sum_whole = 0;
  for (std::size_t i = 1; i < std::min(common, whole.tokens.size()); ++i) {
    if (part_tokens == 0 && part.tokens[i].text != whole.tokens[i].text) break;
    const double a = part.tokens[i].logprob.value_or(0);
    const double b = whole.tokens[i].logprob.value_or(0);
    if (std::abs(a - b) > kAbsolute + kRelative * std::abs(a)) {
      return "the same prompt gets other log-probabilities when more text follows it";
    }
    sum_part += a;
    sum_whole += b;
  }
  if (sum_part == 0 && sum_whole == 0) return "its log-probabilities cannot be compared";
  return "";
}

class Prober {
 public:
  Prober(EndpointClient& client, const std::string& model, const tokenizer::TextCodec* codec,
         const std::stop_token& stop)
      : client_(client), model_(model), codec_(codec), stop_(stop) {}

  // Whether the query is answered with a choice; an error only where is_fatal says so.
  Result<bool> answers(const Query& query, std::string& why) {
    const auto answer = client_.ask(query, stop_);
    if (!answer) {
      if (is_fatal(answer.error())) return fail(answer.error());
      why = answer.error().message;
      return false;
    }
    const auto choices = read_choices(*answer, 1);
    if (!choices) why = choices.error().message;
    return choices.has_value();
  }

  // "" when the endpoint gives log-probabilities of prompts, else why not.
  Result<std::string> check_logprobs(std::vector<double>& logprobs) {
    Json whole = std::string(kPrompt);
    Json part = std::string(kFirstHalf);
    std::size_t whole_tokens = 0;
    std::size_t part_tokens = 0;
    if (codec_ != nullptr) {
      const auto ids = codec_->encode(kPrompt, false);
      if (!ids) return fail(ids.error());
      if (ids->size() < 6) return std::string("the tokenizer makes too few tokens of a sentence");
      part_tokens = ids->size() / 2;
      whole_tokens = ids->size();
      whole = *ids;
      part = std::vector<std::int32_t>(ids->begin(),
                                       ids->begin() + static_cast<std::ptrdiff_t>(part_tokens));
    }
    std::string why;
    const auto of_whole = ask_echo(whole, why);
    if (!of_whole || !why.empty())
      return of_whole ? why : Result<std::string>(fail(of_whole.error()));
    if (why = fault_of(*of_whole, whole_tokens, kPrompt); !why.empty()) return why;
    const auto of_part = ask_echo(part, why);
    if (!of_part || !why.empty()) return of_part ? why : Result<std::string>(fail(of_part.error()));
    if (part_tokens > 0 && of_part->tokens.size() < part_tokens) {
      return std::string("it gives too few log-probabilities");
    }
    for (const WireToken& token : of_whole->tokens) {
      if (token.logprob) logprobs.push_back(*token.logprob);
    }
    return difference(*of_part, *of_whole, part_tokens);
  }

 private:
  Result<WireChoice> ask_echo(const Json& prompt, std::string& why) {
    const auto answer = client_.ask(completion(client_, model_, prompt, true), stop_);
    if (!answer) {
      if (is_fatal(answer.error())) return fail(answer.error());
      why = "it refuses echo with log-probabilities: " + answer.error().message;
      return WireChoice();
    }
    auto choices = read_choices(*answer, 1);
    if (!choices) {
      why = choices.error().message;
      return WireChoice();
    }
    return std::move(choices->front());
  }

  EndpointClient& client_;
  const std::string& model_;
  const tokenizer::TextCodec* codec_;
  const std::stop_token& stop_;
};

std::uint32_t length_in(const Json& entry, const char* key) {
  if (!entry.is_object() || !entry.contains(key) || !entry[key].is_number_unsigned()) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(entry[key].get<std::uint64_t>(), 1U << 30U));
}

ServedModel read_entry(const Json& entry) {
  ServedModel model;
  if (entry.is_object() && entry.contains("id") && entry["id"].is_string()) {
    model.name = entry["id"].get<std::string>();
  }
  model.context_length = length_in(entry, "max_model_len");  // vLLM, SGLang
  if (model.context_length == 0 && entry.is_object() && entry.contains("meta")) {
    model.context_length = length_in(entry["meta"], "n_ctx_train");  // llama-server
  }
  model.is_vllm = entry.is_object() && entry.value("owned_by", Json()) == "vllm";
  return model;
}

}  // namespace

Result<ServedModel> find_model(EndpointClient& client, const std::string& wanted,
                               const std::stop_token& stop) {
  const auto answer = client.ask({client.url().path + "/models", Json(), {}}, stop);
  if (!answer && (is_fatal(answer.error()) || answer.error().code == ErrorCode::kUnavailable)) {
    return fail(answer.error());
  }
  std::vector<ServedModel> served;
  if (answer && answer->is_object() && answer->contains("data") && (*answer)["data"].is_array()) {
    for (const Json& entry : (*answer)["data"]) served.push_back(read_entry(entry));
  }
  if (served.empty() && !wanted.empty()) return ServedModel{wanted, 0, false};
  std::string names;
  for (const ServedModel& model : served) {
    if (model.name == wanted) return model;
    names += (names.empty() ? "" : ", ") + recipe::printable(model.name);
  }
  if (wanted.empty() && served.size() == 1) return served.front();
  return fail(ErrorCode::kInvalidArgument,
              client.url().text() +
                  (wanted.empty() ? " needs the model's name (--model-name)"
                                  : " serves no model `" + recipe::printable(wanted) + "`") +
                  (names.empty() ? "" : "; it has " + recipe::printable(names, 300)));
}

Result<ProbeReport> probe(EndpointClient& client, Protocol protocol, const std::string& model_name,
                          const tokenizer::TextCodec* codec, const std::stop_token& stop) {
  ProbeReport report;
  Prober prober(client, model_name, codec, stop);
  std::string no_completions = "not asked";
  std::string no_chat = "not asked";
  if (protocol != Protocol::kChat) {
    const Json prompt = std::string(kPrompt);
    const auto answers =
        prober.answers(completion(client, model_name, prompt, false), no_completions);
    if (!answers) return fail(answers.error());
    report.completions = *answers;
  }
  if (protocol != Protocol::kCompletions) {
    const auto answers = prober.answers(conversation(client, model_name), no_chat);
    if (!answers) return fail(answers.error());
    report.chat = *answers;
  }
  if (!report.completions && !report.chat) {
    return fail(ErrorCode::kUnsupported, "the endpoint answers neither completions (" +
                                             no_completions + ") nor chat (" + no_chat + ")");
  }
  report.why_no_logprobs = "it has conversations only";
  if (report.completions) {
    auto why = prober.check_logprobs(report.logprobs);
    if (!why) return fail(std::move(why.error()));
    report.why_no_logprobs = std::move(*why);
    report.prompt_logprobs = report.why_no_logprobs.empty();
  }
  return report;
}

}  // namespace crucible::endpoint
