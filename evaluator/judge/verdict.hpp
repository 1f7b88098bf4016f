#pragma once

#include <optional>
#include <string>
#include <string_view>

// Reading a judge's words. What cannot be read is no verdict, never a score.
namespace crucible::judge {

// MT-Bench's rule (FastChat llm_judge/common.py): the first `[[number]]`, else the first
// `[number]`, digits with an optional fraction. nullopt: there is none.
std::optional<double> parse_rating(std::string_view judgment);

enum class Winner { kModel1, kModel2, kTie, kError };
// "model_1", "model_2", "tie", "error", as FastChat's files spell them.
std::string_view to_string(Winner winner);
std::optional<Winner> winner_from(std::string_view text);

// `[[A]]`, `[[B]]` or `[[C]]`, looked for in that order; kError when there is none. A is the first
// answer shown; `swapped` says that it was the second model's.
Winner parse_preference(std::string_view judgment, bool swapped);

// A win is what both orders agree on, all else is a tie; kError when either order has no verdict.
Winner agreed(Winner first_order, Winner second_order);

// Without what a reasoning model thinks aloud: everything up to the last `</think>`.
std::string_view without_reasoning(std::string_view judgment);

}  // namespace crucible::judge
