#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace crucible::method {

// The Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), the generator behind torch's CPU
// random functions. Copyable: a copy goes on from the same place. Bulk operations only, which
// vectorise.
class Mt19937 {
 public:
  explicit Mt19937(std::uint32_t seed = 5489);
  void draw(std::span<std::uint32_t> out);        // the next out.size() numbers
  void skip(std::uint64_t count);                 // as draw, without the numbers
  std::uint64_t drawn() const { return drawn_; }  // numbers handed out since the seed

 private:
  static constexpr std::size_t kWords = 624;
  void twist();
  std::array<std::uint32_t, kWords> state_;
  std::size_t position_ = kWords;  // next word to hand out
  std::uint64_t drawn_ = 0;
};

}  // namespace crucible::method
