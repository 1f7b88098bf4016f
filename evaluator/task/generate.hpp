#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// Endless fresh items: what no model can have been trained on.
namespace crucible::task {

// "arithmetic", "logic", "reading".
std::vector<std::string> generator_kinds();

// `count` items in the form of multiple_choice_jsonl: {"query", "choices", "gold"}, for reading
// also "cluster". No two of one call ask the same. A function of kind, count and seed alone, on
// every machine; a longer call begins with the items of a shorter one. kInvalidArgument: an unknown
// kind, or a count above 100,000.
Result<std::vector<Json>> generate_items(const std::string& kind, std::size_t count,
                                         std::uint64_t seed);

}  // namespace crucible::task
