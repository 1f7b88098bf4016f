#include "evaluator/engine/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace crucible::engine {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

std::uint64_t join(std::uint64_t key, std::uint64_t value) { return mix(key + kGolden + value); }

// FNV-1a.
std::uint64_t hash(std::string_view text) {
  std::uint64_t value = 0xCBF29CE484222325ULL;
  for (const char byte : text) {
    value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001B3ULL;
  }
  return value;
}

TokenId argmax(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

struct Candidate {
  double weight = 0;  // proportional to the probability
  TokenId token = 0;
};

// Likelier first, of equal ones the lower id.
bool before(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
}

// The top_k largest logits and whatever equals the last of them.
std::vector<Candidate> candidates(std::span<const float> logits,
                                  const GenerationSettings& settings) {
  float least = -HUGE_VALF;
  if (settings.top_k > 0 && settings.top_k < logits.size()) {
    std::vector<float> sorted(logits.begin(), logits.end());
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(settings.top_k - 1);
    std::nth_element(sorted.begin(), place, sorted.end(), std::greater<>());
    least = *place;
  }
  const double top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<Candidate> kept;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] < least) continue;
    const double weight = std::exp((static_cast<double>(logits[i]) - top) / settings.temperature);
    kept.push_back({weight, static_cast<TokenId>(i)});
  }
  return kept;
}

double total(const std::vector<Candidate>& candidates) {
  double sum = 0;
  for (const Candidate& candidate : candidates) sum += candidate.weight;
  return sum;
}

// The likeliest whose predecessors together stay below the share `top_p`.
void keep_nucleus(std::vector<Candidate>& candidates, double top_p) {
  const double share = top_p * total(candidates);
  const auto after = [](const Candidate& a, const Candidate& b) { return before(b, a); };
  std::make_heap(candidates.begin(), candidates.end(), after);
  auto end = candidates.end();
  double sum = 0;
  do {
    sum += candidates.front().weight;
    std::pop_heap(candidates.begin(), end, after);
    --end;
  } while (sum < share && end != candidates.begin());
  candidates.erase(candidates.begin(), end);
  std::reverse(candidates.begin(), candidates.end());
}

}  // namespace

Status check_settings(const GenerationSettings& settings) {
  if (!settings.do_sample) return {};
  if (!(settings.temperature >= 0) || !std::isfinite(settings.temperature)) {
    return fail(ErrorCode::kInvalidArgument, "temperature must be a number from 0 upwards");
  }
  if (!(settings.top_p > 0 && settings.top_p <= 1)) {
    return fail(ErrorCode::kInvalidArgument, "top_p must be above 0 and at most 1");
  }
  return {};
}

DrawStream::DrawStream(std::uint64_t seed, std::uint32_t repeat, std::string_view context)
    : key_(join(join(mix(seed + kGolden), repeat), hash(context))) {}

double DrawStream::at(std::uint64_t step) const {
  return static_cast<double>(join(key_, step * kGolden) >> 11) * 0x1.0p-53;
}

TokenId choose_token(std::span<const float> logits, const GenerationSettings& settings,
                     double uniform) {
  if (!settings.do_sample || settings.temperature == 0) return argmax(logits);
  std::vector<Candidate> kept = candidates(logits, settings);
  if (settings.top_p < 1) keep_nucleus(kept, settings.top_p);
  double left = uniform * total(kept);
  for (const Candidate& candidate : kept) {
    if (left < candidate.weight) return candidate.token;
    left -= candidate.weight;
  }
  // Rounding used the last of it up: the likeliest.
  return std::min_element(kept.begin(), kept.end(), before)->token;
}

}  // namespace crucible::engine
