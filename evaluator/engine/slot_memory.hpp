#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "evaluator/engine/decoder.hpp"

namespace crucible::engine {

// Which tokens each sequence of a decoder holds and how many cells they take together, shared ones
// counted once.
class SlotMemory {
 public:
  SlotMemory(Decoder& decoder, std::size_t slots) : decoder_(decoder), slots_(slots) {}

  std::size_t length(std::size_t slot) const { return slots_[slot].size(); }
  std::size_t used_cells() const { return used_; }

  void truncate(std::size_t slot, std::size_t length);
  // `to` forgets what it holds and begins with the first `length` tokens of `from`.
  void share(std::size_t from, std::size_t to, std::size_t length);
  void append(std::size_t slot, std::size_t tokens);

 private:
  void release(std::uint32_t cell);

  Decoder& decoder_;
  std::vector<std::vector<std::uint32_t>> slots_;  // cells of each
  std::vector<std::uint32_t> holders_;             // slots that hold a cell
  std::vector<std::uint32_t> free_;                // cells that none holds
  std::size_t used_ = 0;
};

}  // namespace crucible::engine
