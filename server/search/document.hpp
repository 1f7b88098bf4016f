#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/recipe/recipe.hpp"
#include "server/sampler/specification.hpp"
#include "server/search/variable.hpp"

// A sweep document: a recipe with placeholders, the space of their values, who chooses points of
// it, which suites judge, and what it may cost. schemas/sweep.schema.json is its description.
namespace crucible::server::search {

// Nothing beyond these is spent. Items count one candidate's answer to one item, references and the
// final report included; 0 = no limit of its own.
struct Budget {
  std::size_t trials = 0;  // merges that the sampler asks for
  std::size_t items = 0;
  std::uint64_t tokens = 0;  // of prompts, looked at after each piece of work
  double minutes = 0;        // of work, over all attempts; a piece of work in progress is dropped
};

struct Racing {
  bool enabled = true;
  double alpha = 0.05;             // the best candidate is eliminated with at most this probability
  std::vector<std::size_t> rungs;  // numbers of items; empty = 32, 64, 128, …
  double indifference = 0;         // a difference of scores that does not matter
};

enum class Keep { kNone, kWinner, kAll };  // which models are written

struct Document {
  std::string name;
  std::string recipe;  // with placeholders
  std::vector<Variable> variables;
  sampler::Specification sampler;
  sampler::Point standard;  // the point that takes part as the reference "default"
  std::vector<std::string> suites;
  bool objective_per_suite = false;  // nsga2: one objective a suite; else their mean
  Racing racing;
  Budget budget;
  double tune_share = 0.5;
  std::uint64_t seed = 0;
  Keep keep = Keep::kWinner;
};

// Text in YAML or JSON. kInvalidArgument with all faults and their paths (`space.t.float[1]`).
Result<Document> read_document(std::string_view text);

// Points whose recipes together mention every model that any recipe of the search may: the default,
// both ends of everything, and each value of each choice.
std::vector<sampler::Point> probe_points(const Document& document);

// The recipe at a point, not yet checked as one.
Result<std::string> render(const Document& document, const sampler::Point& point);
// {"t": 0.5, "w": [0, 1]}.
nlohmann::json values_at(const Document& document, const sampler::Point& point);

}  // namespace crucible::server::search
