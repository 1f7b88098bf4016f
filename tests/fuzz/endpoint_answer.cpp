#include <cmath>

#include "evaluator/endpoint/retry.hpp"
#include "evaluator/endpoint/url.hpp"
#include "evaluator/endpoint/wire.hpp"
#include "tests/fuzz/input.hpp"

namespace {

using namespace crucible;

// A log-probability that is let through is one, but for what rounding adds.
void read_answer(unsigned count, std::string_view text) {
  const auto json = endpoint::Json::parse(text, nullptr, false);
  const auto choices = endpoint::read_choices(json, count);
  (void)endpoint::read_usage(json);
  if (!fuzz::accepted(choices)) return;
  fuzz::require(choices->size() == count);
  for (const endpoint::WireChoice& choice : *choices) {
    for (const endpoint::WireToken& token : choice.tokens) {
      if (token.logprob) fuzz::require(std::isfinite(*token.logprob) && *token.logprob <= 1e-3);
      if (token.best) fuzz::require(!std::isnan(*token.best));
    }
  }
}

void read_url(std::string_view text) {
  const auto url = endpoint::parse_url(text);
  (void)endpoint::is_private_address(text);
  if (endpoint::is_loopback_address(text)) fuzz::require(endpoint::is_private_address(text));
  if (!fuzz::accepted(url)) return;
  fuzz::require(!url->host.empty() && !url->port.empty() && endpoint::is_url(text));
  const auto again = endpoint::parse_url(url->text());
  fuzz::require(again.has_value() && again->text() == url->text());
}

void read_delay(std::string_view text) {
  const std::chrono::system_clock::time_point now{std::chrono::seconds(1'700'000'000)};
  const auto delay = endpoint::parse_retry_after(text, now);
  if (delay) fuzz::require(delay->count() >= 0);
}

}  // namespace

// What a model's endpoint sends, and how it is named.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (input.choice(4)) {
    case 0:
      read_answer(1, input.rest());
      break;
    case 1:
      read_answer(2, input.rest());
      break;
    case 2:
      read_url(input.rest());
      break;
    default:
      read_delay(input.rest());
  }
  return 0;
}
