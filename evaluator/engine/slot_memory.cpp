#include "evaluator/engine/slot_memory.hpp"

namespace crucible::engine {

void SlotMemory::release(std::uint32_t cell) {
  if (--holders_[cell] > 0) return;
  free_.push_back(cell);
  --used_;
}

void SlotMemory::truncate(std::size_t slot, std::size_t length) {
  auto& cells = slots_[slot];
  if (cells.size() <= length) return;
  for (std::size_t i = length; i < cells.size(); ++i) release(cells[i]);
  cells.resize(length);
  decoder_.truncate(static_cast<std::int32_t>(slot), length);
}

void SlotMemory::share(std::size_t from, std::size_t to, std::size_t length) {
  if (from == to) return truncate(to, length);
  truncate(to, 0);
  if (length == 0) return;
  slots_[to].assign(slots_[from].begin(),
                    slots_[from].begin() + static_cast<std::ptrdiff_t>(length));
  for (const std::uint32_t cell : slots_[to]) ++holders_[cell];
  decoder_.share(static_cast<std::int32_t>(from), static_cast<std::int32_t>(to), length);
}

void SlotMemory::append(std::size_t slot, std::size_t tokens) {
  for (std::size_t i = 0; i < tokens; ++i) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(holders_.size()));
      holders_.push_back(0);
    }
    const std::uint32_t cell = free_.back();
    free_.pop_back();
    holders_[cell] = 1;
    slots_[slot].push_back(cell);
    ++used_;
  }
}

}  // namespace crucible::engine
