#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Answers of the MATH data set (Hendrycks et al. 2021) as text: where they stand in a solution, and
// normal forms in which equal answers are often equal strings. Rules of lm-evaluation-harness
// 0.4.13 (tasks/hendrycks_math, minerva_math, leaderboard/math, agieval; MIT).
namespace crucible::metric {

// The last \boxed{…}, \boxed … or \fbox{…} with balanced braces, with its command.
std::optional<std::string> last_boxed(const std::string& solution);
// What is inside of it; nothing where the braces do not fit.
std::optional<std::string> remove_boxed(const std::string& boxed);

// What "a/b" of other than whole numbers does: raises in hendrycks_math, stays in agieval.
enum class SlashRule { kStrict, kLenient };
// Hendrycks' normal form; nothing where the original raises (an empty argument of \frac or \sqrt).
std::optional<std::string> hendrycks_normal(const std::string& answer, SlashRule rule);
// Equality of normal forms; of the plain strings where one has none.
bool hendrycks_equal(const std::string& first, const std::string& second, SlashRule rule);

// The text between "Final Answer: The final answer is" and "I hope it is correct.", or
// "[invalidanswer]".
std::string minerva_final_answer(const std::string& text);
// Lewkowycz et al. 2022, appendix D, as the Open LLM Leaderboard v2 had it. What minerva_math uses
// now is task::normalize_minerva_answer.
std::string leaderboard_normal(const std::string& answer);

// AGIEval's: in the last box, else between the last dollar signs, else after "=", else the last
// number.
std::optional<std::string> agieval_math_answer(const std::string& text);

inline constexpr std::string_view kInvalidAnswer = "[invalidanswer]";

}  // namespace crucible::metric
