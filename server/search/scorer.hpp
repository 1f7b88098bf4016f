#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluator/race/item_split.hpp"
#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

namespace crucible::server::search {

// A merge in the race, or what it is measured against.
struct Candidate {
  std::string name;                  // "t17", "default", "parent sums"
  std::optional<std::size_t> trial;  // of the sampler; none: a reference
  std::string recipe;                // its text; "" for a parent
  std::string model;                 // of a parent: as the recipe names it
  nlohmann::json values = nlohmann::json::object();
};

// Who a candidate is, whatever its name: kept scores are found by it. `items` is
// ItemPlan::digest(), `settings` what else decides the answers (program, element type, seed of the
// merges).
std::string subject_of(const Candidate& candidate, const Digest& items, std::string_view settings);

struct Scores {
  std::vector<double> values;  // from 0 to 1, one an item
  std::uint64_t tokens = 0;    // of prompts, computed or kept
  double seconds = 0;
};

// Answers of candidates to items.
class Scorer {
 public:
  virtual ~Scorer() = default;
  // In the places' order. kInvalidArgument, kUnsupported and kCorrupt say that this candidate
  // cannot be made; the search then goes on without it. Other errors end the attempt.
  virtual Result<Scores> score(const Candidate& candidate,
                               std::span<const race::ItemPlace> places) = 0;
};

}  // namespace crucible::server::search
