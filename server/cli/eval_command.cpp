#include "server/cli/eval_command.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "evaluator/run/evaluation.hpp"
#include "evaluator/run/open_model.hpp"
#include "evaluator/run/report_files.hpp"
#include "evaluator/run/result_cache.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/suite.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "merger/base/io.hpp"
#include "server/api/json.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/locate_model.hpp"
#include "server/cli/progress_line.hpp"
#include "server/cli/views.hpp"
#include "server/pipeline/evaluation_result.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> suite_folders(const EvalCommandOptions& options) {
  if (!options.suite_folders.empty()) {
    return {options.suite_folders.begin(), options.suite_folders.end()};
  }
  const char* environment = std::getenv("CRUCIBLE_SUITES");
  return {fs::path(environment != nullptr ? environment : "suites")};
}

fs::path default_cache() {
  const char* base = std::getenv("XDG_CACHE_HOME");
  if (base != nullptr && *base != '\0') return fs::path(base) / "crucible" / "evaluations";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : ".") / ".cache" / "crucible" / "evaluations";
}

// What the command line says of how tasks are asked. `model` is needed for its chat template only.
task::BuildOptions build_options(const EvalCommandOptions& options, task::DatasetSource& datasets,
                                 const engine::LanguageModel* model) {
  task::BuildOptions build;
  build.datasets = &datasets;
  build.num_fewshot = options.num_fewshot;
  build.limit = options.limit;
  build.fewshot_seed = options.seed;
  build.fewshot_as_multiturn = options.fewshot_as_multiturn;
  build.system_instruction = options.system_instruction;
  if (model != nullptr) {
    build.chat = [model](std::span<const engine::ChatMessage> messages, bool add_prompt) {
      return model->apply_chat_template(messages, add_prompt);
    };
  }
  return build;
}

bool higher_is_better(const task::Task& task) {
  const auto own =
      std::ranges::find(task.metrics, task.primary_metric, &task::MetricSetting::metric);
  return own == task.metrics.end() || own->higher_is_better;
}

// The plain mean of the primary metrics. A perplexity cannot be added to an accuracy: it counts
// only where there is nothing else.
task::ScoreRule mean_of_tasks(const task::Suite& suite) {
  task::ScoreRule mean;
  mean.name = suite.name;
  const bool any = std::ranges::any_of(suite.tasks, higher_is_better);
  for (const task::Task& task : suite.tasks) {
    if (any && !higher_is_better(task)) continue;
    task::ScoreRule leaf;
    leaf.name = task.alias.empty() ? task.name : task.alias;
    leaf.task = task.name;
    leaf.metric = task.primary_metric;
    leaf.filter = task.primary_filter;
    mean.of.push_back(std::move(leaf));
  }
  return mean;
}

// The tasks of --tasks as one suite.
Result<task::Suite> suite_of_tasks(const EvalCommandOptions& options,
                                   const task::BuildOptions& build) {
  auto catalog =
      task::TaskCatalog::open({options.include_paths.begin(), options.include_paths.end()});
  if (!catalog) return fail(std::move(catalog.error()));
  auto set = catalog->build(options.tasks, build);
  if (!set) return fail(std::move(set.error()));
  task::Suite suite;
  for (const std::string& name : options.tasks) {
    suite.name += (suite.name.empty() ? "" : ",") + name;
  }
  suite.version = "1";
  suite.tasks = std::move(set->tasks);
  suite.groups = std::move(set->groups);
  suite.score = mean_of_tasks(suite);
  Sha256 hash;
  for (const task::Task& task : suite.tasks) hash.field(task.digest.hex());
  suite.digest = hash.finish();
  return suite;
}

void override_bos(task::Suite& suite, bool with_bos) {
  Sha256 hash;
  hash.field(suite.digest.hex()).field(with_bos ? "bos" : "no bos");
  for (task::Task& task : suite.tasks) {
    task.bos = with_bos ? engine::BosRule::kTokenizer : engine::BosRule::kNever;
    task.digest = task::task_digest(task);
  }
  suite.digest = hash.finish();
}

// With MT-Bench's folder found among --datasets, where there are any.
JudgingOptions judging_options(const EvalCommandOptions& options) {
  JudgingOptions judging = options.judging;
  std::error_code ignored;
  for (const std::string& root : options.datasets) {
    const fs::path folder = fs::path(root) / "mt_bench";
    const bool here = fs::exists(folder / "question.jsonl", ignored);
    if (judging.data.empty() && here) judging.data = folder.string();
  }
  return judging;
}

// MT-Bench's questions lie in files of their own form.
Result<task::Suite> read_named_suite(const std::string& name, const std::vector<fs::path>& folders,
                                     const EvalCommandOptions& options,
                                     const task::BuildOptions& build) {
  const auto place = task::find_suite(name, folders);
  if (place) return task::read_suite(*place, build);
  if (name != "mt-bench") return fail(place.error());
  return mt_bench_folder(judging_options(options).data).and_then([&](const fs::path& folder) {
    return judge::mt_bench_suite(folder, options.limit);
  });
}

Result<std::vector<task::Suite>> read_suites(const EvalCommandOptions& options,
                                             const task::BuildOptions& build) {
  std::vector<task::Suite> suites;
  const auto folders = suite_folders(options);
  for (const std::string& name : options.suites) {
    auto suite = read_named_suite(name, folders, options, build);
    if (!suite) return fail(std::move(suite.error()).with_context("suite " + name));
    suites.push_back(std::move(*suite));
  }
  if (!options.tasks.empty()) {
    auto suite = suite_of_tasks(options, build);
    if (!suite) return fail(std::move(suite.error()));
    suites.push_back(std::move(*suite));
  }
  if (options.bos) {
    for (task::Suite& suite : suites) override_bos(suite, *options.bos);
  }
  return suites;
}

fs::path cache_folder(const EvalCommandOptions& options) {
  return options.cache.empty() ? default_cache() : fs::path(options.cache);
}

// A model by the name that it has on the command line.
struct Subject {
  std::string name;
  bool is_recipe = false;
};

// Of a model on this machine, or of a recipe's, whose identity is known. A cache that cannot be
// opened is said and done without; endpoints keep their answers themselves.
std::optional<run::ResultCache> open_cache(const EvalCommandOptions& options,
                                           const std::optional<Digest>& known) {
  if (options.no_cache || endpoint::is_url(options.model.model)) return std::nullopt;
  const auto identity = [&]() -> Result<Digest> {
    if (known) return *known;
    std::error_code ignored;
    const Result<fs::path> path = fs::exists(options.model.model, ignored)
                                      ? Result<fs::path>(options.model.model)
                                      : locate_model(options.model.model);
    if (!path) return fail(path.error());
    return run::model_identity(*path, options.model.gguf);
  };
  auto cache = identity().and_then(
      [&](const Digest& model) { return run::ResultCache::open(cache_folder(options), model); });
  if (cache) return std::move(*cache);
  std::fprintf(stderr, "answers are not kept: %s\n", cache.error().message.c_str());
  return std::nullopt;
}

// The report in the API's form of an evaluation.
Json report_json(const run::EvaluationReport& report, const task::Suite& suite,
                 const std::string& model) {
  pipeline::EvaluationResult result = pipeline::result_of(report, suite);
  Evaluation record;
  record.suite = std::move(result.suite);
  record.suite_digest = std::move(result.suite_digest);
  record.engine = std::move(result.engine);
  record.dtype = std::move(result.dtype);
  record.score = result.score;
  record.standard_error = result.standard_error;
  record.interval = std::move(result.interval);
  record.items = result.items;
  record.seconds = result.seconds;
  record.tasks = std::move(result.tasks);
  record.columns = std::move(result.columns);
  record.groups = std::move(result.groups);
  record.flags = std::move(result.flags);
  record.prompt_tokens_asked = result.prompt_tokens_asked;
  record.prompt_tokens_computed = result.prompt_tokens_computed;
  Json json = api::to_json(record);
  json["model"] = model;
  json["kept_items"] = report.kept_items;
  for (const char* key : {"id", "created_at", "job_id"}) json.erase(key);
  return json;
}

std::string name_of(const EvalCommandOptions& options, const Subject& subject,
                    const engine::LanguageModel& model) {
  if (!options.name.empty()) return options.name;
  return subject.is_recipe ? subject.name : model_label(options.model, model);
}

run::RunDescription description_of(const EvalCommandOptions& options, const Subject& subject,
                                   const engine::LanguageModel& model) {
  run::RunDescription description;
  description.model_name = name_of(options, subject, model);
  description.limit = options.limit;
  if (options.apply_chat_template) description.chat_template = model.chat_template();
  description.system_instruction = options.system_instruction;
  description.fewshot_as_multiturn = options.apply_chat_template && options.fewshot_as_multiturn;
  description.fewshot_seed = options.seed;
  return description;
}

struct Prepared {
  std::unique_ptr<engine::LanguageModel> model;
  std::optional<Digest> identity;  // of a recipe's
  std::vector<task::Suite> suites;
  std::optional<judge::Judging> judging;
};

Result<Json> evaluate_one(Prepared& prepared, const task::Suite& suite,
                          const EvalCommandOptions& options, const Subject& subject,
                          run::ResultCache* cache, std::stop_token stop) {
  engine::LanguageModel& model = *prepared.model;
  ProgressLine line(stderr, is_terminal(stderr));
  const ProgressSink show = [&line](const Progress& progress) { line.show(progress); };
  const run::Grader grade = prepared.judging ? prepared.judging->grader(show, stop) : nullptr;
  auto report = run::evaluate(model, suite, {show, stop, cache, grade});
  line.finish();
  if (!report) return fail(std::move(report.error()).with_context("suite " + suite.name));
  if (!report->cache_fault.empty()) {
    std::fprintf(stderr, "answers are no longer kept: %s\n", report->cache_fault.c_str());
  }
  Json json = report_json(*report, suite, name_of(options, subject, model));
  if (options.out.empty()) return json;
  auto written =
      run::write_report(*report, suite, description_of(options, subject, model), options.out);
  if (!written) return fail(std::move(written.error()).with_context("writing the report"));
  json["results_file"] = written->string();
  return json;
}

bool has_conversations(const task::Suite& suite) {
  return std::ranges::any_of(suite.tasks, [](const task::Task& task) {
    return task.output_type == task::OutputType::kConversation;
  });
}

// The judge, and the suites it grades as its own.
Status prepare_judge(const EvalCommandOptions& options, Prepared& prepared,
                     const std::stop_token& stop) {
  if (!std::ranges::any_of(prepared.suites, has_conversations)) return {};
  if (options.judging.judge.model.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "conversations are graded by a model: name one with --judge");
  }
  fs::path file;
  if (!options.out.empty()) {
    if (auto made = io::make_folders(options.out); !made) return made;
    file = fs::path(options.out) / "judgments.jsonl";
  }
  auto judging = open_judging(judging_options(options), file, stop);
  if (!judging) return fail(std::move(judging.error()));
  prepared.judging.emplace(std::move(*judging));
  for (task::Suite& suite : prepared.suites) {
    if (!has_conversations(suite)) continue;
    if (auto ready = prepared.judging->judge().prepare(suite); !ready) return ready;
  }
  return {};
}

Status load_subject(const EvalCommandOptions& options, const Subject& subject,
                    trial::TrialMemory& memory, const std::stop_token& stop, Prepared& out) {
  if (subject.is_recipe) {
    auto merged = load_recipe_file(subject.name, options.recipes, options.model, memory, stop);
    if (!merged) return fail(std::move(merged.error()));
    out.model = std::move(merged->model);
    out.identity = merged->identity;
    return {};
  }
  ModelOptions wanted = options.model;
  if (wanted.cache.empty() && !options.no_cache) {
    wanted.cache = (cache_folder(options) / "endpoints").string();
  }
  auto model = load_model(wanted, stop);
  if (!model) return fail(std::move(model.error()));
  out.model = std::move(*model);
  return {};
}

// Suites first, since reading them is quick, unless they need the model's chat template.
Result<Prepared> prepare(const EvalCommandOptions& options, const Subject& subject,
                         trial::TrialMemory& memory, const std::stop_token& stop) {
  task::FolderDatasets datasets(
      options.datasets.empty()
          ? task::FolderDatasets::default_roots()
          : std::vector<fs::path>(options.datasets.begin(), options.datasets.end()));
  Prepared out;
  const auto read = [&](const engine::LanguageModel* model) -> Status {
    auto suites = read_suites(options, build_options(options, datasets, model));
    if (!suites) return fail(std::move(suites.error()));
    out.suites = std::move(*suites);
    return {};
  };
  if (!options.apply_chat_template) {
    if (auto status = read(nullptr); !status) return fail(std::move(status.error()));
  }
  if (auto loaded = load_subject(options, subject, memory, stop, out); !loaded)
    return fail(std::move(loaded.error()));
  if (options.apply_chat_template) {
    if (auto status = read(out.model.get()); !status) return fail(std::move(status.error()));
  }
  if (auto ready = prepare_judge(options, out, stop); !ready) return fail(std::move(ready.error()));
  return out;
}

Status check(const EvalCommandOptions& options) {
  if (options.suites.empty() && options.tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument, "name a suite (--suite) or tasks (--tasks)");
  }
  if (options.model.model.empty() == options.recipes.files.empty())
    return fail(ErrorCode::kInvalidArgument, "name either a MODEL or recipes (--recipe)");
  if (!options.recipes.files.empty() && !options.model.gguf.empty())
    return fail(ErrorCode::kInvalidArgument, "--gguf does not go with --recipe");
  return {};
}

std::vector<Subject> subjects(const EvalCommandOptions& options) {
  std::vector<Subject> all;
  for (const std::string& file : options.recipes.files) all.push_back({file, true});
  if (all.empty()) all.push_back({options.model.model, false});
  return all;
}

// All suites of one model.
Status evaluate_subject(const EvalCommandOptions& options, const Subject& subject,
                        trial::TrialMemory& memory, const std::stop_token& stop,
                        const std::function<void(Json&&)>& show) {
  auto prepared = prepare(options, subject, memory, stop);
  if (!prepared) return fail(std::move(prepared.error()));
  auto cache = open_cache(options, prepared->identity);
  const bool many = options.recipes.files.size() > 1;
  for (const task::Suite& suite : prepared->suites) {
    auto result = evaluate_one(*prepared, suite, options, subject, cache ? &*cache : nullptr, stop);
    if (!result) return fail(std::move(result.error()));
    if (many) (*result)["recipe"] = subject.name;
    show(std::move(*result));
  }
  return {};
}

}  // namespace

int eval(const EvalCommandOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  if (auto status = check(options); !status) return report(status.error(), common);
  auto memory = trial_memory(options.recipes);
  if (!memory) return report(memory.error(), common);
  Json items = Json::array();
  for (const Subject& subject : subjects(options)) {
    auto status =
        evaluate_subject(options, subject, **memory, interrupt.token(), [&](Json&& evaluation) {
          if (!common.json) print(evaluation_view(evaluation));
          items.push_back(std::move(evaluation));
        });
    if (!status) return report(status.error(), common);
  }
  if (common.json) print_json(Json{{"items", std::move(items)}});
  return kSuccess;
}

}  // namespace crucible::server::cli
