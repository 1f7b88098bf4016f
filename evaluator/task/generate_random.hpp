#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "evaluator/task/task.hpp"

// What the generators of fresh items share.
namespace crucible::task {

// The same draws from the same seed on every machine.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}

  // Uniform in [0, bound), by rejection.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t excess = (UINT64_MAX % bound + 1) % bound;
    std::uint64_t draw = engine_();
    while (draw > UINT64_MAX - excess) draw = engine_();
    return draw % bound;
  }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
  }
  template <typename T>
  const T& pick(const std::vector<T>& list) {
    return list[below(list.size())];
  }
  template <typename T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[below(i)]);
  }
  // `count` different entries in random order.
  template <typename T>
  std::vector<T> sample(std::vector<T> list, std::size_t count) {
    shuffle(list);
    list.resize(count);
    return list;
  }

 private:
  std::mt19937_64 engine_;
};

// {"query", "choices", "gold"} with the options in random order.
Json choice_item(Draws& draws, const std::string& question, const std::string& right,
                 const std::vector<std::string>& wrong);

// Items of one draw: one, or several about one passage.
std::vector<Json> draw_arithmetic(Draws& draws);
std::vector<Json> draw_logic(Draws& draws);
std::vector<Json> draw_reading(Draws& draws);

}  // namespace crucible::task
