#include "evaluator/task/generate.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "gtest/gtest.h"

// Every generated item is solved here from its text alone, by rules that share nothing with the
// generators.
namespace crucible::task {
namespace {

constexpr std::size_t kCount = 3000;

std::vector<Json> items(const std::string& kind, std::uint64_t seed, std::size_t count = kCount) {
  auto generated = generate_items(kind, count, seed);
  EXPECT_TRUE(generated) << describe(generated.error());
  return generated ? *generated : std::vector<Json>{};
}

std::string query(const Json& item) { return item["query"].get<std::string>(); }
std::vector<std::string> choices(const Json& item) {
  return item["choices"].get<std::vector<std::string>>();
}
std::string gold(const Json& item) { return choices(item)[item["gold"].get<std::size_t>()]; }

// + - * / and brackets over whole numbers, by recursive descent.
class Calculator {
 public:
  explicit Calculator(std::string text) : text_(std::move(text)) { std::erase(text_, ' '); }
  std::int64_t sum() {
    std::int64_t value = product();
    while (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) {
      value += text_[at_++] == '+' ? product() : -product();
    }
    return value;
  }

 private:
  std::int64_t product() {
    std::int64_t value = operand();
    while (at_ < text_.size() && (text_[at_] == '*' || text_[at_] == '/')) {
      if (text_[at_++] == '*') {
        value *= operand();
      } else {
        const std::int64_t divisor = operand();
        EXPECT_EQ(value % divisor, 0) << text_;
        value /= divisor;
      }
    }
    return value;
  }
  std::int64_t operand() {
    if (text_[at_] == '(') {
      ++at_;
      const std::int64_t value = sum();
      ++at_;
      return value;
    }
    std::size_t used = 0;
    const std::int64_t value = std::stoll(text_.substr(at_), &used);
    at_ += used;
    return value;
  }
  std::string text_;
  std::size_t at_ = 0;
};

std::vector<std::int64_t> numbers(const std::string& text) {
  static const std::regex kNumber("[0-9]+");
  std::vector<std::int64_t> found;
  for (std::sregex_iterator it(text.begin(), text.end(), kNumber), end; it != end; ++it) {
    found.push_back(std::stoll(it->str()));
  }
  return found;
}

std::int64_t solve_arithmetic(const std::string& text) {
  static const std::regex kExpression(R"(What is ([-0-9+*/() ]+)\?)");
  std::smatch match;
  if (std::regex_search(text, match, kExpression)) return Calculator(match[1]).sum();
  const auto n = numbers(text);
  if (text.find("comes next") != std::string::npos) return n.back() + n[1] - n[0];
  if (text.find("boxes") != std::string::npos) return n.at(0) * n.at(1) - n.at(2);
  if (text.find("shares") != std::string::npos) {
    EXPECT_EQ((n.at(0) + n.at(1)) % n.at(2), 0) << text;
    return (n.at(0) + n.at(1)) / n.at(2);
  }
  return n.at(0) * n.at(1) + n.at(2);
}

TEST(Generate, ArithmeticIsRight) {
  for (const Json& item : items("arithmetic", 1)) {
    ASSERT_EQ(gold(item), std::to_string(solve_arithmetic(query(item)))) << query(item);
  }
}

// The one that no order allowed by the sentences contradicts.
std::string solve_ordering(const std::string& text) {
  static const std::regex kSentence(R"((\w+) is (\w+) than (\w+)\.)");
  std::vector<std::pair<std::string, std::string>> pairs;
  std::set<std::string> people;
  for (std::sregex_iterator it(text.begin(), text.end(), kSentence), end; it != end; ++it) {
    pairs.emplace_back((*it)[1], (*it)[3]);
    people.insert({(*it)[1], (*it)[3]});
  }
  std::vector<std::string> order(people.begin(), people.end()), found;
  int possible = 0;
  do {
    const auto place = [&](const std::string& name) {
      return std::ranges::find(order, name) - order.begin();
    };
    const bool fits = std::ranges::all_of(
        pairs, [&](const auto& pair) { return place(pair.first) < place(pair.second); });
    if (fits) found = order;
    possible += fits;
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(possible, 1) << text;
  if (text.find("the second") != std::string::npos) return found.at(1);
  if (text.find("the third") != std::string::npos) return found.at(2);
  static const std::regex kLeast("Who is the (shortest|youngest|slowest|lightest)");
  return std::regex_search(text, kLeast) ? found.back() : found.front();
}

std::string solve_labels(const std::string& text) {
  static const std::regex kLabel(
      R"(label of the (\w+) box says: "The coin is (not )?in the (\w+) box)");
  std::vector<std::tuple<std::string, bool, std::string>> labels;
  for (std::sregex_iterator it(text.begin(), text.end(), kLabel), end; it != end; ++it) {
    labels.emplace_back((*it)[1], !(*it)[2].matched, (*it)[3]);
  }
  std::vector<std::string> possible;
  for (const auto& [box, affirms, named] : labels) {
    int true_labels = 0;
    for (const auto& [own, says, where] : labels) true_labels += (where == box) == says;
    if (true_labels == 1) possible.push_back("the " + box + " box");
  }
  EXPECT_EQ(possible.size(), 1U) << text;
  return possible.empty() ? "" : possible[0];
}

// Whether an option is true in every world of five properties that the premises allow.
std::string solve_kinds(const Json& item) {
  const std::string text = query(item);
  static const std::regex kRule(R"((Every|No) (\w+) is a (\w+)\.)");
  static const std::regex kFact(R"(([A-Z]\w+) is a (\w+)\. Which)");
  std::map<std::string, int> index;
  const auto number = [&](const std::string& word) {
    return index.emplace(word, static_cast<int>(index.size())).first->second;
  };
  std::vector<std::tuple<bool, int, int>> rules;
  for (std::sregex_iterator it(text.begin(), text.end(), kRule), end; it != end; ++it) {
    const int from = number((*it)[2]), to = number((*it)[3]);
    rules.emplace_back((*it)[1] == "Every", from, to);
  }
  std::smatch fact;
  EXPECT_TRUE(std::regex_search(text, fact, kFact)) << text;
  const int known = number(fact[2]);
  std::vector<unsigned> worlds;
  for (unsigned world = 0; world < 32; ++world) {
    const auto is = [world](int kind) { return (world >> kind & 1U) != 0; };
    const bool allowed = is(known) && std::ranges::all_of(rules, [&](const auto& rule) {
                           const auto& [every, from, to] = rule;
                           return !is(from) || is(to) == every;
                         });
    if (allowed) worlds.push_back(world);
  }
  EXPECT_FALSE(worlds.empty());
  static const std::regex kOption(R"(\w+ is (not )?a (\w+))");
  std::vector<std::string> certain;
  for (const std::string& option : choices(item)) {
    std::smatch match;
    EXPECT_TRUE(std::regex_match(option, match, kOption)) << option;
    const int kind = number(match[2]);
    const bool says = !match[1].matched;
    if (std::ranges::all_of(worlds, [&](unsigned w) { return ((w >> kind & 1U) != 0) == says; })) {
      certain.push_back(option);
    }
  }
  EXPECT_EQ(certain.size(), 1U) << text;
  return certain.empty() ? "" : certain[0];
}

TEST(Generate, LogicIsRight) {
  std::map<std::string, int> forms;
  for (const Json& item : items("logic", 2)) {
    const std::string text = query(item);
    std::string right;
    if (text.find(" than ") != std::string::npos) {
      right = solve_ordering(text);
      ++forms["ordering"];
    } else if (text.find("coin") != std::string::npos) {
      right = solve_labels(text);
      ++forms["labels"];
    } else {
      right = solve_kinds(item);
      ++forms["kinds"];
    }
    ASSERT_EQ(gold(item), right) << text;
  }
  for (const auto& [form, count] : forms) EXPECT_GT(count, 500) << form;
}

std::string solve_reading(const std::string& text) {
  static const std::regex kMove(R"((\w+) (put|moved) the (\w+) (?:into|to) the (\w+)\.)");
  static const std::regex kQuestion(
      R"(Question: (?:(Where is|Where was|Who was the last to move|How often was) the (\w+)))");
  std::smatch question;
  EXPECT_TRUE(std::regex_search(text, question, kQuestion)) << text;
  std::vector<std::string> people, places;
  for (std::sregex_iterator it(text.begin(), text.end(), kMove), end; it != end; ++it) {
    if ((*it)[3] != question[2]) continue;
    people.push_back((*it)[1]);
    places.push_back((*it)[4]);
  }
  if (question[1] == "Where is") return "the " + places.back();
  if (question[1] == "Where was") return "the " + places.front();
  if (question[1] == "Who was the last to move") return people.back();
  static constexpr std::array<const char*, 4> kTimes = {"never", "once", "twice", "three times"};
  return kTimes.at(places.size() - 1);
}

TEST(Generate, ReadingIsRightAndClusteredByPassage) {
  std::map<std::string, std::string> passages;
  for (const Json& item : items("reading", 3)) {
    const std::string text = query(item);
    ASSERT_EQ(gold(item), solve_reading(text)) << text;
    const std::string passage = text.substr(0, text.find("\nQuestion"));
    const auto [known, is_new] = passages.emplace(item["cluster"].get<std::string>(), passage);
    EXPECT_EQ(known->second, passage);
  }
  EXPECT_EQ(passages.size(), kCount / 3);
}

struct Shares {
  std::array<double, 4> by_place{};
  double longest = 0, shortest = 0;
};

// How often the right option stands in each place, and what always picking the longest or the
// shortest scores (ties shared).
Shares shares(const std::vector<Json>& all) {
  Shares found;
  for (const Json& item : all) {
    const auto options = choices(item);
    const auto right = item["gold"].get<std::size_t>();
    found.by_place.at(right) += 1.0 / static_cast<double>(all.size());
    std::vector<std::size_t> sizes;
    for (const std::string& option : options) sizes.push_back(option.size());
    for (const bool longest : {true, false}) {
      const std::size_t pick = longest ? std::ranges::max(sizes) : std::ranges::min(sizes);
      const auto ties = static_cast<double>(std::ranges::count(sizes, pick));
      double& score = longest ? found.longest : found.shortest;
      if (sizes[right] == pick) score += 1 / ties / static_cast<double>(all.size());
    }
  }
  return found;
}

TEST(Generate, NoPlaceAndNoLengthGivesTheAnswerAway) {
  for (const std::string& kind : generator_kinds()) {
    const auto all = items(kind, 4);
    double chance = 0;
    std::set<std::string> asked;
    for (const Json& item : all) {
      const auto options = choices(item);
      chance += 1 / static_cast<double>(options.size()) / static_cast<double>(all.size());
      EXPECT_EQ(std::set<std::string>(options.begin(), options.end()).size(), options.size());
      EXPECT_TRUE(asked.insert(query(item)).second) << query(item);
    }
    const Shares found = shares(all);
    EXPECT_NEAR(found.by_place[0], chance, 0.04) << kind;
    EXPECT_NEAR(found.by_place[1], chance, 0.04) << kind;
    EXPECT_NEAR(found.longest, chance, 0.06) << kind;
    EXPECT_NEAR(found.shortest, chance, 0.06) << kind;
  }
}

TEST(Generate, SeedsDifferAndCallsRepeat) {
  for (const std::string& kind : generator_kinds()) {
    const auto first = items(kind, 7, 200);
    EXPECT_EQ(first, items(kind, 7, 200));
    const auto longer = items(kind, 7, 300);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), longer.begin())) << kind;
    std::set<std::string> seen;
    for (const Json& item : first) seen.insert(query(item));
    std::size_t shared = 0;
    for (const Json& item : items(kind, 8, 200)) shared += seen.contains(query(item));
    EXPECT_LT(shared, 5U) << kind;
  }
}

TEST(Generate, UnknownKindsAndHugeCountsAreRefused) {
  EXPECT_EQ(generate_items("poetry", 1, 1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(generate_items("logic", 100'001, 1).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace crucible::task
