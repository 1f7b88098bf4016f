#include "evaluator/judge/judgment.hpp"

#include <chrono>
#include <cmath>
#include <set>
#include <span>
#include <tuple>

#include "merger/base/json_text.hpp"

namespace crucible::judge {
namespace {

constexpr std::uint64_t kFileLimit = 1ULL << 30;

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// An id as text, whatever type it has.
std::string id_text(const Json& id) { return id.is_string() ? id.get<std::string>() : id.dump(); }
Json id_json(const std::string& id) {
  const Json number = parse_untrusted_json<Json>(id);
  return number.is_number_integer() ? number : Json(id);
}

std::string text_at(const Json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "judge" is a name, or the names of judge and prompt.
std::string judge_at(const Json& line, std::size_t part) {
  const auto found = line.find("judge");
  if (found == line.end()) return {};
  if (found->is_string()) return part == 0 ? found->get<std::string>() : std::string();
  if (found->is_array() && part < found->size() && (*found)[part].is_string()) {
    return (*found)[part].get<std::string>();
  }
  return {};
}

unsigned turn_at(const Json& line) {
  const auto found = line.find("turn");
  return found != line.end() && found->is_number_unsigned() ? found->get<unsigned>() : 1;
}

tl::unexpected<Error> bad_line(const std::filesystem::path& file, std::size_t line,
                               std::string_view wants) {
  return fail(ErrorCode::kCorrupt, file.string() + ":" + std::to_string(line) +
                                       ": a judgment has " + std::string(wants));
}

bool same_score(const std::optional<double>& ours, const Json& line) {
  const auto found = line.find("score");
  if (found == line.end() || !found->is_number()) return true;  // nothing to compare with
  return found->get<double>() == ours.value_or(-1);
}

}  // namespace

Json to_json(const Rating& rating) {
  return {{"question_id", id_json(rating.question)},
          {"model", rating.model},
          {"judge", {rating.judge, rating.prompt}},
          {"user_prompt", rating.user_prompt},
          {"judgment", rating.judgment},
          {"score", rating.score ? Json(*rating.score) : Json(-1)},
          {"turn", rating.turn},
          {"tstamp", now()},
          {"judge_identity", rating.identity},
          {"prompt_digest", rating.prompt_digest},
          {"seed", rating.seed},
          {"note", rating.note}};
}

Json to_json(const Comparison& comparison) {
  return {{"question_id", id_json(comparison.question)},
          {"model_1", comparison.model_1},
          {"model_2", comparison.model_2},
          {"g1_winner", to_string(comparison.first)},
          {"g2_winner", to_string(comparison.second)},
          {"judge", {comparison.judge, comparison.prompt}},
          {"g1_user_prompt", comparison.first_prompt},
          {"g1_judgment", comparison.first_judgment},
          {"g2_user_prompt", comparison.second_prompt},
          {"g2_judgment", comparison.second_judgment},
          {"turn", comparison.turn},
          {"tstamp", now()},
          {"judge_identity", comparison.identity},
          {"prompt_digest", comparison.prompt_digest},
          {"seed", comparison.seed}};
}

Result<std::vector<Json>> read_lines(const std::filesystem::path& file) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(text.error());
  std::vector<Json> lines;
  std::size_t number = 0;
  for (std::size_t start = 0; start < text->size();) {
    const std::size_t end = std::min(text->find('\n', start), text->size());
    const std::string_view line = std::string_view(*text).substr(start, end - start);
    start = end + 1;
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    Json json = parse_untrusted_json<Json>(line);
    if (!json.is_object()) {
      return fail(ErrorCode::kCorrupt,
                  file.string() + ":" + std::to_string(number) + ": not a JSON object");
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

Result<RatingFile> read_ratings(const std::filesystem::path& file) {
  const auto lines = read_lines(file);
  if (!lines) return fail(lines.error());
  RatingFile out;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const Json& line = (*lines)[i];
    if (!line.contains("question_id") || !line.contains("judgment") || !line.contains("model")) {
      return bad_line(file, i + 1, "question_id, model and judgment");
    }
    Rating rating;
    rating.question = id_text(line["question_id"]);
    rating.model = text_at(line, "model");
    rating.judge = judge_at(line, 0);
    rating.prompt = judge_at(line, 1);
    rating.identity =
        line.contains("judge_identity") ? text_at(line, "judge_identity") : rating.judge;
    rating.turn = turn_at(line);
    rating.user_prompt = text_at(line, "user_prompt");
    rating.judgment = text_at(line, "judgment");
    rating.prompt_digest = text_at(line, "prompt_digest");
    rating.note = text_at(line, "note");
    // A note says that the words are no verdict although a number stands in them.
    if (rating.note.empty()) rating.score = parse_rating(without_reasoning(rating.judgment));
    if (!same_score(rating.score, line)) ++out.disagreements;
    out.ratings.push_back(std::move(rating));
  }
  return out;
}

Result<ComparisonFile> read_comparisons(const std::filesystem::path& file) {
  const auto lines = read_lines(file);
  if (!lines) return fail(lines.error());
  ComparisonFile out;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const Json& line = (*lines)[i];
    if (!line.contains("question_id") || !line.contains("g1_judgment") ||
        !line.contains("g2_judgment")) {
      return bad_line(file, i + 1, "question_id, g1_judgment and g2_judgment");
    }
    Comparison one;
    one.question = id_text(line["question_id"]);
    one.model_1 = text_at(line, "model_1");
    one.model_2 = text_at(line, "model_2");
    one.judge = judge_at(line, 0);
    one.prompt = judge_at(line, 1);
    one.identity = line.contains("judge_identity") ? text_at(line, "judge_identity") : one.judge;
    one.turn = turn_at(line);
    one.first_judgment = text_at(line, "g1_judgment");
    one.second_judgment = text_at(line, "g2_judgment");
    one.first = parse_preference(without_reasoning(one.first_judgment), false);
    one.second = parse_preference(without_reasoning(one.second_judgment), true);
    if (winner_from(text_at(line, "g1_winner")) != one.first ||
        winner_from(text_at(line, "g2_winner")) != one.second) {
      ++out.disagreements;
    }
    out.comparisons.push_back(std::move(one));
  }
  return out;
}

Result<LineFile> LineFile::open(const std::filesystem::path& path) {
  std::error_code ignored;
  auto file =
      std::filesystem::exists(path, ignored) ? io::File::open_write(path) : io::File::create(path);
  if (!file) return fail(std::move(file.error()));
  const auto size = file->size();
  if (!size) return fail(size.error());
  return LineFile(std::move(*file), *size);
}

Status LineFile::add(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (auto written = file_.pwrite(std::as_bytes(std::span(text)), end_); !written) return written;
  end_ += text.size();
  return {};
}

std::map<std::string, RatingSummary> summarize(const std::vector<Rating>& ratings,
                                               const std::map<std::string, std::string>& categories,
                                               bool first_only) {
  std::map<std::string, RatingSummary> summaries;
  std::set<std::tuple<std::string, std::string, unsigned>> seen;
  for (const Rating& rating : ratings) {
    RatingSummary& summary = summaries[rating.model];
    const bool is_new = seen.emplace(rating.model, rating.question, rating.turn).second;
    if (!is_new) {
      ++summary.duplicates;
      if (first_only) continue;
    }
    if (!rating.score) {
      ++summary.dropped;
      continue;
    }
    const auto add = [&](RatingMean& mean) {
      ++mean.count;
      mean.sum += *rating.score;
    };
    add(summary.all);
    add(summary.turns[rating.turn]);
    const auto category = categories.find(rating.question);
    if (category != categories.end()) add(summary.categories[category->second]);
  }
  return summaries;
}

double PairSummary::win_rate_1() const {
  return static_cast<double>(wins_1) / static_cast<double>(count());
}

double PairSummary::adjusted_win_rate_1() const {
  return (static_cast<double>(wins_1) + 0.5 * static_cast<double>(ties)) /
         static_cast<double>(count());
}

std::map<std::pair<std::string, std::string>, PairSummary> summarize(
    const std::vector<Comparison>& comparisons) {
  std::map<std::pair<std::string, std::string>, PairSummary> summaries;
  for (const Comparison& one : comparisons) {
    PairSummary& summary = summaries[{one.model_1, one.model_2}];
    switch (agreed(one.first, one.second)) {
      case Winner::kModel1:
        ++summary.wins_1;
        break;
      case Winner::kModel2:
        ++summary.wins_2;
        break;
      case Winner::kTie:
        ++summary.ties;
        break;
      case Winner::kError:
        ++summary.errors;
        break;
    }
  }
  return summaries;
}

}  // namespace crucible::judge
