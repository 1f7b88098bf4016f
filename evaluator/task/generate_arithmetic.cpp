#include <algorithm>
#include <set>
#include <utility>

#include "evaluator/task/generate_random.hpp"

namespace crucible::task {
namespace {

// Slips that people make: off by one, a carry, a sign, two digits swapped.
std::set<std::int64_t> slips(std::int64_t right) {
  std::set<std::int64_t> values = {right - 1,  right + 1,  right - 2,   right + 2,  right - 10,
                                   right + 10, right - 11, right + 11,  right - 9,  right + 9,
                                   right - 20, right + 20, right - 100, right + 100};
  const std::string digits = std::to_string(right);
  for (std::size_t i = 1; i < digits.size() && right > 9; ++i) {
    std::string swapped = digits;
    std::swap(swapped[i - 1], swapped[i]);
    if (swapped[0] != '0') values.insert(std::stoll(swapped));
  }
  values.erase(right);
  return values;
}

// Options such that the right one is the smallest, second, third or largest equally often: else a
// model that prefers middle numbers would score above chance.
Json number_item(Draws& draws, const std::string& question, std::int64_t right) {
  std::vector<std::int64_t> below, above;
  for (const std::int64_t value : slips(right)) {
    if (value < 0) continue;
    (value < right ? below : above).push_back(value);
  }
  const auto smaller = std::min<std::size_t>(draws.below(4), below.size());
  std::vector<std::string> wrong;
  for (const std::int64_t value : draws.sample(below, smaller)) {
    wrong.push_back(std::to_string(value));
  }
  for (const std::int64_t value : draws.sample(above, 3 - smaller)) {
    wrong.push_back(std::to_string(value));
  }
  return choice_item(draws, "Question: " + question, std::to_string(right), wrong);
}

std::string text(std::int64_t value) { return std::to_string(value); }

// One expression, asked for in different words.
Json expression(Draws& draws, const std::string& what, std::int64_t right) {
  static const std::vector<std::pair<std::string, std::string>> kWords = {
      {"What is ", "?"}, {"How much is ", "?"}, {"Work out ", "."}, {"Calculate: ", " = ?"}};
  const auto& [before, after] = draws.pick(kWords);
  return number_item(draws, before + what + after, right);
}

Json sum(Draws& draws) {
  const std::int64_t a = draws.between(12, 999), b = draws.between(12, 999);
  return expression(draws, text(a) + " + " + text(b), a + b);
}

Json difference(Draws& draws) {
  const std::int64_t a = draws.between(120, 999), b = draws.between(12, a - 11);
  return expression(draws, text(a) + " - " + text(b), a - b);
}

Json product(Draws& draws) {
  const std::int64_t a = draws.between(3, 19), b = draws.between(11, 99);
  return expression(draws, text(a) + " * " + text(b), a * b);
}

Json quotient(Draws& draws) {
  const std::int64_t b = draws.between(3, 19), result = draws.between(11, 99);
  return expression(draws, text(b * result) + " / " + text(b), result);
}

Json precedence(Draws& draws) {
  const std::int64_t a = draws.between(12, 99), b = draws.between(3, 12), c = draws.between(3, 12);
  return expression(draws, text(a) + " + " + text(b) + " * " + text(c), a + b * c);
}

Json brackets(Draws& draws) {
  const std::int64_t a = draws.between(5, 40), b = draws.between(5, 40), c = draws.between(3, 9);
  return expression(draws, "(" + text(a) + " + " + text(b) + ") * " + text(c), (a + b) * c);
}

Json remainder(Draws& draws) {
  const std::int64_t divisor = draws.between(11, 29), right = draws.between(3, divisor - 3);
  const std::int64_t number = divisor * draws.between(3, 40) + right;
  return number_item(
      draws, "What remains when " + text(number) + " is divided by " + text(divisor) + "?", right);
}

Json percentage(Draws& draws) {
  const std::int64_t share = 5 * draws.between(1, 19), hundreds = draws.between(2, 40);
  const std::int64_t whole = 20 * hundreds;
  return number_item(draws, "What is " + text(share) + " percent of " + text(whole) + "?",
                     share * whole / 100);
}

Json digit_sum(Draws& draws) {
  const std::int64_t number = draws.between(10'000, 9'999'999);
  std::int64_t right = 0;
  for (std::int64_t rest = number; rest > 0; rest /= 10) right += rest % 10;
  return number_item(draws, "What is the sum of the digits of " + text(number) + "?", right);
}

Json sequence(Draws& draws) {
  const std::int64_t start = draws.between(2, 60), step = draws.between(3, 25);
  std::string question = "Which number comes next: ";
  for (int i = 0; i < 4; ++i) question += text(start + i * step) + ", ";
  return number_item(draws, question + "...?", start + 4 * step);
}

const std::vector<std::string>& people() {
  static const std::vector<std::string> kNames = {"Ada",  "Bruno", "Clara", "Dev",  "Elif",
                                                  "Finn", "Greta", "Hugo",  "Ines", "Jonas",
                                                  "Kim",  "Lena",  "Milo",  "Nadia"};
  return kNames;
}
const std::vector<std::string>& things() {
  static const std::vector<std::string> kThings = {"pens",   "apples", "stamps", "marbles",
                                                   "cards",  "shells", "coins",  "buttons",
                                                   "plates", "candles"};
  return kThings;
}

Json boxes(Draws& draws) {
  const std::string& name = draws.pick(people());
  const std::string& thing = draws.pick(things());
  const std::int64_t count = draws.between(3, 12), each = draws.between(8, 19);
  const std::int64_t given = draws.between(5, count * each - 11);
  return number_item(draws,
                     name + " has " + text(count) + " boxes with " + text(each) + " " + thing +
                         " in each box and gives " + text(given) + " " + thing +
                         " away. How many " + thing + " are left?",
                     count * each - given);
}

Json shares(Draws& draws) {
  const std::string& name = draws.pick(people());
  const std::string& thing = draws.pick(things());
  const std::int64_t friends = draws.between(3, 9), each = draws.between(11, 30);
  const std::int64_t bought = draws.between(5, friends * each - 5);
  return number_item(draws,
                     name + " has " + text(friends * each - bought) + " " + thing + ", buys " +
                         text(bought) + " more and shares all of them equally among " +
                         text(friends) + " friends. How many " + thing + " does each friend get?",
                     each);
}

Json trip(Draws& draws) {
  const std::string& name = draws.pick(people());
  const std::int64_t speed = draws.between(4, 30), first = draws.between(2, 6);
  const std::int64_t more = draws.between(5, 40);
  return number_item(draws,
                     name + " rides " + text(speed) + " km an hour for " + text(first) +
                         " hours and then walks " + text(more) +
                         " km. How many kilometres is that in all?",
                     speed * first + more);
}

}  // namespace

std::vector<Json> draw_arithmetic(Draws& draws) {
  static const std::vector<Json (*)(Draws&)> kForms = {
      sum,        difference, product,  quotient, precedence, brackets, remainder,
      percentage, digit_sum,  sequence, boxes,    shares,     trip};
  return {draws.pick(kForms)(draws)};
}

}  // namespace crucible::task
