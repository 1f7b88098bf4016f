#include <algorithm>
#include <cctype>
#include <optional>
#include <stdexcept>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/task/math_shots.hpp"
#include "evaluator/task/minerva_answer.hpp"
#include "evaluator/text/strings.hpp"

// Functions of the task folders about the MATH data set.
namespace crucible::task {
namespace {

constexpr std::string_view kInvalid = "[invalidanswer]";

// The last \boxed{…} or \fbox{…} of a solution with balanced braces; nothing where there is none.
std::optional<std::string> last_boxed(const std::string& solution) {
  if (solution.find("\\boxed ") != std::string::npos) {
    const std::string last = text::split(solution, "\\boxed ").back();
    return "\\boxed " + last.substr(0, last.find('$'));
  }
  std::size_t begin = solution.rfind("\\boxed");
  if (begin == std::string::npos) begin = solution.rfind("\\fbox");
  if (begin == std::string::npos) return std::nullopt;
  std::size_t open = 0;
  for (std::size_t i = begin; i < solution.size(); ++i) {
    if (solution[i] == '{') ++open;
    if (solution[i] == '}' && open > 0 && --open == 0) return solution.substr(begin, i + 1 - begin);
  }
  return std::nullopt;
}

std::optional<std::string> unboxed(const std::string& boxed) {
  constexpr std::string_view kSpaced = "\\boxed ";
  constexpr std::string_view kBraced = "\\boxed{";
  if (boxed.find(kSpaced) != std::string::npos) {
    if (!boxed.starts_with(kSpaced)) return std::nullopt;
    return boxed.substr(kSpaced.size());
  }
  if (!boxed.starts_with(kBraced) || !boxed.ends_with('}')) return std::nullopt;
  return boxed.substr(kBraced.size(), boxed.size() - kBraced.size() - 1);
}

std::string boxed_answer(const Json& doc) {
  const auto boxed = last_boxed(text_at(doc, "solution"));
  const auto answer = boxed ? unboxed(*boxed) : std::nullopt;
  if (!answer) throw std::runtime_error("the solution has no \\boxed{…} answer");
  return *answer;
}

std::string boxed_or_invalid(const Json& doc) {
  const auto boxed = last_boxed(text_at(doc, "solution"));
  return (boxed ? unboxed(*boxed) : std::nullopt).value_or(std::string(kInvalid));
}

RowsFunction level_five() {
  const RowsFunction keep =
      filter_rows([](const Json& doc) { return text_at(doc, "level") == "Level 5"; });
  const RowsFunction answer =
      map_rows([](Json& doc, FunctionState&) { doc["answer"] = boxed_or_invalid(doc); });
  return [keep, answer](std::vector<Json> rows, FunctionState& state) -> Result<std::vector<Json>> {
    auto kept = keep(std::move(rows), state);
    if (!kept) return kept;
    return answer(std::move(*kept), state);
  };
}

Json problem_text(const Json& doc) {
  return "Problem:\n" + text_at(doc, "problem") + "\n\nSolution:";
}

}  // namespace

void add_math_functions(RowsTable& rows, ValueTable& values) {
  rows["hendrycks_math/utils.process_docs"] =
      map_rows([](Json& doc, FunctionState&) { doc["answer"] = boxed_answer(doc); });
  rows["minerva_math/utils.process_docs"] = map_rows([](Json& doc, FunctionState&) {
    doc["answer"] = normalize_minerva_answer(boxed_answer(doc));
  });
  rows["leaderboard/math/utils.process_docs"] = level_five();
  values["minerva_math/utils.doc_to_text"] = guarded(problem_text);
  values["leaderboard/math/utils.doc_to_text"] = guarded(problem_text);
}

std::optional<std::vector<Json>> fewshot_samples(std::string_view path) {
  using Source = std::vector<Json> (*)();
  static const std::map<std::string, Source, std::less<>> kSources = {
      {"minerva_math/utils.list_fewshot_samples", minerva_shots},
      {"leaderboard/math/utils.list_fewshot_samples", leaderboard_math_shots}};
  const Source* source = find_by_ending(kSources, path);
  return source == nullptr ? std::nullopt : std::optional((*source)());
}

}  // namespace crucible::task
