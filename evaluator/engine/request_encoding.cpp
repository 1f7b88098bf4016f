#include "evaluator/engine/request_encoding.hpp"

#include <algorithm>
#include <utility>

#include "evaluator/tokenizer/whitespace.hpp"

namespace crucible::engine {
namespace {

using Tokens = std::vector<TokenId>;

struct Split {
  Tokens context;
  Tokens continuation;
  bool encoded_apart = false;
};

void add_prefix(const tokenizer::TextCodec& tokenizer, BosRule bos, const std::string& text,
                Tokens& tokens) {
  if (bos == BosRule::kNever) return;
  const std::string& spelled = tokenizer.bos_text();
  if (!spelled.empty() && text.starts_with(spelled)) return;
  const auto& prefix = tokenizer.prefix();
  tokens.insert(tokens.begin(), prefix.begin(), prefix.end());
}

// What stands for an empty context: BOS, else EOS.
Result<TokenId> start_token(const tokenizer::TextCodec& tokenizer) {
  const auto start = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
  if (start) return *start;
  return fail(ErrorCode::kInvalidArgument,
              "the context is empty and the tokenizer has neither BOS nor EOS to stand for it");
}

Status check_unbounded(const tokenizer::TextCodec& tokenizer, BosRule bos) {
  if (bos == BosRule::kNever || !tokenizer.adds_behind()) return {};
  return fail(ErrorCode::kUnsupported,
              "the tokenizer adds tokens behind a text, which cannot be continued then; "
              "evaluate without its special tokens");
}

class Encoder {
 public:
  Encoder(const tokenizer::TextCodec& tokenizer, BosRule bos, std::uint32_t max_length)
      : tokenizer_(tokenizer), bos_(bos), max_length_(max_length) {}

  Result<EncodedRequest> encode(const LoglikelihoodRequest& request) {
    const std::size_t space = tokenizer::trailing_whitespace(request.context);
    const auto cut = request.context.size() - space;
    const std::string context = request.context.substr(0, cut);
    const std::string continuation = request.context.substr(cut) + request.continuation;
    if (request.continuation.empty()) {
      return fail(ErrorCode::kInvalidArgument, "the continuation is empty");
    }
    auto split =
        context.empty() ? split_without_context(continuation) : split_at(context, continuation);
    if (!split) return fail(std::move(split.error()));
    return cut_to_length(std::move(*split));
  }

 private:
  // The first token stands in for a context: BOS, else EOS. A continuation that begins with that
  // token itself is not given a second one.
  Result<Split> split_without_context(const std::string& continuation) {
    auto tokens = tokenizer_.encode(continuation, false);
    if (!tokens) return fail(std::move(tokens.error()));
    const auto start = start_token(tokenizer_);
    if (!start) return fail(start.error());
    Split split;
    split.context = {*start};
    split.continuation = std::move(*tokens);
    if (split.continuation.size() > 1 && split.continuation.front() == *start) {
      split.continuation.erase(split.continuation.begin());
    }
    return split;
  }

  Result<Split> split_at(const std::string& context, const std::string& continuation) {
    auto own = encode_context(context);
    if (!own) return fail(std::move(own.error()));
    auto whole = tokenizer_.encode(context + continuation, false);
    if (!whole) return fail(std::move(whole.error()));
    Split split;
    const std::size_t length = std::min(own->size(), whole->size());
    split.continuation.assign(whole->begin() + static_cast<std::ptrdiff_t>(length), whole->end());
    if (split.continuation.empty()) {
      auto apart = tokenizer_.encode(continuation, false);
      if (!apart) return fail(std::move(apart.error()));
      split.context = std::move(*own);
      split.continuation = std::move(*apart);
      split.encoded_apart = true;
    } else {
      whole->resize(length);
      split.context = std::move(*whole);
    }
    add_prefix(tokenizer_, bos_, context, split.context);
    return split;
  }

  // Neighbouring requests often have the same context.
  Result<Tokens> encode_context(const std::string& context) {
    if (context != last_context_ || last_tokens_.empty()) {
      auto tokens = tokenizer_.encode(context, false);
      if (!tokens) return fail(std::move(tokens.error()));
      last_context_ = context;
      last_tokens_ = std::move(*tokens);
    }
    return last_tokens_;
  }

  // (context + continuation)[-(max_length + 1):] without the last token.
  Result<EncodedRequest> cut_to_length(Split split) const {
    const std::size_t scored = split.continuation.size();
    if (scored == 0) return fail(ErrorCode::kInvalidArgument, "the continuation has no tokens");
    if (scored > max_length_) {
      return fail(ErrorCode::kInvalidArgument,
                  "the continuation has " + std::to_string(scored) + " tokens, more than the " +
                      std::to_string(max_length_) + " of the model's context");
    }
    EncodedRequest result;
    result.encoded_apart = split.encoded_apart;
    result.input = std::move(split.context);
    result.input.insert(result.input.end(), split.continuation.begin(), split.continuation.end());
    const std::size_t most = std::size_t{max_length_} + 1;
    if (result.input.size() > most) {
      const auto excess = static_cast<std::ptrdiff_t>(result.input.size() - most);
      result.input.erase(result.input.begin(), result.input.begin() + excess);
      result.truncated = true;
    }
    result.input.pop_back();
    result.targets = std::move(split.continuation);
    return result;
  }

  const tokenizer::TextCodec& tokenizer_;
  BosRule bos_;
  std::uint32_t max_length_;
  std::string last_context_;
  Tokens last_tokens_;
};

}  // namespace

Result<std::vector<EncodedRequest>> encode_requests(
    const tokenizer::TextCodec& tokenizer, BosRule bos, std::uint32_t max_length,
    std::span<const LoglikelihoodRequest> requests) {
  if (auto open = check_unbounded(tokenizer, bos); !open) return fail(std::move(open.error()));
  Encoder encoder(tokenizer, bos, max_length);
  std::vector<EncodedRequest> encoded;
  encoded.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto one = encoder.encode(requests[i]);
    if (!one) {
      return fail(std::move(one.error()).with_context("request " + std::to_string(i)));
    }
    encoded.push_back(std::move(*one));
  }
  return encoded;
}

Result<std::vector<TokenId>> encode_prompt(const tokenizer::TextCodec& tokenizer, BosRule bos,
                                           const std::string& text) {
  if (auto open = check_unbounded(tokenizer, bos); !open) return fail(std::move(open.error()));
  auto tokens = tokenizer.encode(text, false);
  if (!tokens) return fail(std::move(tokens.error()));
  add_prefix(tokenizer, bos, text, *tokens);
  if (tokens->empty()) {
    const auto start = start_token(tokenizer);
    if (!start) return fail(start.error());
    tokens->push_back(*start);
  }
  return std::move(*tokens);
}

Result<std::vector<EncodedRequest>> encode_windows(const tokenizer::TextCodec& tokenizer,
                                                   BosRule bos, std::uint32_t max_length,
                                                   const std::string& text) {
  if (auto open = check_unbounded(tokenizer, bos); !open) return fail(std::move(open.error()));
  auto tokens = tokenizer.encode(text, false);
  if (!tokens) return fail(std::move(tokens.error()));
  add_prefix(tokenizer, bos, text, *tokens);
  std::vector<EncodedRequest> windows;
  if (tokens->empty()) return windows;
  const auto start = start_token(tokenizer);
  if (!start) return fail(start.error());
  tokens->insert(tokens->begin(), *start);  // now targets begin at 1
  for (std::size_t done = 1; done < tokens->size();) {
    const std::size_t end = std::min(tokens->size(), done + max_length);
    const std::size_t begin = end - 1 - std::min<std::size_t>(max_length, end - 1);
    const auto at = [&](std::size_t i) { return tokens->begin() + static_cast<std::ptrdiff_t>(i); };
    EncodedRequest window;
    window.input.assign(at(begin), at(end - 1));
    window.targets.assign(at(done), at(end));
    windows.push_back(std::move(window));
    done = end;
  }
  return windows;
}

}  // namespace crucible::engine
