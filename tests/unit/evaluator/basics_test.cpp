#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "evaluator/task/suite.hpp"
#include "gtest/gtest.h"
#include "tests/support/calculator.hpp"

// The items of crucible-basics: their form, that nothing but the answer gives the answer away, and,
// where a rule can say it, that the answer is right and no other is.
namespace crucible::task {
namespace {

const Task& task_of(const Suite& suite, const std::string& name) {
  return *std::ranges::find(suite.tasks, name, &Task::name);
}

std::string question(const Item& item) {
  std::string text = item.requests[0].context;
  text.resize(text.size() - std::string("\nAnswer:").size());
  return text.substr(text.find("Question: ") + 10);
}

std::string gold(const Item& item) { return item.choices.at(item.gold.at(0)); }

class Basics : public testing::Test {
 protected:
  void SetUp() override {
    auto read = read_suite("builtin:crucible-basics");
    ASSERT_TRUE(read) << describe(read.error());
    suite_ = std::move(*read);
  }
  const std::vector<Item>& items(const std::string& task) { return task_of(suite_, task).items; }

  Suite suite_;
};

TEST_F(Basics, HoldsManyItemsOverManySkillsOnce) {
  std::set<std::string> asked;
  std::size_t items = 0;
  for (const Task& task : suite_.tasks) {
    EXPECT_GE(task.items.size(), 40U) << task.name;
    items += task.items.size();
    for (const Item& item : task.items) {
      EXPECT_EQ(item.choices.size(), 4U);
      EXPECT_EQ(std::set<std::string>(item.choices.begin(), item.choices.end()).size(), 4U);
      EXPECT_TRUE(asked.insert(item.requests[0].context).second) << item.requests[0].context;
      EXPECT_LT(item.requests[0].context.size(), 700U);
      EXPECT_TRUE(item.requests[0].context.ends_with("\nAnswer:"));
    }
  }
  EXPECT_GE(suite_.tasks.size(), 6U);
  EXPECT_GE(items, 300U);
  std::set<std::string> passages;
  for (const Item& item : task_of(suite_, "basics_reading").items) passages.insert(item.cluster);
  EXPECT_EQ(passages.size(), 12U);
}

// What a rule that reads nothing scores: always one place, the longest, the shortest, the middle.
TEST_F(Basics, NeitherPlaceNorLengthGivesTheAnswerAway) {
  using Pick = std::function<double(const Item&)>;  // share of the right option among its picks
  const auto by_length = [](bool longest) -> Pick {
    return [longest](const Item& item) {
      std::vector<std::size_t> sizes;
      for (const std::string& choice : item.choices) sizes.push_back(choice.size());
      const std::size_t size = longest ? std::ranges::max(sizes) : std::ranges::min(sizes);
      const auto ties = static_cast<double>(std::ranges::count(sizes, size));
      return item.choices[item.gold[0]].size() == size ? 1 / ties : 0.0;
    };
  };
  std::vector<Pick> rules = {by_length(true), by_length(false)};
  for (std::size_t place = 0; place < 4; ++place) {
    rules.push_back([place](const Item& item) { return item.gold[0] == place ? 1.0 : 0.0; });
  }
  for (std::size_t rule = 0; rule < rules.size(); ++rule) {
    double all = 0, count = 0;
    for (const Task& task : suite_.tasks) {
      double right = 0;
      for (const Item& item : task.items) right += rules[rule](item);
      const auto size = static_cast<double>(task.items.size());
      EXPECT_NEAR(right / size, 0.25, 0.125) << task.name << " rule " << rule;
      all += right;
      count += size;
    }
    EXPECT_NEAR(all / count, 0.25, 0.03) << "rule " << rule;
  }
}

// Among numbers the right one is the smallest, second, third and largest about equally often.
TEST_F(Basics, NumbersDoNotGiveTheAnswerAwayByTheirOrder) {
  std::array<int, 4> ranks{};
  int count = 0;
  for (const char* name : {"basics_arithmetic", "basics_word_problems"}) {
    for (const Item& item : task_of(suite_, name).items) {
      std::vector<long> values;
      for (const std::string& choice : item.choices) values.push_back(std::stol(choice));
      const long right = values[item.gold[0]];
      ++ranks.at(static_cast<std::size_t>(
          std::ranges::count_if(values, [right](long value) { return value < right; })));
      ++count;
    }
  }
  for (const int rank : ranks) EXPECT_NEAR(rank, count / 4.0, count * 0.1);
}

long solve(const std::string& asked) {
  static const std::vector<std::pair<std::regex, std::string>> kWords = {
      {std::regex("(\\d+) times (\\d+)"), "$1*$2"},
      {std::regex("(\\d+) divided by (\\d+)"), "$1/$2"},
      {std::regex("half of (\\d+)"), "$1/2"},
      {std::regex("a quarter of (\\d+)"), "$1/4"},
      {std::regex("a third of (\\d+)"), "$1/3"},
      {std::regex("double (\\d+)"), "$1*2"},
      {std::regex("three times (\\d+)"), "$1*3"},
      {std::regex("(\\d+) percent of (\\d+)"), "$1*$2/100"},
      {std::regex("(\\d+) squared"), "$1*$1"},
      {std::regex("(\\d+) cubed"), "$1*$1*$1"},
      {std::regex("the sum of all whole numbers from 1 to (\\d+)"), "$1*($1+1)/2"},
      {std::regex("the average of (\\d+), (\\d+) and (\\d+)"), "($1+$2+$3)/3"}};
  std::string text = std::regex_replace(asked, std::regex("^What is |\\?$"), "");
  for (const auto& [words, expression] : kWords) {
    text = std::regex_replace(text, words, expression);
  }
  return test::Calculator(text).sum();
}

std::vector<long> numbers_of(const std::string& text) {
  static const std::regex kNumber("[0-9]+");
  std::vector<long> found;
  for (std::sregex_iterator it(text.begin(), text.end(), kNumber), end; it != end; ++it) {
    found.push_back(std::stol(it->str()));
  }
  return found;
}

// Equal steps, equal ratios, or steps that grow by the same.
long next_of(const std::vector<long>& n) {
  const std::size_t last = n.size() - 1;
  if (n[1] - n[0] == n[2] - n[1]) return n[last] + n[1] - n[0];
  if (n[1] * n[1] == n[0] * n[2]) return n[last] * n[1] / n[0];
  return n[last] + (n[last] - n[last - 1]) + (n[2] - n[1]) - (n[1] - n[0]);
}

TEST_F(Basics, ArithmeticIsRight) {
  for (const Item& item : items("basics_arithmetic")) {
    const std::string text = question(item);
    const auto n = numbers_of(text);
    const long own = std::stol(gold(item));
    if (text.find("comes next") != std::string::npos) {
      EXPECT_EQ(own, next_of(n)) << text;
    } else if (text.find("remainder") != std::string::npos) {
      EXPECT_EQ(own, n.at(0) % n.at(1)) << text;
    } else if (text.starts_with("Which number squared")) {
      EXPECT_EQ(own * own, n.at(0)) << text;
    } else if (text.find("How many tens") != std::string::npos) {
      EXPECT_EQ(own, n.at(0) / 10) << text;
    } else {
      EXPECT_EQ(own, solve(text)) << text;
    }
  }
}

// What each question comes down to, in the order of the items.
TEST_F(Basics, WordProblemsAreRight) {
  static const std::vector<std::string> kSolutions = {
      "6*9",  "14*7",    "45/5",       "32-19",   "120-87",    "23+18",    "48/3",  "2*3+11",
      "8*42", "20-13",   "12*7",       "4*15",    "9*12",      "28/4",     "4*9",   "31-5",
      "2*17", "24-6",    "2*25",       "3*70",    "2000/400",  "2*8+3*5",  "54/6",  "12-7",
      "8*7",  "35+48",   "60-60/3",    "80-80/4", "15*20-240", "(18-3)/5", "4*750", "21+17+25",
      "9*14", "90/15+1", "240/(2*12)", "36/3",    "52-19",     "(27-5)/2", "4+9",   "30*60/10"};
  const auto& all = items("basics_word_problems");
  ASSERT_EQ(all.size(), kSolutions.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(std::stol(gold(all[i])), test::Calculator(kSolutions[i]).sum()) << question(all[i]);
  }
}

std::string clock(int minutes) {
  const int hour = minutes / 60, minute = minutes % 60;
  return std::to_string(hour) + (minute < 10 ? ":0" : ":") + std::to_string(minute);
}

TEST_F(Basics, DaysMonthsAndClocksAreRight) {
  static const std::vector<std::string> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                 "Friday", "Saturday", "Sunday"};
  static const std::vector<std::string> kMonths = {"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
  const auto after = [](const std::vector<std::string>& cycle, const std::string& from,
                        std::size_t steps) {
    const auto place = static_cast<std::size_t>(std::ranges::find(cycle, from) - cycle.begin());
    return cycle.at((place + steps) % cycle.size());
  };
  const std::map<std::string, std::string> answers = {
      {"If today is Wednesday", after(kDays, "Wednesday", 3)},
      {"If today is Monday", after(kDays, "Monday", 5)},
      {"If tomorrow is Friday", after(kDays, "Friday", 6)},
      {"If yesterday was Sunday", after(kDays, "Sunday", 2)},
      {"Which month comes directly after", after(kMonths, "April", 1)},
      {"Which month comes directly before", after(kMonths, "October", 11)},
      {"Which month is two months after", after(kMonths, "November", 2)},
      {"Which day of the week", after(kDays, "Tuesday", 1)},
      {"A month begins on a Monday", after(kDays, "Monday", 7)},
      {"How many minutes are there in two", std::to_string(2 * 60)},
      {"How many seconds", std::to_string(3 * 60)},
      {"How many days are there in three", std::to_string(3 * 7)},
      {"How many months are there in two", std::to_string(2 * 12 + 6)},
      {"How many hours are there in three", std::to_string(3 * 24)},
      {"A film begins at 19:30", clock(19 * 60 + 30 + 90)},
      {"A lesson begins at 9:15", std::to_string(10 * 60 - (9 * 60 + 15))},
      {"It is 14:40", clock(14 * 60 + 40 + 35)},
      {"It is 7:10", clock(7 * 60 + 10 - 20)},
      {"A cake goes into the oven at 16:20", clock(16 * 60 + 20 + 55)},
      {"A clock is 10 minutes fast", clock(12 * 60 - 10)},
      {"Anna was born in 1990", std::to_string(1990 - 1986)},
      {"A shop is open from 9", std::to_string(18 - 9)},
      {"Ute has her birthday on 3 May", std::to_string(3 + 12) + " May"},
      {"A bus comes every 20 minutes", clock(10 * 60 + 5 + 2 * 20)},
      {"Half of an hour", std::to_string(30 + 15)},
      {"A decade ago it was 2015", std::to_string(2015 + 10)},
      {"How many years are there in a century", std::to_string(100 + 50)}};
  std::size_t found = 0;
  for (const Item& item : items("basics_order_time")) {
    for (const auto& [start, right] : answers) {
      if (!question(item).starts_with(start)) continue;
      ++found;
      EXPECT_EQ(gold(item), right) << question(item);
    }
  }
  EXPECT_EQ(found, answers.size());
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

std::vector<std::string> entries_of(std::string text) {
  std::erase(text, ',');
  return words_of(text);
}

bool no_upper(const std::string& text) {
  return std::ranges::none_of(text, [](unsigned char c) { return std::isupper(c) != 0; });
}
bool no_lower(const std::string& text) {
  return std::ranges::none_of(text, [](unsigned char c) { return std::islower(c) != 0; });
}

using Rule = std::function<bool(const std::string&)>;

Rule has(const std::string& part) {
  return [part](const std::string& t) { return t.find(part) != std::string::npos; };
}
Rule is(const std::string& whole) {
  return [whole](const std::string& t) { return t == whole; };
}
Rule words(std::size_t count) {
  return [count](const std::string& t) { return words_of(t).size() == count; };
}
Rule size(std::size_t count) {
  return [count](const std::string& t) { return t.size() == count; };
}
Rule characters(char c, std::ptrdiff_t times) {
  return [c, times](const std::string& t) { return std::ranges::count(t, c) == times; };
}
bool entries_sorted(const std::string& t) { return std::ranges::is_sorted(entries_of(t)); }

// Whether a text does what the question asks for, by the question's beginning.
const std::map<std::string, Rule>& word_and_list_rules() {
  using std::string;
  static const std::map<string, Rule> kRules = {
      {"Which word begins with the letter b and ends with the letter d",
       [](const string& t) { return t.front() == 'b' && t.back() == 'd'; }},
      {"Which word has exactly four letters", size(4)},
      {"Which word has exactly seven letters", size(7)},
      {"Which word contains the letter x", has("x")},
      {"Which word does not contain the letter e", std::not_fn(has("e"))},
      {"Which word is written backwards from \"star\"", is({"rats"})},
      {"Which word do the first letters", is({"eene"})},
      {"Which list of animals is in alphabetical order", entries_sorted},
      {"Which list of fruits is in alphabetical order", entries_sorted},
      {"Which list goes from the smallest number",
       [](const string& t) { return std::ranges::is_sorted(numbers_of(t)); }},
      {"Which list goes from the largest number",
       [](const string& t) { return std::ranges::is_sorted(numbers_of(t), std::greater<>()); }},
      {"Which list has exactly three entries",
       [](const string& t) { return entries_of(t).size() == 3; }},
      {"Which answer is given as a number in digits",
       [](const string& t) { return t.find_first_not_of("0123456789") == string::npos; }},
      {"Which answer is a single word", words(1)}};
  return kRules;
}

const std::map<std::string, Rule>& text_rules() {
  using std::string;
  static const std::map<string, Rule> kRules = {
      {"Which sentence has exactly five words", words(5)},
      {"Which sentence has exactly three words", words(3)},
      {"Which text is written in capital letters only", no_lower},
      {"Which text is written in small letters only", no_upper},
      {"Which sentence ends with a question mark", [](const string& t) { return t.back() == '?'; }},
      {"Which sentence contains no comma", characters(',', 0)},
      {"Which text repeats the word \"yes\" exactly twice",
       [](const string& t) { return std::ranges::count(words_of(t), "yes") == 2; }},
      {"Which text is put in round brackets", has("(")},
      {"Which text is put in double quotation marks", has("\"")},
      {"Which sentence begins with the word \"Today\"",
       [](const string& t) { return t.starts_with("Today "); }},
      {"Which sentence ends with the word \"home\"",
       [](const string& t) { return t.ends_with(" home."); }},
      {"Which text contains exactly two sentences", characters('.', 2)},
      {"Which text has no spaces", characters(' ', 0)},
      {"Which text has its words in the reverse order", is({"sea blue cold"})},
      {"Which text has exactly one capital letter",
       [](const string& t) {
         return 1 == std::ranges::count_if(t, [](unsigned char c) { return std::isupper(c) != 0; });
       }},
      {"Which text uses the letter s exactly three times", characters('s', 3)},
      {"Which sentence is a command", [](const string& t) { return t.starts_with("Close"); }},
      {"Which text leaves out the second word", is({"one three four"})},
      {"Which text replaces every a", is({"bonono"})}};
  return kRules;
}

std::map<std::string, Rule> instruction_rules() {
  std::map<std::string, Rule> rules = word_and_list_rules();
  rules.insert(text_rules().begin(), text_rules().end());
  return rules;
}

TEST_F(Basics, InstructionsAreFollowedByTheRightTextAlone) {
  const auto rules = instruction_rules();
  std::set<std::string> used;
  for (const Item& item : items("basics_instructions")) {
    for (const auto& [start, rule] : rules) {
      if (!question(item).starts_with(start)) continue;
      used.insert(start);
      for (const std::string& choice : item.choices) {
        EXPECT_EQ(rule(choice), choice == gold(item)) << question(item) << ": " << choice;
      }
    }
  }
  EXPECT_EQ(used.size(), rules.size());
}

}  // namespace
}  // namespace crucible::task
