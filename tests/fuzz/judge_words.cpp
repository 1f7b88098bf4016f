#include "evaluator/judge/conversations.hpp"
#include "evaluator/judge/judgment.hpp"
#include "evaluator/judge/rubric.hpp"
#include "evaluator/judge/verdict.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/scratch_file.hpp"

namespace {

using namespace crucible;
using fuzz::accepted;
using fuzz::require;

// What a judge says. No verdict but for the marks that the rules know.
void read_verdicts(std::string_view text) {
  const std::string_view said = judge::without_reasoning(text);
  require(text.ends_with(said));
  if (const auto rating = judge::parse_rating(said)) {
    require(*rating >= 0 && said.find('[') != std::string_view::npos);
  }
  const judge::Winner winner = judge::parse_preference(said, false);
  const judge::Winner swapped = judge::parse_preference(said, true);
  require((winner == judge::Winner::kModel1) == (swapped == judge::Winner::kModel2));
  require((winner == judge::Winner::kTie) == (swapped == judge::Winner::kTie));
  require(judge::winner_from(judge::to_string(winner)) == winner);
  if (said.find("[[") == std::string_view::npos) require(winner == judge::Winner::kError);
}

void fill_prompt(std::string_view text) {
  const auto names = judge::placeholders(text);
  if (!accepted(names)) return;
  std::map<std::string, std::string> values;
  for (const std::string& name : *names) values[name] = "{" + name + "}";
  require(accepted(judge::fill(text, values)));
  if (!names->empty()) require(!judge::fill(text, {}).has_value());
}

void read_file(unsigned kind, std::string_view text) {
  static const fuzz::ScratchFolder folder;
  const auto file = folder.path() / "judge.jsonl";
  fuzz::put(file, fuzz::bytes_of(text));
  switch (kind) {
    case 2:
      (void)accepted(judge::read_rubric(file));
      break;
    case 3:
      (void)accepted(judge::read_mt_bench_prompts(file));
      break;
    case 4:
      (void)accepted(judge::read_questions(file));
      break;
    case 5:
      (void)accepted(judge::read_answers(file));
      break;
    case 6:
      if (const auto read = judge::read_ratings(file); accepted(read))
        (void)judge::summarize(read->ratings, {}, true);
      break;
    default:
      if (const auto read = judge::read_comparisons(file); accepted(read))
        (void)judge::summarize(read->comparisons);
  }
}

}  // namespace

// Judges' answers, and the files of judging: rubrics, prompts, questions, answers, judgments.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  switch (const unsigned kind = input.choice(8)) {
    case 0:
      read_verdicts(input.rest());
      break;
    case 1:
      fill_prompt(input.rest());
      break;
    default:
      read_file(kind, input.rest());
  }
  return 0;
}
