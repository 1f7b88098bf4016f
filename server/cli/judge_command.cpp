#include "server/cli/judge_command.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>

#include "evaluator/judge/conversations.hpp"
#include "evaluator/judge/judge.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/progress_line.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;
using judge::Conversation;

std::optional<std::size_t> limit_of(std::size_t limit) {
  return limit > 0 ? std::optional(limit) : std::nullopt;
}

engine::Call call_with(ProgressLine& line, const std::stop_token& stop) {
  engine::Call call;
  call.progress = [&line](const Progress& progress) { line.show(progress); };
  call.stop = stop;
  return call;
}

// Answers to the task's items in their order; kNotFound names one that is missing.
Result<std::vector<Conversation>> conversations_of(const task::Task& task,
                                                   const std::string& file) {
  const auto answers = judge::read_answers(file);
  if (!answers) return fail(answers.error());
  std::vector<Conversation> talks;
  for (const task::Item& item : task.items) {
    const auto found = answers->find(item.id);
    if (found == answers->end() || found->second.size() < item.turns.size()) {
      return fail(ErrorCode::kNotFound, file + " has no whole answer to question " + item.id);
    }
    talks.push_back({&item,
                     {found->second.begin(),
                      found->second.begin() + static_cast<std::ptrdiff_t>(item.turns.size())}});
  }
  return talks;
}

std::string model_of(const std::string& file) { return fs::path(file).stem().string(); }

Json number_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json ratings_json(const std::vector<judge::Rating>& ratings,
                  const std::map<std::string, std::string>& categories, bool first_only) {
  Json models = Json::array();
  for (const auto& [model, summary] : judge::summarize(ratings, categories, first_only)) {
    Json turns = Json::object();
    for (const auto& [turn, mean] : summary.turns) {
      turns[std::to_string(turn)] = number_or_null(mean.mean());
    }
    Json parts = Json::object();
    for (const auto& [category, mean] : summary.categories) {
      parts[category] = number_or_null(mean.mean());
    }
    models.push_back({{"model", model},
                      {"rating", number_or_null(summary.all.mean())},
                      {"judgments", summary.all.count},
                      {"turns", std::move(turns)},
                      {"categories", std::move(parts)},
                      {"no_verdict", summary.dropped},
                      {"duplicates", summary.duplicates}});
  }
  return models;
}

Json pairs_json(const std::vector<judge::Comparison>& comparisons) {
  Json pairs = Json::array();
  for (const auto& [names, summary] : judge::summarize(comparisons)) {
    pairs.push_back({{"model_1", names.first},
                     {"model_2", names.second},
                     {"wins_1", summary.wins_1},
                     {"wins_2", summary.wins_2},
                     {"ties", summary.ties},
                     {"no_verdict", summary.errors},
                     {"win_rate_1", number_or_null(summary.win_rate_1())},
                     {"adjusted_win_rate_1", number_or_null(summary.adjusted_win_rate_1())}});
  }
  return pairs;
}

std::string shown(const Json& value) {
  if (!value.is_number()) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", value.get<double>());
  return text.data();
}

// Ratings of one judge and one set of prompts, or comparisons, as text.
void show(const Json& result, const CommonOptions& common) {
  if (common.json) return print_json(result);
  print("judge " + result["judge"].get<std::string>() + "\n");
  for (const Json& model : result.value("models", Json::array())) {
    print("  " + model["model"].get<std::string>() + "  rating " + shown(model["rating"]) +
          " over " + model["judgments"].dump() + ", no verdict " + model["no_verdict"].dump() +
          ", duplicates " + model["duplicates"].dump() + "\n");
    for (const char* group : {"turns", "categories"}) {
      for (const auto& [name, value] : model[group].items()) {
        print("    " + std::string(group[0] == 't' ? "turn " : "") + name + "  " + shown(value) +
              "\n");
      }
    }
  }
  for (const Json& pair : result.value("pairs", Json::array())) {
    print("  " + pair["model_1"].get<std::string>() + " against " +
          pair["model_2"].get<std::string>() + ": wins " + pair["wins_1"].dump() + ", ties " +
          pair["ties"].dump() + ", losses " + pair["wins_2"].dump() + ", no verdict " +
          pair["no_verdict"].dump() + "; adjusted win rate " + shown(pair["adjusted_win_rate_1"]) +
          "\n");
  }
}

// What the judging commands have in common.
struct Session {
  task::Task task;
  judge::Judging judging;
};

Result<Session> open_session(const JudgeGradeOptions& options, const std::stop_token& stop) {
  const auto folder = mt_bench_folder(options.judging.data);
  if (!folder) return fail(folder.error());
  auto task = judge::mt_bench_task(*folder, limit_of(options.limit));
  if (!task) return fail(std::move(task.error()));
  auto judging = open_judging(options.judging, options.out, stop);
  if (!judging) return fail(std::move(judging.error()));
  return Session{std::move(*task), std::move(*judging)};
}

Result<Json> grade_singles(const JudgeGradeOptions& options, Session& session,
                           const std::stop_token& stop) {
  ProgressLine line(stderr, is_terminal(stderr));
  std::vector<judge::Rating> all;
  for (const std::string& file : options.answers) {
    const auto talks = conversations_of(session.task, file);
    if (!talks) return fail(talks.error());
    auto ratings = session.judging.judge().rate(*talks, model_of(file), call_with(line, stop));
    if (!ratings) return fail(std::move(ratings.error()));
    all.insert(all.end(), ratings->begin(), ratings->end());
  }
  line.finish();
  std::map<std::string, std::string> categories;
  for (const task::Item& item : session.task.items) {
    categories[item.id] = item.document.value("category", task::Json("")).get<std::string>();
  }
  return Json{{"judge", session.judging.judge().identity()},
              {"models", ratings_json(all, categories, false)}};
}

Result<Json> grade_pair(const JudgeGradeOptions& options, Session& session,
                        const std::stop_token& stop) {
  if (options.answers.size() != 2) {
    return fail(ErrorCode::kInvalidArgument, "a pair is two files of answers");
  }
  const auto first = conversations_of(session.task, options.answers[0]);
  if (!first) return fail(first.error());
  const auto second = conversations_of(session.task, options.answers[1]);
  if (!second) return fail(second.error());
  ProgressLine line(stderr, is_terminal(stderr));
  auto compared =
      session.judging.judge().compare(*first, model_of(options.answers[0]), *second,
                                      model_of(options.answers[1]), call_with(line, stop));
  line.finish();
  if (!compared) return fail(std::move(compared.error()));
  return Json{{"judge", session.judging.judge().identity()}, {"pairs", pairs_json(*compared)}};
}

int grade(const JudgeGradeOptions& options, const CommonOptions& common,
          Result<Json> (*run)(const JudgeGradeOptions&, Session&, const std::stop_token&)) {
  const InterruptGuard interrupt;
  auto session = open_session(options, interrupt.token());
  if (!session) return report(session.error(), common);
  const auto result = run(options, *session, interrupt.token());
  if (!result) return report(result.error(), common);
  show(*result, common);
  return kSuccess;
}

Status write_answers(const task::Task& task, const std::vector<std::vector<std::string>>& answers,
                     const std::string& name, const std::string& path) {
  auto file = judge::LineFile::open(path);
  if (!file) return fail(std::move(file.error()));
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    const Json line = judge::answer_line(task.items[i].id, name, answers[i]);
    if (auto added = file->add(line); !added) return added;
  }
  return {};
}

// Whether the file holds comparisons: its first line says so.
bool holds_pairs(const std::vector<Json>& lines) {
  return !lines.empty() && lines.front().contains("g1_judgment");
}

// Ratings apart by judge and prompts: their scores must not share a mean.
Json rating_results(const std::vector<judge::Rating>& ratings,
                    const std::map<std::string, std::string>& categories, bool first_only) {
  std::map<std::string, std::vector<judge::Rating>> by_judge;
  for (const judge::Rating& rating : ratings) by_judge[rating.identity].push_back(rating);
  Json results = Json::array();
  for (const auto& [name, own] : by_judge) {
    results.push_back({{"judge", name}, {"models", ratings_json(own, categories, first_only)}});
  }
  return results;
}

Result<Json> scores_of(const JudgeScoresOptions& options, const std::string& file,
                       const std::map<std::string, std::string>& categories) {
  const auto lines = judge::read_lines(file);
  if (!lines) return fail(lines.error());
  if (!holds_pairs(*lines)) {
    const auto read = judge::read_ratings(file);
    if (!read) return fail(read.error());
    Json results = rating_results(read->ratings, categories, options.first_only);
    for (Json& result : results) result["disagreements"] = read->disagreements;
    return results;
  }
  const auto read = judge::read_comparisons(file);
  if (!read) return fail(read.error());
  std::map<std::string, std::vector<judge::Comparison>> by_judge;
  for (const judge::Comparison& one : read->comparisons) by_judge[one.identity].push_back(one);
  Json results = Json::array();
  for (const auto& [name, own] : by_judge) {
    results.push_back(
        {{"judge", name}, {"pairs", pairs_json(own)}, {"disagreements", read->disagreements}});
  }
  return results;
}

}  // namespace

int judge_answer(const JudgeAnswerOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto folder = mt_bench_folder(options.data);
  if (!folder) return report(folder.error(), common);
  const auto task = judge::mt_bench_task(*folder, limit_of(options.limit));
  if (!task) return report(task.error(), common);
  auto model = load_model(options.model, interrupt.token());
  if (!model) return report(model.error(), common);
  ProgressLine line(stderr, is_terminal(stderr));
  const auto answers = judge::run_conversations(**model, *task, call_with(line, interrupt.token()));
  line.finish();
  if (!answers) return report(answers.error(), common);
  const std::string name =
      options.name.empty() ? model_label(options.model, **model) : options.name;
  if (auto written = write_answers(*task, *answers, name, options.out); !written) {
    return report(written.error(), common);
  }
  if (common.json) {
    print_json(Json{{"answers", options.out}, {"questions", task->items.size()}});
  } else {
    print(std::to_string(task->items.size()) + " questions answered in " + options.out + "\n");
  }
  return kSuccess;
}

int judge_single(const JudgeGradeOptions& options, const CommonOptions& common) {
  return grade(options, common, grade_singles);
}

int judge_pair(const JudgeGradeOptions& options, const CommonOptions& common) {
  return grade(options, common, grade_pair);
}

int judge_scores(const JudgeScoresOptions& options, const CommonOptions& common) {
  std::map<std::string, std::string> categories;
  if (!options.data.empty()) {
    const auto questions = judge::read_questions(fs::path(options.data) / "question.jsonl");
    if (!questions) return report(questions.error(), common);
    for (const auto& question : *questions) categories[question.id] = question.category;
  }
  Json all = Json::array();
  for (const std::string& file : options.judgments) {
    const auto results = scores_of(options, file, categories);
    if (!results) return report(results.error(), common);
    for (const Json& result : *results) all.push_back(result);
  }
  if (common.json) {
    print_json(Json{{"items", std::move(all)}});
  } else {
    for (const Json& result : all) show(result, common);
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
