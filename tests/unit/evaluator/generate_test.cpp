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
#include "tests/support/calculator.hpp"

// Every generated item is solved here from its text alone, by rules that share nothing with the
// generators.
namespace crucible::task {
namespace {

constexpr std::size_t kCount = 4500;
constexpr std::size_t kMany = 10'000;

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

std::vector<std::int64_t> numbers(const std::string& text) {
  static const std::regex kNumber("[0-9]+");
  std::vector<std::int64_t> found;
  for (std::sregex_iterator it(text.begin(), text.end(), kNumber), end; it != end; ++it) {
    found.push_back(std::stoll(it->str()));
  }
  return found;
}

std::int64_t solve_arithmetic(const std::string& text) {
  static const std::regex kExpression(
      R"((?:What is |How much is |Work out |Calculate: )([-0-9+*/() ]+)(?:\?|\.| = \?))");
  std::smatch match;
  if (std::regex_search(text, match, kExpression)) return test::Calculator(match[1]).sum();
  const auto n = numbers(text);
  if (text.find("comes next") != std::string::npos) return n.back() + n[1] - n[0];
  if (text.find("remains") != std::string::npos) return n.at(0) % n.at(1);
  if (text.find("percent") != std::string::npos) {
    EXPECT_EQ(n.at(0) * n.at(1) % 100, 0) << text;
    return n.at(0) * n.at(1) / 100;
  }
  if (text.find("digits") != std::string::npos) {
    std::int64_t sum = 0;
    for (const char digit : std::to_string(n.at(0))) sum += digit - '0';
    return sum;
  }
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

// The one who sits there in every order of the four that the sentences allow.
std::string solve_seats(const std::string& text) {
  static const std::regex kPeople(R"(in a row: (\w+), (\w+), (\w+) and (\w+)\.)");
  static const std::regex kClue(
      R"((\w+) (sits next to|does not sit next to|sits somewhere to the left of|sits at one end|)"
      R"(sits at neither end) ?(\w*)\.)");
  std::smatch names;
  EXPECT_TRUE(std::regex_search(text, names, kPeople)) << text;
  std::vector<std::string> row = {names[1], names[2], names[3], names[4]};
  std::ranges::sort(row);
  std::set<std::string> found;
  int possible = 0;
  do {
    bool fits = true;
    for (std::sregex_iterator it(text.begin(), text.end(), kClue), end; it != end; ++it) {
      const auto a = std::ranges::find(row, it->str(1)) - row.begin();
      const auto b = std::ranges::find(row, it->str(3)) - row.begin();
      const std::string says = (*it)[2];
      fits = fits && (says == "sits next to"           ? std::abs(a - b) == 1
                      : says == "does not sit next to" ? std::abs(a - b) != 1
                      : says == "sits at one end"      ? a == 0 || a == 3
                      : says == "sits at neither end"  ? a == 1 || a == 2
                                                       : a < b);
    }
    if (!fits) continue;
    ++possible;
    const bool from_left = text.find("left end?") != std::string::npos;
    const bool at_end = from_left || text.find("right end?") != std::string::npos;
    const bool left = from_left || text.find("from the left?") != std::string::npos;
    found.insert(row[static_cast<std::size_t>(left ? (at_end ? 0 : 1) : (at_end ? 3 : 2))]);
  } while (std::ranges::next_permutation(row).found);
  EXPECT_EQ(possible, 1) << text;
  return found.size() == 1 ? *found.begin() : "";
}

// Of the eight ways in which three can lie, the one that their sayings allow.
std::string solve_liars(const std::string& text) {
  static const std::regex kPeople(R"(Question: (\w+), (\w+) and (\w+) each)");
  static const std::regex kSaying(
      R"re((\w+) says: "(\w+)(?: (lies|tells the truth)| and (\w+) are of the same kind)\.")re");
  std::smatch names;
  EXPECT_TRUE(std::regex_search(text, names, kPeople)) << text;
  const bool asks_truthful = text.find("Who tells the truth?") != std::string::npos;
  std::vector<std::string> found;
  int possible = 0;
  for (int world = 0; world < 8; ++world) {
    std::map<std::string, bool> honest;
    for (int i = 0; i < 3; ++i) honest[names[static_cast<std::size_t>(i) + 1]] = world >> i & 1;
    int sayings = 0, fitting = 0;
    for (std::sregex_iterator it(text.begin(), text.end(), kSaying), end; it != end; ++it) {
      const bool about_two = (*it)[4].matched;
      const bool says = about_two ? honest.at((*it)[2]) == honest.at((*it)[4])
                                  : honest.at((*it)[2]) == ((*it)[3] == "tells the truth");
      ++sayings;
      fitting += says == honest.at((*it)[1]);
    }
    EXPECT_EQ(sayings, 3) << text;
    if (fitting != sayings) continue;
    ++possible;
    for (const auto& [name, is_honest] : honest) {
      if (is_honest == asks_truthful) found.push_back(name);
    }
  }
  EXPECT_EQ(possible, 1) << text;
  return found.size() == 1 ? found[0] : "";
}

TEST(Generate, LogicIsRight) {
  std::map<std::string, int> forms;
  for (const Json& item : items("logic", 2)) {
    const std::string text = query(item);
    std::string right;
    if (text.find(" than ") != std::string::npos) {
      right = solve_ordering(text);
      ++forms["ordering"];
    } else if (text.find("in a row") != std::string::npos) {
      right = solve_seats(text);
      ++forms["seats"];
    } else if (text.find("always lie") != std::string::npos) {
      right = solve_liars(text);
      ++forms["liars"];
    } else if (text.find("coin") != std::string::npos) {
      right = solve_labels(text);
      ++forms["labels"];
    } else {
      right = solve_kinds(item);
      ++forms["kinds"];
    }
    ASSERT_EQ(gold(item), right) << text;
  }
  EXPECT_EQ(forms.size(), 5U);
  for (const auto& [form, count] : forms) EXPECT_GT(count, 500) << form;
}

std::string solve_purchases(const std::string& text) {
  static const std::regex kDayFirst(R"(On (\w+day) (\w+) bought (\d+) (\w+)\.)");
  static const std::regex kDayLast(R"((\w+) bought (\d+) (\w+) on (\w+day)\.)");
  static const std::regex kTrip(R"((\w+) went on (\w+day) and came back with (\d+) (\w+)\.)");
  using Places = std::array<std::size_t, 4>;  // of person, day, count and thing in the match
  std::vector<std::array<std::string, 4>> bought;
  for (const auto& [regex, at] : {std::pair(&kDayFirst, Places{2, 1, 3, 4}),
                                  {&kDayLast, Places{1, 4, 2, 3}},
                                  {&kTrip, Places{1, 2, 3, 4}}}) {
    for (std::sregex_iterator it(text.begin(), text.end(), *regex), end; it != end; ++it) {
      bought.push_back({it->str(at[0]), it->str(at[1]), it->str(at[2]), it->str(at[3])});
    }
  }
  EXPECT_EQ(bought.size(), 4U) << text;
  static const std::regex kAsked(
      R"(Question: (Who bought the|How many|On which day was|Who came home with the) (\w+))");
  std::smatch asked;
  EXPECT_TRUE(std::regex_search(text, asked, kAsked)) << text;
  const auto count = [](const auto& one) { return std::stoi(one[2]); };
  if (asked[2] == "most") return std::ranges::max(bought, {}, count)[0];
  if (asked[2] == "fewest") return std::ranges::min(bought, {}, count)[0];
  for (const auto& one : bought) {
    if (asked[1] == "Who bought the" && one[3] == asked[2]) return one[0];
    if (asked[1] == "How many" && one[3] == asked[2]) return one[2];
    if (asked[1] == "On which day was" && one[0] == asked[2]) return one[1];
  }
  return "";
}

std::string solve_reading(const std::string& text) {
  if (text.find("market") != std::string::npos) return solve_purchases(text);
  static const std::regex kMove(
      R"((\w+) (put|moved|carried|took) the (\w+) (?:into|to) the (\w+)\.)");
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

// Ten thousand items ask ten thousand things, names and numbers apart in many of them.
TEST(Generate, NoItemOfTenThousandRepeatsAnother) {
  static const std::regex kNumber("[0-9]+"), kName("[A-Z][a-z]+");
  for (const std::string& kind : generator_kinds()) {
    std::set<std::string> asked, shapes;
    for (const Json& item : items(kind, 11, kMany)) {
      const std::string text = query(item);
      EXPECT_TRUE(asked.insert(text).second) << text;
      shapes.insert(std::regex_replace(std::regex_replace(text, kNumber, "#"), kName, "N"));
    }
    EXPECT_EQ(asked.size(), kMany);
    EXPECT_GT(shapes.size(), kind == "arithmetic" ? 40U : 1000U) << kind;
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
