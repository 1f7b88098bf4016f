#include <chrono>
#include <cmath>
#include <utility>

#include "evaluator/run/answers.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/run/flags.hpp"
#include "evaluator/run/result_cache.hpp"
#include "evaluator/run/score_intervals.hpp"
#include "evaluator/run/segments.hpp"

namespace crucible::run {
namespace {

using task::OutputType;

// Why the longest answer that the task allows leaves no room for a prompt; "" if it does.
std::string too_long(const task::Task& task, std::uint32_t context_length) {
  if (context_length == 0) return "";  // not known
  for (const task::Item& item : task.items) {
    const std::uint32_t most = item.generation.value_or(task.generation).max_new_tokens;
    if (most < context_length) continue;
    return "an answer of up to " + std::to_string(most) +
           " tokens leaves no room for a prompt in the model's context of " +
           std::to_string(context_length);
  }
  return "";
}

Status check_answerable(const engine::LanguageModel& model, const task::Suite& suite,
                        const EvaluationOptions& options) {
  const engine::Capabilities able = model.capabilities();
  for (const task::Task& task : suite.tasks) {
    const bool generates = task.output_type == OutputType::kGenerateUntil ||
                           task.output_type == OutputType::kConversation;
    const bool conversation = task.output_type == OutputType::kConversation;
    std::string why;
    if (generates && !able.generation) why = "the model's engine cannot generate text";
    if (!generates && !able.prompt_logprobs) {
      why =
          "it needs log-probabilities of the prompt, which the model's engine does not give; "
          "its score would be chance";
    }
    if (conversation && !options.grade) why = "its conversations need a judge";
    if (generates && why.empty()) why = too_long(task, model.description().context_length);
    if (!why.empty()) return fail(ErrorCode::kUnsupported, "task " + task.name + ": " + why);
  }
  return {};
}

Status check_suite(const task::Suite& suite) {
  if (suite.tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument, "suite " + suite.name + " has no tasks");
  }
  Error error{ErrorCode::kUnsupported,
              "suite " + suite.name + " asks for what this build does not have",
              {}};
  for (std::size_t i = 0; i < suite.tasks.size(); ++i) {
    const task::Task& task = suite.tasks[i];
    if (task.items.empty()) {
      return fail(ErrorCode::kInvalidArgument, "task " + task.name + " has no items");
    }
    if (task.output_type == OutputType::kConversation) continue;
    for (Fault& fault : metric::check_scoring(task)) {
      fault.path = "tasks[" + std::to_string(i) + "]." + fault.path;
      fault.message = task.name + ": " + fault.message;
      error.faults.push_back(std::move(fault));
    }
  }
  return error.faults.empty() ? Status{} : fail(std::move(error));
}

std::size_t total_requests(const task::Suite& suite) {
  std::size_t count = 0;
  for (const task::Task& task : suite.tasks) {
    for (const task::Item& item : task.items) count += request_count(task, item);
  }
  return count;
}

// One pass over a suite.
class Evaluation {
 public:
  Evaluation(engine::LanguageModel& model, const task::Suite& suite,
             const EvaluationOptions& options)
      : model_(model), suite_(suite), options_(options), total_(total_requests(suite)) {}

  Result<EvaluationReport> run();

 private:
  Result<TaskResult> run_task(const task::Task& task);
  Result<SegmentAnswers> answers_of(const task::Task& task, const Segment& segment);
  Status score(const task::Task& task, const Segment& segment, SegmentAnswers answers,
               TaskResult& result);
  Result<std::vector<std::vector<metric::ItemScore>>> grade(const task::Task& task,
                                                            const Segment& segment,
                                                            const SegmentAnswers& answers);
  Result<Sample> sample_of(const task::Task& task, std::size_t index, const ItemAnswers& answers,
                           std::vector<metric::ItemScore>* graded);
  void keep(const Digest& key, const SegmentAnswers& answers);

  engine::LanguageModel& model_;
  const task::Suite& suite_;
  const EvaluationOptions& options_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  EvaluationReport report_;
};

Result<SegmentAnswers> Evaluation::answers_of(const task::Task& task, const Segment& segment) {
  const std::size_t items = segment.end - segment.begin;
  const Digest key = segment_key(segment, model_.description());
  std::size_t requests = 0;
  for (std::size_t i = segment.begin; i < segment.end; ++i) {
    requests += request_count(task, task.items[i]);
  }
  const std::string stage = "evaluate " + task.name;
  const std::uint64_t before = done_;
  done_ += requests;
  if (options_.cache != nullptr) {
    if (const auto kept = options_.cache->find(key)) {
      if (auto answers = decode(*kept, items)) {
        report_.kept_items += items;
        if (options_.progress) options_.progress({stage, done_, total_, "requests"});
        return answers;
      }
    }
  }
  const ProgressSink forward = [&](const Progress& inner) {
    if (options_.progress) {
      options_.progress(
          {stage, before + std::min<std::uint64_t>(inner.done, requests), total_, "requests"});
    }
  };
  auto answers = ask(model_, task, segment, forward, options_.stop);
  if (answers) keep(key, *answers);
  return answers;
}

// A cache that cannot be written costs time later, not the evaluation.
void Evaluation::keep(const Digest& key, const SegmentAnswers& answers) {
  if (options_.cache == nullptr || !report_.cache_fault.empty()) return;
  if (auto added = options_.cache->add(key, encode(answers)); !added) {
    report_.cache_fault = added.error().message;
  }
}

// What the judge says of the items of a segment, in their order.
Result<std::vector<std::vector<metric::ItemScore>>> Evaluation::grade(
    const task::Task& task, const Segment& segment, const SegmentAnswers& answers) {
  std::vector<metric::Responses> responses;
  for (const ItemAnswers& own : answers.items) responses.push_back(own.responses());
  std::vector<AnsweredItem> items;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    items.push_back({&task.items[segment.begin + i], &responses[i]});
  }
  auto graded = options_.grade(task, items);
  if (graded && graded->size() != items.size()) {
    return fail(ErrorCode::kInternal, "the judge did not grade every item");
  }
  return graded;
}

Result<Sample> Evaluation::sample_of(const task::Task& task, std::size_t index,
                                     const ItemAnswers& answers,
                                     std::vector<metric::ItemScore>* graded) {
  const task::Item& item = task.items[index];
  Sample sample;
  sample.item = index;
  sample.responses = answers.responses();
  for (const auto& one : answers.loglikelihoods) {
    if (!std::isfinite(one.sum_logprob)) {
      return fail(ErrorCode::kCorrupt, "the model yields no finite log-probability");
    }
    sample.truncated = sample.truncated || one.truncated;
  }
  for (const auto& one : answers.rolling) {
    if (!std::isfinite(one.sum_logprob)) {
      return fail(ErrorCode::kCorrupt, "the model yields no finite log-probability");
    }
  }
  for (const auto& one : answers.generations) sample.truncated = sample.truncated || one.truncated;
  auto scores = graded != nullptr ? Result<std::vector<metric::ItemScore>>(std::move(*graded))
                                  : metric::score_item(task, item, sample.responses);
  if (!scores) return fail(std::move(scores.error()));
  if (scores->size() != task.filters.size()) {
    return fail(ErrorCode::kInternal, "as many scores as filters were expected");
  }
  for (const metric::ItemScore& score : *scores) {
    if (sample.note.empty()) sample.note = score.note;
  }
  sample.scores = std::move(*scores);
  return sample;
}

Status Evaluation::score(const task::Task& task, const Segment& segment, SegmentAnswers answers,
                         TaskResult& result) {
  std::vector<std::vector<metric::ItemScore>> graded;
  const bool judged = task.output_type == OutputType::kConversation;
  if (judged) {
    auto scores = grade(task, segment, answers);
    if (!scores) return fail(std::move(scores.error()));
    graded = std::move(*scores);
  }
  for (std::size_t i = segment.begin; i < segment.end; ++i) {
    const std::size_t place = i - segment.begin;
    auto sample = sample_of(task, i, answers.items[place], judged ? &graded[place] : nullptr);
    if (!sample) {
      return fail(std::move(sample.error()).with_context("item " + task.items[i].id));
    }
    count_doubts(task, *sample, result);
    result.samples.push_back(std::move(*sample));
  }
  report_.account.prompt_tokens_asked += answers.account.prompt_tokens_asked;
  report_.account.prompt_tokens_computed += answers.account.prompt_tokens_computed;
  report_.account.tokens_generated += answers.account.tokens_generated;
  return {};
}

Result<TaskResult> Evaluation::run_task(const task::Task& task) {
  TaskResult result;
  result.task = task.name;
  result.samples.reserve(task.items.size());
  for (const Segment& segment : split(task)) {
    if (options_.stop.stop_requested()) {
      return fail(ErrorCode::kCancelled, "evaluation was cancelled");
    }
    auto answers = answers_of(task, segment);
    if (!answers) return fail(std::move(answers.error()));
    auto scored = score(task, segment, std::move(*answers), result);
    if (!scored) return fail(std::move(scored.error()));
  }
  auto metrics = metrics_of(task, result.samples);
  if (!metrics) return fail(std::move(metrics.error()));
  result.metrics = std::move(*metrics);
  return result;
}

Result<EvaluationReport> Evaluation::run() {
  const auto begin = std::chrono::steady_clock::now();
  report_.started =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  report_.suite = suite_.name;
  report_.suite_digest = suite_.digest;
  report_.model = model_.description();
  for (const task::Task& task : suite_.tasks) {
    auto result = run_task(task);
    if (!result) return fail(std::move(result.error()).with_context("task " + task.name));
    report_.items += result->samples.size();
    report_.tasks.push_back(std::move(*result));
  }
  report_.groups = groups_of(suite_, report_.tasks);
  auto score = score_of(suite_.score, report_.tasks);
  if (!score) return fail(std::move(score.error()).with_context("suite " + suite_.name));
  report_.score = std::move(*score);
  report_.flags = flags_of(suite_, report_);
  report_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return std::move(report_);
}

}  // namespace

Result<EvaluationReport> evaluate(engine::LanguageModel& model, const task::Suite& suite,
                                  const EvaluationOptions& options) {
  if (auto status = check_suite(suite); !status) return fail(std::move(status.error()));
  if (auto status = check_answerable(model, suite, options); !status) {
    return fail(std::move(status.error()));
  }
  return Evaluation(model, suite, options).run();
}

}  // namespace crucible::run
