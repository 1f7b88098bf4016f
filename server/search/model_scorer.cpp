#include "server/search/model_scorer.hpp"

#include <chrono>
#include <map>

#include "evaluator/run/evaluation.hpp"
#include "evaluator/run/open_model.hpp"

namespace crucible::server::search {
namespace {

using Clock = std::chrono::steady_clock;

// The tasks of these places with their items only, and where each place went.
struct Subset {
  task::Suite suite;
  std::vector<std::pair<std::size_t, std::size_t>> places;  // task and item of `suite`
  std::vector<std::size_t> tasks;                           // numbers in the plan
};

// All of a task but its items, which may be many.
task::Task without_items(const task::Task& task) {
  task::Task copy;
  copy.name = task.name;
  copy.alias = task.alias;
  copy.version = task.version;
  copy.output_type = task.output_type;
  copy.num_fewshot = task.num_fewshot;
  copy.bos = task.bos;
  copy.generation = task.generation;
  copy.repeats = task.repeats;
  copy.attempts = task.attempts;
  copy.retry_temperature_step = task.retry_temperature_step;
  copy.filters = task.filters;
  copy.metrics = task.metrics;
  copy.process_results = task.process_results;
  copy.primary_metric = task.primary_metric;
  copy.primary_filter = task.primary_filter;
  return copy;
}

Subset subset_of(const ItemPlan& items, std::span<const race::ItemPlace> places) {
  Subset subset;
  subset.suite.name = "sweep";
  std::map<std::size_t, std::size_t> numbers;
  for (const race::ItemPlace& place : places) {
    const auto [found, added] = numbers.emplace(place.suite, subset.suite.tasks.size());
    if (added) {
      task::Task task = without_items(items.task(place.suite));
      task::ScoreRule leaf;
      leaf.name = leaf.task = task.name;
      leaf.metric = task.primary_metric;
      leaf.filter = task.primary_filter;
      subset.suite.score.of.push_back(std::move(leaf));
      subset.suite.tasks.push_back(std::move(task));
      subset.tasks.push_back(place.suite);
    }
    task::Task& task = subset.suite.tasks[found->second];
    subset.places.emplace_back(found->second, task.items.size());
    task.items.push_back(items.task(place.suite).items[place.item]);
    task.original_items = task.items.size();
  }
  return subset;
}

// 1 is best whatever the metric.
Result<double> score_of(const task::Task& task, const run::Sample& sample) {
  for (const metric::ItemScore& score : sample.scores) {
    if (score.filter != task.primary_filter) continue;
    const auto value = score.metrics.find(task.primary_metric);
    if (value == score.metrics.end() || value->second.numbers.empty()) continue;
    const double number = value->second.numbers[0];
    if (!(number >= 0 && number <= 1)) {
      return fail(ErrorCode::kUnsupported, task.name + " gave a score that is not from 0 to 1");
    }
    const auto setting =
        std::ranges::find(task.metrics, task.primary_metric, &task::MetricSetting::metric);
    const bool higher = setting == task.metrics.end() || setting->higher_is_better;
    return higher ? number : 1 - number;
  }
  return 0.0;  // an answer from which nothing could be read
}

}  // namespace

Result<trial::TrialModel> ModelScorer::load(const Candidate& candidate) {
  const ProgressSink progress = [&](const Progress& note) {
    if (options_.progress) options_.progress(candidate.name, note);
  };
  if (candidate.recipe.empty()) {
    recipe::ModelReference reference;
    reference.path = candidate.model;
    auto folder = resolver_(reference);
    if (!folder) return fail(std::move(folder).error());
    auto model = run::open_model(folder->string(), options_.engine);
    if (!model) return fail(std::move(model).error());
    return trial::TrialModel{std::move(*model), {}, {}};
  }
  auto recipe = recipe::read_recipe(candidate.recipe);
  if (!recipe) return fail(std::move(recipe).error());
  return trial::load_recipe(*recipe, resolver_,
                            {options_.merge, options_.engine, progress, options_.stop}, memory_);
}

Status ModelScorer::hold(const Candidate& candidate) {
  if (model_ && held_ == candidate.name) return {};
  model_.reset();
  auto loaded = load(candidate);
  if (!loaded) return fail(std::move(loaded).error());
  model_ = std::move(loaded->model);
  held_ = candidate.name;
  return {};
}

Result<Scores> ModelScorer::score(const Candidate& candidate,
                                  std::span<const race::ItemPlace> places) {
  const auto start = Clock::now();
  if (auto status = hold(candidate); !status) return fail(std::move(status).error());
  const Subset subset = subset_of(items_, places);
  run::EvaluationOptions evaluation;
  evaluation.stop = options_.stop;
  evaluation.progress = [&](const Progress& note) {
    if (options_.progress) options_.progress(candidate.name, note);
  };
  auto report = run::evaluate(*model_, subset.suite, evaluation);
  if (!report) return fail(std::move(report).error());
  Scores scores;
  for (const auto& [task, item] : subset.places) {
    auto score = score_of(subset.suite.tasks[task], report->tasks[task].samples[item]);
    if (!score) return fail(std::move(score).error());
    scores.values.push_back(*score);
  }
  scores.tokens = report->account.prompt_tokens_computed;
  scores.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return scores;
}

}  // namespace crucible::server::search
