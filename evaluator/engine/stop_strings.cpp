#include "evaluator/engine/stop_strings.hpp"

#include <algorithm>
#include <utility>

namespace crucible::engine {
namespace {

// Tokens looked at beyond one a byte: decoders treat the first of a text in their own way.
constexpr std::size_t kMargin = 4;

}  // namespace

StopStrings::StopStrings(const tokenizer::TextCodec& codec, std::vector<std::string> until)
    : codec_(codec), stops_(std::move(until)) {
  std::erase(stops_, std::string());
  const std::string& eos = codec.eos_text();
  if (!eos.empty() && std::find(stops_.begin(), stops_.end(), eos) == stops_.end()) {
    stops_.push_back(eos);
    eos_is_last_ = true;
  }
  for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
}

// A token spells a byte at least, so a stop string that ends in the last one lies in here. A
// character cut in two at the front becomes U+FFFD, and so does one that is not complete yet.
Result<std::string> StopStrings::tail(std::span<const TokenId> generated) const {
  return codec_.decode(generated.last(std::min(generated.size(), longest_ + kMargin)), false);
}

Result<bool> StopStrings::reached(std::span<const TokenId> generated) const {
  if (stops_.empty()) return false;
  const auto text = tail(generated);
  if (!text) return fail(text.error());
  return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) {
    return text->find(stop) != std::string::npos;
  });
}

Result<bool> StopStrings::is_end_of_text(std::span<const TokenId> generated) const {
  const auto text = tail(generated);
  if (!text) return fail(text.error());
  for (const std::string& stop : stops_) {
    if (text->find(stop) != std::string::npos) return eos_is_last_ && &stop == &stops_.back();
  }
  return false;
}

Result<std::string> StopStrings::text(std::span<const TokenId> generated) const {
  auto text = codec_.decode(generated, true);
  if (!text) return fail(std::move(text.error()));
  for (const std::string& stop : stops_) text->resize(std::min(text->find(stop), text->size()));
  return std::move(*text);
}

}  // namespace crucible::engine
