#include "server/worker/attempt.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <iterator>
#include <new>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "evaluator/engine/hidden_states.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/judge/judging.hpp"
#include "evaluator/run/compare_reports.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/run/open_model.hpp"
#include "evaluator/run/result_cache.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/suite.hpp"
#include "merger/base/io.hpp"
#include "merger/base/read_roots.hpp"
#include "merger/moe/moe.hpp"
#include "merger/plan/merge.hpp"
#include "server/pipeline/artefact.hpp"
#include "server/pipeline/evaluation_result.hpp"
#include "server/pipeline/model_catalog.hpp"
#include "server/pipeline/model_sources.hpp"
#include "server/pipeline/spec.hpp"
#include "server/pipeline/sweep_stage.hpp"
#include "server/pipeline/work.hpp"
#include "server/search/model_scorer.hpp"
#include "server/search/report.hpp"
#include "server/search/search.hpp"
#include "server/search/summary.hpp"
#include "server/worker/confinement.hpp"

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

// Kept answers of this model, if they can be opened: without them the work is only longer.
std::optional<run::ResultCache> open_cache(const pipeline::EvaluationSpec& spec) {
  const auto digest = Digest::from_hex(spec.model_digest);
  if (spec.cache.empty() || !digest) return std::nullopt;
  auto cache = run::ResultCache::open(spec.cache, *digest);
  if (cache) return std::move(*cache);
  std::fprintf(stderr, "answers are not kept: %s\n", describe(cache.error()).c_str());
  return std::nullopt;
}

// The result with the digests of its files, which publishing checks.
Result<json> write_files(const std::filesystem::path& out, const task::Suite& suite,
                         const run::EvaluationReport& report, json result) {
  auto status = io::make_folders(out);
  if (status) {
    status = io::write_new_file(out / "samples.jsonl", run::compact_samples(suite, report));
  }
  if (status) status = io::write_new_file(out / "report.json", result.dump(2) + "\n");
  if (status) status = io::sync_folder(out);
  if (!status) return fail(std::move(status).error());
  auto files = pipeline::hash_files(out, "");
  if (!files) return fail(std::move(files).error());
  result["files"] = pipeline::told_files(*files);
  return result;
}

std::vector<std::filesystem::path> datasets_of(const pipeline::EvaluationSpec& spec) {
  return {spec.datasets.begin(), spec.datasets.end()};
}

Result<task::Suite> suite_of(const pipeline::EvaluationSpec& spec) {
  if (!spec.judge.is_null()) {
    return pipeline::judged_suite(pipeline::judge_spec_from(spec.judge), datasets_of(spec));
  }
  task::FolderDatasets datasets(datasets_of(spec));
  task::BuildOptions build;
  build.datasets = &datasets;
  return task::read_suite(spec.suite_file, build);
}

Result<std::unique_ptr<engine::LanguageModel>> open_model(const json& endpoint,
                                                          const std::string& folder,
                                                          unsigned threads,
                                                          const std::stop_token& stop) {
  if (!endpoint.is_null()) {
    return endpoint::load_endpoint_model(pipeline::endpoint_options_from(endpoint), stop);
  }
  engine::LlamaOptions options;
  options.threads = threads;
  return run::open_model(folder, options);
}

// The suite's judge, its judgments beside the report; none where rules score.
Result<std::optional<judge::Judging>> open_judging(const pipeline::EvaluationSpec& spec,
                                                   const std::stop_token& stop) {
  if (spec.judge.is_null()) return std::nullopt;
  const pipeline::JudgeSpec judge = pipeline::judge_spec_from(spec.judge);
  const bool is_endpoint = !judge.source.endpoint.empty();
  auto rubric = pipeline::rubric_of(judge, datasets_of(spec));
  if (!rubric) return fail(std::move(rubric).error());
  auto model = open_model(is_endpoint ? pipeline::to_json(judge.endpoint) : json(),
                          judge.source.folder.string(), spec.threads, stop);
  if (!model) return fail(std::move(model).error().with_context("the judge"));
  if (auto made = io::make_folders(spec.out); !made) return fail(std::move(made).error());
  auto judging =
      judge::Judging::open(std::move(*model), std::move(*rubric), pipeline::settings_of(judge),
                           std::filesystem::path(spec.out) / "judgments.jsonl");
  if (!judging) return fail(std::move(judging).error());
  return std::optional(std::move(*judging));
}

Result<json> run_evaluation(const json& object, const ProgressSink& progress,
                            std::stop_token stop) {
  auto spec = pipeline::evaluation_spec_from(object);
  if (!spec) return fail(std::move(spec).error());
  auto suite = suite_of(*spec);
  if (!suite) return fail(std::move(suite).error());
  progress({"load", 0, 0, ""});
  auto model = open_model(spec->endpoint, spec->model_folder, spec->threads, stop);
  if (!model) return fail(std::move(model).error());
  auto judging = open_judging(*spec, stop);
  if (!judging) return fail(std::move(judging).error());
  auto cache = open_cache(*spec);
  const run::Grader grade = *judging ? (*judging)->grader(progress, stop) : nullptr;
  auto report = run::evaluate(**model, *suite, {progress, stop, cache ? &*cache : nullptr, grade});
  if (!report) return fail(std::move(report).error());
  if (report->kept_items > 0) {
    std::fprintf(stderr, "answers to %zu of %zu items were kept from before\n", report->kept_items,
                 report->items);
  }
  if (!report->cache_fault.empty()) {
    std::fprintf(stderr, "answers are no longer kept: %s\n", report->cache_fault.c_str());
  }
  return write_files(spec->out, *suite, *report, to_json(pipeline::result_of(*report, *suite)));
}

Result<std::vector<task::Suite>> suites_of(const pipeline::SweepSpec& spec) {
  task::FolderDatasets datasets({spec.datasets.begin(), spec.datasets.end()});
  task::BuildOptions build;
  build.datasets = &datasets;
  std::vector<task::Suite> suites;
  for (const std::string& file : spec.suite_files) {
    auto suite = task::read_suite(file, build);
    if (!suite) return fail(std::move(suite).error());
    suites.push_back(std::move(*suite));
  }
  return suites;
}

search::ModelScorerOptions scorer_options(const pipeline::SweepSpec& spec, std::uint64_t seed,
                                          const ProgressSink& progress, std::stop_token stop) {
  search::ModelScorerOptions options;
  options.merge.seed = seed;
  options.merge.threads = spec.threads;
  options.merge.memory_bytes = spec.memory_bytes;
  options.engine.threads = spec.threads;
  options.cache_bytes = spec.cache_bytes;
  options.progress = [progress](const std::string& candidate, const Progress& note) {
    progress({candidate + ": " + note.stage, note.done, note.total, note.unit});
  };
  options.stop = std::move(stop);
  return options;
}

Result<json> run_sweep(const json& object, const ProgressSink& progress, std::stop_token stop) {
  auto spec = pipeline::sweep_spec_from(object);
  if (!spec) return fail(std::move(spec).error());
  auto document = search::read_document(spec->document);
  if (!document) return fail(std::move(document).error());
  auto suites = suites_of(*spec);
  if (!suites) return fail(std::move(suites).error());
  auto items = search::ItemPlan::make(*suites, document->tune_share, document->seed);
  if (!items) return fail(std::move(items).error());
  const plan::ModelResolver resolver =
      [&](const recipe::ModelReference& reference) -> Result<std::filesystem::path> {
    const auto found = spec->folders.find(reference.text());
    if (found != spec->folders.end()) return std::filesystem::path(found->second);
    return fail(ErrorCode::kNotFound, "the sweep has no model " + reference.text());
  };
  search::ModelScorer scorer(*items, resolver,
                             scorer_options(*spec, document->seed, progress, stop));
  auto kept = search::kept_from(spec->events);
  if (!kept) return fail(std::move(kept).error());
  auto parents = search::parents_of(*document);
  if (!parents) return fail(std::move(parents).error());
  search::SearchOptions options;
  options.parents = std::move(*parents);
  options.stop = stop;
  options.settings = pipeline::engine_version() + " f32";
  options.sink = [](const json& event) -> Status {
    send(pipeline::event_line(event));
    return {};
  };
  auto report = search::run_search(*document, *items, scorer, *kept, options);
  if (!report) return fail(std::move(report).error());
  json keep = search::to_keep(*document, *report);
  return json{{"report", std::move(*report)}, {"keep", std::move(keep)}};
}

Result<json> run(const json& spec, std::stop_token stop) {
  const ProgressSink progress = [sender = ProgressSender()](const Progress& note) mutable {
    sender(note);
  };
  const std::string kind = spec.value("kind", "");
  if (kind == "merge") return run_merge(spec, progress, stop);
  if (kind == "evaluation") return run_evaluation(spec, progress, stop);
  if (kind == "sweep") return run_sweep(spec, progress, stop);
  return fail(ErrorCode::kInternal, "unknown kind of work: " + kind);
}

// Gives up everything that the job does not need, before any file of a stranger is opened.
Status confine(const json& spec) {
  const Confinement confinement = confinement_from(spec);
  for (const std::string& root : confinement.roots) {
    if (auto status = io::add_read_root(root); !status) return status;
  }
  for (const std::string& folder : confinement.trusted) io::add_trusted_folder(folder);
  if (!confinement.required) return {};
  sandbox::Plan plan;
  if (spec.value("kind", "") == "merge") {
    auto merge = pipeline::merge_spec_from(spec);
    if (!merge) return fail(std::move(merge).error());
    plan = plan_for(*merge);
  } else if (spec.value("kind", "") == "sweep") {
    auto sweep = pipeline::sweep_spec_from(spec);
    if (!sweep) return fail(std::move(sweep).error());
    plan = plan_for(*sweep);
  } else {
    auto evaluation = pipeline::evaluation_spec_from(spec);
    if (!evaluation) return fail(std::move(evaluation).error());
    plan = plan_for(*evaluation);
  }
  plan.memory_bytes = confinement.memory_bytes;
  auto entered = sandbox::enter(plan);
  if (!entered) return fail(std::move(entered).error());
  std::fprintf(stderr, "sandbox: %s%s\n", entered->c_str(), plan.ports.empty() ? "" : ", network");
  return {};
}

Result<json> run_guarded(const std::string& input, const std::function<std::stop_token()>& start) {
  try {
    const json spec = json::parse(input);
    if (auto status = confine(spec); !status) return fail(std::move(status).error());
    return run(spec, start());
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
  // SIGTERM is taken by a thread of its own: no handler runs inside the arithmetic. The thread
  // starts when the sandbox is closed, which binds those that come later only.
  std::stop_source stop;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto start = [&signals, &stop] {
    std::thread([signals, stop]() mutable {
      int number = 0;
      sigwait(&signals, &number);
      stop.request_stop();
    }).detach();
    return stop.get_token();
  };
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  auto result = run_guarded(input, start);
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
