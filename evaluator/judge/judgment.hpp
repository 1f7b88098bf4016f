#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluator/judge/verdict.hpp"
#include "merger/base/error.hpp"
#include "merger/base/io.hpp"
#include "nlohmann/json.hpp"

// Judgments as files: JSON Lines in the layout of FastChat's model_judgment, with the prompt's
// digest, the seed and what was wrong beside its fields. Every one is kept, readable or not.
namespace crucible::judge {

using Json = nlohmann::ordered_json;

// One answer, rated.
struct Rating {
  std::string question;  // its id
  std::string model;
  std::string judge;     // name of the judging model
  std::string identity;  // Judge::identity(); the judge's name in files of others
  std::string prompt;    // name of the prompt
  unsigned turn = 1;
  std::optional<double> score;  // none: no verdict; -1 in files
  std::string user_prompt;
  std::string judgment;  // the judge's words
  std::string prompt_digest;
  std::uint64_t seed = 0;
  std::string note;  // why there is no verdict
};

// Two answers, compared in both orders.
struct Comparison {
  std::string question;
  std::string model_1;
  std::string model_2;
  std::string judge;
  std::string identity;
  std::string prompt;
  unsigned turn = 1;
  Winner first = Winner::kError;   // model_1's answer shown first
  Winner second = Winner::kError;  // model_2's answer shown first
  std::string first_prompt, first_judgment;
  std::string second_prompt, second_judgment;
  std::string prompt_digest;
  std::uint64_t seed = 0;
};

Json to_json(const Rating& rating);
Json to_json(const Comparison& comparison);

// Every line is read again by our own rules: the score is what parse_rating makes of the judge's
// words, not what the file says. Lines where the two differ are counted in `disagreements`.
// kCorrupt with file and line.
struct RatingFile {
  std::vector<Rating> ratings;
  std::size_t disagreements = 0;
};
Result<RatingFile> read_ratings(const std::filesystem::path& file);
struct ComparisonFile {
  std::vector<Comparison> comparisons;
  std::size_t disagreements = 0;
};
Result<ComparisonFile> read_comparisons(const std::filesystem::path& file);

// Lines of objects; kCorrupt with file and line.
Result<std::vector<Json>> read_lines(const std::filesystem::path& file);

// Appends lines to a file, which is created when it is not there.
class LineFile {
 public:
  static Result<LineFile> open(const std::filesystem::path& path);
  Status add(const Json& line);

 private:
  explicit LineFile(io::File file, std::uint64_t end) : file_(std::move(file)), end_(end) {}
  io::File file_;
  std::uint64_t end_;
};

// Means by MT-Bench's rules: rows without a verdict are dropped, and the overall mean is over all
// rows that are left, not over the two turns' means.
struct RatingMean {
  std::size_t count = 0;
  double sum = 0;
  double mean() const { return sum / static_cast<double>(count); }  // NaN of nothing
};
struct RatingSummary {
  RatingMean all;
  std::map<unsigned, RatingMean> turns;
  std::map<std::string, RatingMean> categories;  // where the question's is known
  std::size_t dropped = 0;                       // rows without a verdict
  std::size_t duplicates = 0;  // rows of a question and turn that an earlier row had
};
// By model. `categories`: of question ids. With `first_only` duplicates are left out.
std::map<std::string, RatingSummary> summarize(const std::vector<Rating>& ratings,
                                               const std::map<std::string, std::string>& categories,
                                               bool first_only = false);

// Wins of a pair of models; both counts of a row are of the same question and turn.
struct PairSummary {
  std::size_t wins_1 = 0;
  std::size_t wins_2 = 0;
  std::size_t ties = 0;
  std::size_t errors = 0;  // rows without a verdict in either order: dropped

  std::size_t count() const { return wins_1 + wins_2 + ties; }
  double win_rate_1() const;           // NaN of nothing
  double adjusted_win_rate_1() const;  // (wins + ties / 2) / count
};
// By (model_1, model_2).
std::map<std::pair<std::string, std::string>, PairSummary> summarize(
    const std::vector<Comparison>& comparisons);

}  // namespace crucible::judge
