#include "evaluator/metric/number_words.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

namespace crucible::metric {
namespace {

// The pattern of the harness for the `regex` module, whose "(?|" PCRE2 has, too.
constexpr std::string_view kPhrase =
    R"(((?:(?:zero|one|two|three|four|five|(?:twen|thir|for|fif|six|seven|nine)(?|teen|ty)|)"
    R"(eight(?:|een|y)|ten|eleven|twelve|fourteen|hundred|thousand|(?:m|b|tr)illion))"
    R"((?:zero|one|two|three|four|five|(?:twen|thir|for|fif|six|seven|nine)(?:|teen|ty)|)"
    R"(eight(?|een|y)|ten|eleven|twelve|fourteen|hundred|thousand|(?:m|b|tr)illion|)"
    R"([^\S\r\n]|,|and|&)+)?(?:zero|one|two|three|four|five|)"
    R"((?:twen|thir|for|fif|six|seven|nine)(?|teen|ty)|eight(?|een|y)|ten|eleven|twelve|)"
    R"(fourteen|hundred|thousand|(?:m|b|tr)illion)))";

const std::map<std::string, long, std::less<>>& words() {
  static const std::map<std::string, long, std::less<>> kWords = [] {
    constexpr std::array<const char*, 20> kSmall = {
        "zero",     "one",     "two",     "three",     "four",     "five",    "six",
        "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    constexpr std::array<const char*, 8> kTens = {"twenty", "thirty",  "forty",  "fifty",
                                                  "sixty",  "seventy", "eighty", "ninety"};
    std::map<std::string, long, std::less<>> made = {
        {"hundred", 100}, {"thousand", 1'000}, {"million", 1'000'000}, {"billion", 1'000'000'000}};
    for (std::size_t i = 0; i < kSmall.size(); ++i) made[kSmall[i]] = static_cast<long>(i);
    for (std::size_t i = 0; i < kTens.size(); ++i) made[kTens[i]] = static_cast<long>(10 * i + 20);
    return made;
  }();
  return kWords;
}

// Up to four numbers between scale words.
std::optional<long> group_value(const std::vector<long>& numbers) {
  switch (numbers.size()) {
    case 0:
      return std::nullopt;
    case 2:
      return numbers[0] == 100 || numbers[1] == 100 ? numbers[0] * numbers[1]
                                                    : numbers[0] + numbers[1];
    case 3:
      return numbers[0] * numbers[1] + numbers[2];
    case 4:
      return numbers[0] * numbers[1] + numbers[2] + numbers[3];
    default:
      return numbers[0];
  }
}

}  // namespace

Result<std::vector<std::string>> number_phrases(std::string_view text) {
  static const text::Regex kRegex = text::Regex::fixed_pcre(kPhrase);
  const std::string lower = text::lower(text);
  const auto matches = kRegex.find_all(lower);
  if (!matches) return fail(matches.error());
  std::vector<std::string> phrases;
  for (const text::Match& match : *matches) phrases.emplace_back(match.group(lower, 1));
  return phrases;
}

std::optional<long> number_of_words(std::string_view phrase) {
  std::vector<long> numbers;
  for (const std::string& word : text::split(text::replace(text::lower(phrase), "-", " "))) {
    if (const auto known = words().find(word); known != words().end()) {
      numbers.push_back(known->second);
    }
  }
  if (numbers.size() == 1) return numbers.front();
  long sum = 0;
  long above = 10'000'000'000;  // scale words have to fall
  std::vector<long> group;
  for (const long number : numbers) {
    if (number < 1'000) {
      group.push_back(number);
      continue;
    }
    const auto value = group_value(group);
    if (number >= above || !value) return std::nullopt;
    sum += *value * number;
    above = number;
    group.clear();
  }
  if (group.empty()) return numbers.empty() ? std::nullopt : std::optional(sum);
  return sum + *group_value(group);
}

}  // namespace crucible::metric
