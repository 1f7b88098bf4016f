#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/guarded.hpp"

namespace crucible::plan {

// Bytes of a merged tensor as a file would hold them.
using TensorBytes = std::shared_ptr<const std::vector<std::byte>>;

// Merged tensors by key (TensorKeys), so that merges that differ in few of them compute the others
// once. Keeps the tensors used last within a budget of bytes; those that were never found again
// give way to those that were (segmented LRU: Karedla, Love and Wherry, IEEE Computer 27(3), 1994),
// so that what a sweep varies does not push out what it shares. What else there is to know of a
// tensor, which is small, is kept for many more. Thread-safe.
class TensorCache {
 public:
  explicit TensorCache(std::uint64_t budget_bytes) : budget_(budget_bytes) {}

  struct Facts {
    std::uint64_t not_finite = 0;  // NaN and infinities
    std::uint64_t draws = 0;       // random numbers that computing it draws
  };
  struct Counts {
    std::uint64_t hits = 0;        // find gave bytes
    std::uint64_t misses = 0;      // it did not
    std::uint64_t kept_bytes = 0;  // now
  };

  // nullopt: never seen, or forgotten.
  std::optional<Facts> facts(const Digest& key) const;
  // nullptr: not kept.
  TensorBytes find(const Digest& key);
  // Of a tensor larger than the budget only the facts are kept.
  void add(const Digest& key, const Facts& facts, TensorBytes bytes);
  Counts counts() const;

 private:
  static constexpr std::size_t kMostFacts = 1U << 18;
  struct Node {
    Digest key;
    Facts facts;
    TensorBytes bytes;
    bool found_again = false;
  };
  using Nodes = std::list<Node>;  // the last used first
  struct State {
    Nodes found;  // with bytes
    Nodes fresh;  // with bytes, never found again
    Nodes bare;   // without
    std::map<Digest, Nodes::iterator> places;
    Counts counts;
  };
  static Nodes& list_of(State& state, const Node& node);
  void make_room(State& state) const;

  std::uint64_t budget_;
  Guarded<State> state_;
};

}  // namespace crucible::plan
