#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"

// What a judge is told and how its verdict is read: MT-Bench's published prompts, or a file of
// one's own. README.md has both forms.
namespace crucible::judge {

// One prompt for the judge. `{name}` stands for a value, `{{` and `}}` for braces, as in Python's
// str.format.
struct JudgePrompt {
  std::string name;  // "single-v1"
  std::string system;
  std::string text;
};

// Which prompt is used when. The last turn asked about decides: the first alone, or a later one
// with everything before it.
struct PromptUse {
  bool pair = false;       // two answers are compared; else one is rated
  bool reference = false;  // with reference answers
  bool later_turn = false;
};

struct Rubric {
  std::string name;  // "mt-bench"
  double least = 1;  // of the scale; a rating outside is no verdict
  double most = 10;
  std::set<std::string> reference_categories;  // graded with reference answers

  const JudgePrompt* find(const PromptUse& use) const;
  void set(const PromptUse& use, JudgePrompt prompt);
  // Over prompts, scale and categories: what makes scores comparable.
  Digest digest() const;

 private:
  std::array<std::optional<JudgePrompt>, 8> prompts_;
};

// MT-Bench's judge_prompts.jsonl (FastChat, Apache-2.0): the prompts single-v1, single-math-v1,
// pair-v2, pair-math-v1 and their -multi-turn forms. kCorrupt: not that format.
Result<Rubric> read_mt_bench_prompts(const std::filesystem::path& file);
// A YAML file (README.md). All faults at once.
Result<Rubric> read_rubric(const std::filesystem::path& file);

// `text` with its placeholders filled, in one pass: braces in values stay as they are.
// kInvalidArgument: a placeholder without a value, a lone brace.
Result<std::string> fill(std::string_view text, const std::map<std::string, std::string>& values);
// Names of the placeholders.
Result<std::set<std::string>> placeholders(std::string_view text);

}  // namespace crucible::judge
