#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>
#include <utility>
#include <vector>

// Python's random.Random and numpy's legacy RandomState, draw for draw: few-shot examples and
// shuffled options are part of a benchmark's prompts. Facts: CPython Lib/random.py and
// Modules/_randommodule.c (PSF licence), numpy/random/mtrand (BSD); checked by golden values.
namespace crucible::task {

// random.Random(seed) for an integer or text seed. Not thread-safe.
class PythonRandom {
 public:
  explicit PythonRandom(std::uint64_t seed);
  explicit PythonRandom(std::string_view text);  // random.Random("text"), version 2 seeding

  double random();                           // [0, 1), 53 bits
  std::uint64_t getrandbits(unsigned bits);  // 1 to 64
  std::uint64_t below(std::uint64_t bound);  // uniform in [0, bound), bound > 0
  // random.sample(range(n), k): k distinct numbers under n; k must not exceed n.
  std::vector<std::size_t> sample(std::size_t n, std::size_t k);
  // random.choices(range(n), k=k): with repetition; n > 0.
  std::vector<std::size_t> choices(std::size_t n, std::size_t k);
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i-- > 1;) {
      const auto j = static_cast<std::size_t>(below(i + 1));
      if (i != j) std::swap(values[i], values[j]);
    }
  }

 private:
  std::uint32_t word() { return static_cast<std::uint32_t>(generator_()); }
  std::mt19937 generator_;
};

// numpy.random.RandomState(seed).permutation(n).
std::vector<std::size_t> numpy_permutation(std::uint32_t seed, std::size_t n);

}  // namespace crucible::task
