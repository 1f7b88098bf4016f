#include "server/evalserver/request.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "merger/recipe/text.hpp"

namespace crucible::server::evalserver {
namespace {

// Fields that would change the answer, with the value at which they do nothing.
const std::array<std::pair<const char*, Json>, 14> kNotOffered = {{
    {"stream", false},
    {"best_of", 1},
    {"suffix", ""},
    {"logit_bias", Json::object()},
    {"presence_penalty", 0},
    {"frequency_penalty", 0},
    {"repetition_penalty", 1},
    {"min_p", 0},
    {"tools", Json::array()},
    {"functions", Json::array()},
    {"response_format", {{"type", "text"}}},
    {"guided_json", nullptr},
    {"guided_regex", nullptr},
    {"ignore_eos", false},
}};

// Reads fields of one object and gathers what is wrong with them.
class Reader {
 public:
  explicit Reader(const Json& body) : body_(body) {}

  const Json* find(const char* key) const {
    const auto found = body_.find(key);
    return found == body_.end() || found->is_null() ? nullptr : &*found;
  }
  void fault(const std::string& path, std::string message) {
    faults_.push_back({path, std::move(message), ""});
  }

  std::string text(const char* key) {
    const Json* value = find(key);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    fault(key, "must be text");
    return {};
  }
  bool flag(const char* key, bool otherwise) {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    fault(key, "must be true or false");
    return otherwise;
  }
  std::optional<std::uint64_t> count(const char* key, std::uint64_t most) {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() <= most) {
      return value->get<std::uint64_t>();
    }
    fault(key, "must be a whole number from 0 to " + std::to_string(most));
    return std::nullopt;
  }
  double number(const char* key, double otherwise, double least, double most) {
    const Json* value = find(key);
    if (value == nullptr) return otherwise;
    if (value->is_number()) {
      const double number = value->get<double>();
      if (std::isfinite(number) && number >= least && number <= most) return number;
    }
    fault(key, "must be a number from " + recipe::number_text(least) + " to " +
                   recipe::number_text(most));
    return otherwise;
  }

  void refuse_not_offered() {
    for (const auto& [key, neutral] : kNotOffered) {
      const Json* value = find(key);
      if (value == nullptr || *value == neutral) continue;
      const bool empty = value->is_structured() && value->empty();
      if (empty) continue;
      fault(key, "is not offered by this server; leave it out");
      unsupported_ = true;
    }
  }

  Status status() {
    if (faults_.empty()) return {};
    std::string message = "the request cannot be answered: ";
    for (std::size_t i = 0; i < faults_.size(); ++i) {
      message += (i == 0 ? "" : "; ") + faults_[i].path + " " + faults_[i].message;
    }
    return fail(Error{unsupported_ ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument,
                      std::move(message), faults_});
  }

 private:
  const Json& body_;
  std::vector<Fault> faults_;
  bool unsupported_ = false;
};

std::vector<std::string> read_stops(Reader& reader) {
  const Json* value = reader.find("stop");
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  std::vector<std::string> stops;
  bool good = value->is_array() && value->size() <= kMostStops;
  if (good) {
    for (const Json& one : *value) {
      good = good && one.is_string();
      if (good) stops.push_back(one.get<std::string>());
    }
  }
  if (!good) {
    reader.fault("stop", "must be text or a list of at most " + std::to_string(kMostStops));
  }
  return stops;
}

Sampling read_sampling(Reader& reader, const char* max_tokens_key) {
  Sampling sampling;
  engine::GenerationSettings& settings = sampling.settings;
  settings.until = read_stops(reader);
  settings.temperature = reader.number("temperature", 1.0, 0.0, 1000.0);
  settings.top_p = reader.number("top_p", 1.0, 0.0, 1.0);
  if (settings.top_p == 0) reader.fault("top_p", "must be above 0");
  settings.do_sample = settings.temperature > 0;
  const Json* top_k = reader.find("top_k");
  if (top_k != nullptr && *top_k != Json(-1)) {
    settings.top_k = static_cast<std::uint32_t>(
        reader.count("top_k", std::numeric_limits<std::int32_t>::max()).value_or(0));
  }
  if (const Json* seed = reader.find("seed")) {
    if (seed->is_number_integer()) {
      settings.seed = static_cast<std::uint64_t>(seed->get<std::int64_t>());
    } else {
      reader.fault("seed", "must be a whole number");
    }
  }
  constexpr std::uint64_t kMostTokens = 1U << 24U;
  if (const auto most = reader.count(max_tokens_key, kMostTokens)) {
    sampling.max_tokens = static_cast<std::uint32_t>(*most);
  }
  if (const auto n = reader.count("n", kMostChoices)) {
    sampling.n = static_cast<std::uint32_t>(*n);
    if (*n == 0) reader.fault("n", "must be at least 1");
  }
  reader.refuse_not_offered();
  return sampling;
}

bool is_ids(const Json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const Json& id) {
           return id.is_number_unsigned() &&
                  id.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max();
         });
}

// Text, a list of texts, ids, or a list of lists of ids.
void read_prompts(Reader& reader, CompletionRequest& request) {
  const Json* prompt = reader.find("prompt");
  if (prompt == nullptr) return reader.fault("prompt", "is missing");
  const auto add = [&](const Json& one) {
    if (one.is_string()) {
      request.prompts.emplace_back(one.get<std::string>());
    } else if (is_ids(one)) {
      request.prompts.emplace_back(one.get<std::vector<engine::TokenId>>());
    } else {
      return false;
    }
    return true;
  };
  if (add(*prompt)) return;
  bool good = prompt->is_array() && !prompt->empty() && prompt->size() <= kMostPrompts;
  if (good) {
    for (const Json& one : *prompt) good = good && add(one);
  }
  if (!good) {
    reader.fault("prompt", "must be text, token ids, or a list of at most " +
                               std::to_string(kMostPrompts) + " of either, none of them empty");
  }
}

Status check_object(const Json& body) {
  if (body.is_object()) return {};
  return fail(ErrorCode::kInvalidArgument, "the body must be a JSON object");
}

// A message's content: text, or parts of which each is text.
std::optional<std::string> read_content(const Json& content) {
  if (content.is_string()) return content.get<std::string>();
  if (content.is_null()) return std::string();
  if (!content.is_array()) return std::nullopt;
  std::string text;
  for (const Json& part : content) {
    if (!part.is_object() || part.value("type", Json()) != "text" || !part.contains("text") ||
        !part["text"].is_string()) {
      return std::nullopt;
    }
    text += part["text"].get<std::string>();
  }
  return text;
}

}  // namespace

Result<CompletionRequest> read_completion(const Json& body) {
  if (auto object = check_object(body); !object) return fail(std::move(object.error()));
  Reader reader(body);
  CompletionRequest request;
  request.model = reader.text("model");
  read_prompts(reader, request);
  request.add_special_tokens = reader.flag("add_special_tokens", true);
  request.echo = reader.flag("echo", false);
  if (const auto logprobs = reader.count("logprobs", kMostLogprobs)) {
    request.logprobs = static_cast<std::uint32_t>(*logprobs);
  }
  request.sampling = read_sampling(reader, "max_tokens");
  if (request.prompts.size() * request.sampling.n > kMostPrompts) {
    reader.fault("n", "times the prompts may be at most " + std::to_string(kMostPrompts));
  }
  if (auto status = reader.status(); !status) return fail(std::move(status.error()));
  return request;
}

Result<std::vector<engine::ChatMessage>> read_messages(const Json& messages) {
  std::vector<engine::ChatMessage> out;
  const auto wrong = [&](const std::string& why) {
    return fail(ErrorCode::kInvalidArgument, "messages[" + std::to_string(out.size()) + "] " + why);
  };
  if (!messages.is_array() || messages.empty() || messages.size() > kMostPrompts) {
    return fail(ErrorCode::kInvalidArgument, "messages must be a list that is not empty");
  }
  for (const Json& message : messages) {
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string()) {
      return wrong("must have a role");
    }
    const auto content = read_content(message.value("content", Json()));
    if (!content) return wrong("must have text as its content; images and the like are not read");
    out.push_back({message["role"].get<std::string>(), *content});
  }
  return out;
}

Result<ChatRequest> read_chat(const Json& body) {
  if (auto object = check_object(body); !object) return fail(std::move(object.error()));
  Reader reader(body);
  ChatRequest request;
  request.model = reader.text("model");
  if (const Json* messages = reader.find("messages")) {
    auto read = read_messages(*messages);
    if (!read) return fail(std::move(read.error()));
    request.messages = std::move(*read);
  } else {
    reader.fault("messages", "is missing");
  }
  if (reader.flag("logprobs", false)) {
    request.logprobs =
        static_cast<std::uint32_t>(reader.count("top_logprobs", kMostLogprobs).value_or(0));
  }
  const char* key =
      reader.find("max_completion_tokens") != nullptr ? "max_completion_tokens" : "max_tokens";
  request.sampling = read_sampling(reader, key);
  if (auto status = reader.status(); !status) return fail(std::move(status.error()));
  return request;
}

}  // namespace crucible::server::evalserver
