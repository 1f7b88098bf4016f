#include "server/worker/attempt.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <new>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "evaluator/engine/hidden_states.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/run/evaluation.hpp"
#include "merger/base/io.hpp"
#include "merger/moe/moe.hpp"
#include "merger/plan/merge.hpp"
#include "server/pipeline/model_catalog.hpp"
#include "server/pipeline/spec.hpp"

namespace crucible::server::worker {
namespace {

using nlohmann::json;

constexpr int kFramesDescriptor = 3;
constexpr auto kProgressInterval = std::chrono::milliseconds(200);

void send(const std::string& line) {
  std::size_t written = 0;
  while (written < line.size()) {
    const auto count = ::write(kFramesDescriptor, line.data() + written, line.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the daemon is gone, and we soon are
    written += static_cast<std::size_t>(count);
  }
}

// Sends a stage's first note at once, later ones at intervals, and its last.
class ProgressSender {
 public:
  void operator()(const Progress& progress) {
    const auto now = std::chrono::steady_clock::now();
    const bool is_last = progress.total != 0 && progress.done >= progress.total;
    if (progress.stage == stage_ && now < due_ && !is_last) return;
    send(pipeline::progress_line(progress));
    stage_ = progress.stage;
    due_ = now + kProgressInterval;
  }

 private:
  std::string stage_;
  std::chrono::steady_clock::time_point due_{};
};

std::optional<double> finite(double number) {
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

Result<plan::MergeReport> execute(const pipeline::MergeOrder& order,
                                  const plan::ModelResolver& resolver,
                                  const plan::MergeOptions& options,
                                  const std::filesystem::path& out, const ProgressSink& progress,
                                  std::stop_token stop) {
  if (const auto* merge = std::get_if<recipe::Recipe>(&order.recipe()))
    return plan::merge(*merge, resolver, options, out, progress, stop);
  const auto load = [&options](const checkpoint::Checkpoint& base) {
    return engine::open_prompt_model(base.folder(), {engine::WeightType::kF32, options.threads});
  };
  return moe::build(std::get<moe::MoeRecipe>(order.recipe()), resolver, {options, std::nullopt},
                    load, out, progress, stop);
}

Result<json> run_merge(const json& object, const ProgressSink& progress, std::stop_token stop) {
  auto spec = pipeline::merge_spec_from(object);
  if (!spec) return fail(std::move(spec).error());
  auto order = pipeline::MergeOrder::read(spec->recipe);
  if (!order) return fail(std::move(order).error());
  const plan::ModelResolver resolver =
      [&](const recipe::ModelReference& reference) -> Result<std::filesystem::path> {
    const auto found = spec->folders.find(reference.text());
    if (found != spec->folders.end()) return std::filesystem::path(found->second);
    return fail(ErrorCode::kNotFound, "the job has no model " + reference.text());
  };
  plan::MergeOptions options;
  options.seed = spec->seed;
  options.compatibility = spec->compatibility;
  options.allow_nonfinite = spec->allow_nonfinite;
  options.threads = spec->threads;
  options.memory_bytes = spec->memory_bytes;
  options.shard_bytes = spec->shard_bytes;
  auto report = execute(*order, resolver, options, spec->out, progress, stop);
  if (!report) return fail(std::move(report).error());
  auto made = checkpoint::Checkpoint::open(spec->out);
  if (!made) return fail(std::move(made).error().with_context("reading the merged model back"));
  const auto facts = pipeline::describe(*made);
  return to_json(pipeline::MergeResult{report->content_digest.hex(), facts.architecture,
                                       facts.dtype, facts.parameters, facts.weight_bytes,
                                       report->seconds, report->warnings});
}

TaskScore score_of(const run::TaskResult& result) {
  TaskScore score{result.task,
                  result.version,
                  result.digest.hex(),
                  result.primary_metric,
                  static_cast<std::int64_t>(result.items),
                  {}};
  for (const run::Metric& metric : result.metrics) {
    score.metrics.push_back({metric.name, metric.value, finite(metric.stderr_)});
  }
  return score;
}

// One line an item: what was asked of which task, what came back, what counts.
std::string samples_text(const run::EvaluationReport& report) {
  std::string text;
  for (const run::TaskResult& task : report.tasks) {
    for (const run::Sample& sample : task.samples) {
      const json line = {{"task", task.task},
                         {"document_id", sample.document_id},
                         {"logprobs", sample.logprobs},
                         {"greedy", sample.greedy},
                         {"predicted", sample.predicted},
                         {"predicted_norm", sample.predicted_norm},
                         {"gold", sample.gold},
                         {"correct", sample.correct},
                         {"correct_norm", sample.correct_norm}};
      text += line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    }
  }
  return text;
}

Result<json> run_evaluation(const json& object, const ProgressSink& progress,
                            std::stop_token stop) {
  auto spec = pipeline::evaluation_spec_from(object);
  if (!spec) return fail(std::move(spec).error());
  auto suite = task::read_suite(spec->suite_file);
  if (!suite) return fail(std::move(suite).error());
  progress({"load", 0, 0, ""});
  engine::LlamaOptions options;
  options.threads = spec->threads;
  auto model = engine::load_llama_model(spec->model_folder, options);
  if (!model) return fail(std::move(model).error());
  auto report = run::evaluate(**model, *suite, progress, stop);
  if (!report) return fail(std::move(report).error());
  const std::filesystem::path out(spec->out);
  if (auto status = io::make_folders(out); !status) return fail(std::move(status).error());
  if (auto status = io::write_new_file(out / "samples.jsonl", samples_text(*report)); !status) {
    return fail(std::move(status).error());
  }
  pipeline::EvaluationResult result{report->suite,
                                    report->suite_digest.hex(),
                                    report->model.engine,
                                    report->model.dtype,
                                    report->score,
                                    finite(report->stderr_),
                                    static_cast<std::int64_t>(report->items),
                                    report->seconds,
                                    {}};
  for (const run::TaskResult& task : report->tasks) result.tasks.push_back(score_of(task));
  const json encoded = to_json(result);
  if (auto status = io::write_new_file(out / "report.json", encoded.dump(2) + "\n"); !status) {
    return fail(std::move(status).error());
  }
  if (auto status = io::sync_folder(out); !status) return fail(std::move(status).error());
  return encoded;
}

Result<json> run(const json& spec, std::stop_token stop) {
  const ProgressSink progress = [sender = ProgressSender()](const Progress& note) mutable {
    sender(note);
  };
  const std::string kind = spec.value("kind", "");
  if (kind == "merge") return run_merge(spec, progress, stop);
  if (kind == "evaluation") return run_evaluation(spec, progress, stop);
  return fail(ErrorCode::kInternal, "unknown kind of work: " + kind);
}

Result<json> run_guarded(const std::string& input, std::stop_token stop) {
  try {
    return run(json::parse(input), stop);
  } catch (const std::bad_alloc&) {
    return fail(ErrorCode::kUnavailable, "out of memory");
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kInternal, std::string("worker: ") + exception.what());
  }
}

}  // namespace

int run_attempt() {
  if (::fcntl(kFramesDescriptor, F_GETFD) < 0) {
    std::fputs("crucible work is started by the daemon, not by hand\n", stderr);
    return 2;
  }
  // SIGTERM is taken by a thread of its own: no handler runs inside the arithmetic.
  std::stop_source stop;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals, stop]() mutable {
    int number = 0;
    sigwait(&signals, &number);
    stop.request_stop();
  }).detach();

  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  auto result = run_guarded(input, stop.get_token());
  if (!result) {
    std::fprintf(stderr, "%s\n", describe(result.error()).c_str());
    send(pipeline::error_line(result.error()));
  } else {
    send(pipeline::result_line(*result));
  }
  std::fflush(nullptr);
  // The signal thread never ends by itself; destructors of statics have nothing to save.
  std::_Exit(result ? 0 : 1);
}

}  // namespace crucible::server::worker
