#include "evaluator/endpoint/wire.hpp"

#include <algorithm>
#include <cmath>

namespace crucible::endpoint {
namespace {

constexpr double kRounding = 1e-3;  // log-probabilities computed in half precision can be above 0

tl::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, "the endpoint's answer " + std::move(message));
}

const Json* member(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string string_at(const Json& object, const char* key) {
  const Json* value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

Result<std::optional<double>> read_logprob(const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_number()) return corrupt("has a log-probability that is no number");
  const double logprob = value.get<double>();
  if (!std::isfinite(logprob)) return corrupt("has a log-probability that is not finite");
  if (logprob > kRounding) return corrupt("has a positive log-probability");
  return logprob;
}

void raise(std::optional<double>& best, const std::optional<double>& value) {
  if (value && (!best || *value > *best)) best = value;
}

// {"token text": logprob, …} or [{"token": …, "logprob": …}, …].
Result<std::optional<double>> read_best(const Json& top) {
  std::optional<double> best;
  if (!top.is_structured()) return best;
  for (const auto& entry : top) {
    const Json* nested = member(entry, "logprob");
    auto value = read_logprob(nested != nullptr ? *nested : entry);
    if (!value) return fail(std::move(value.error()));
    raise(best, *value);
  }
  return best;
}

Result<std::vector<WireToken>> read_content(const Json& content) {
  std::vector<WireToken> tokens;
  for (const Json& entry : content) {
    if (!entry.is_object()) return corrupt("has a logprobs.content entry that is no object");
    WireToken token;
    token.text = string_at(entry, "token");
    auto value = read_logprob(entry.value("logprob", Json()));
    if (!value) return fail(std::move(value.error()));
    token.logprob = *value;
    if (const Json* top = member(entry, "top_logprobs")) {
      auto best = read_best(*top);
      if (!best) return fail(std::move(best.error()));
      token.best = *best;
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Result<std::vector<WireToken>> read_legacy(const Json& logprobs) {
  const Json& values = logprobs.at("token_logprobs");
  const Json* texts = member(logprobs, "tokens");
  const Json* tops = member(logprobs, "top_logprobs");
  std::vector<WireToken> tokens(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto value = read_logprob(values[i]);
    if (!value) return fail(std::move(value.error()));
    tokens[i].logprob = *value;
    if (texts != nullptr && texts->is_array() && i < texts->size() && (*texts)[i].is_string()) {
      tokens[i].text = (*texts)[i].get<std::string>();
    }
    if (tops != nullptr && tops->is_array() && i < tops->size()) {
      auto best = read_best((*tops)[i]);
      if (!best) return fail(std::move(best.error()));
      tokens[i].best = *best;
    }
  }
  return tokens;
}

Result<std::vector<WireToken>> read_tokens(const Json& choice) {
  const Json* logprobs = member(choice, "logprobs");
  if (logprobs == nullptr) return std::vector<WireToken>();
  const Json* values = member(*logprobs, "token_logprobs");
  if (values != nullptr && values->is_array()) return read_legacy(*logprobs);
  const Json* content = member(*logprobs, "content");
  if (content != nullptr && content->is_array()) return read_content(*content);
  return corrupt("has \"logprobs\" of an unknown form");
}

Result<WireChoice> read_choice(const Json& choice) {
  if (!choice.is_object()) return corrupt("has a choice that is no object");
  WireChoice out;
  if (const Json* message = member(choice, "message")) {
    out.text = string_at(*message, "content");
  } else {
    out.text = string_at(choice, "text");
  }
  out.finish_reason = string_at(choice, "finish_reason");
  out.stop_reason = string_at(choice, "stop_reason");
  auto tokens = read_tokens(choice);
  if (!tokens) return fail(std::move(tokens.error()));
  out.tokens = std::move(*tokens);
  return out;
}

std::uint32_t count_at(const Json& usage, const char* key) {
  const Json* value = member(usage, key);
  if (value == nullptr || !value->is_number_unsigned()) return 0;
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value->get<std::uint64_t>(), UINT32_MAX));
}

}  // namespace

Result<std::vector<WireChoice>> read_choices(const Json& answer, std::size_t count) {
  const Json* choices = member(answer, "choices");
  if (choices == nullptr || !choices->is_array()) return corrupt("has no \"choices\"");
  if (choices->size() != count) {
    return corrupt("has " + std::to_string(choices->size()) + " choices, not " +
                   std::to_string(count));
  }
  std::vector<WireChoice> out(count);
  std::vector<bool> seen(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    const Json& choice = (*choices)[i];
    const Json* index = member(choice, "index");
    std::size_t place = i;
    if (index != nullptr && index->is_number_unsigned()) place = index->get<std::size_t>();
    if (place >= count || seen[place]) return corrupt("numbers its choices wrongly");
    seen[place] = true;
    auto read = read_choice(choice);
    if (!read) return fail(std::move(read.error()));
    out[place] = std::move(*read);
  }
  return out;
}

WireUsage read_usage(const Json& answer) {
  const Json* usage = member(answer, "usage");
  if (usage == nullptr) return {};
  return {count_at(*usage, "prompt_tokens"), count_at(*usage, "completion_tokens")};
}

}  // namespace crucible::endpoint
