#include "server/cli/search_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/suite.hpp"
#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/plan/hub_cache.hpp"
#include "server/cli/interrupt.hpp"
#include "server/cli/output.hpp"
#include "server/cli/progress_line.hpp"
#include "server/search/journal.hpp"
#include "server/search/model_scorer.hpp"
#include "server/search/search.hpp"
#include "server/search/summary.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDocumentLimitBytes = 1U << 20;

std::vector<fs::path> paths(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

std::vector<fs::path> suite_folders(const SearchCommandOptions& options) {
  if (!options.suite_folders.empty()) return paths(options.suite_folders);
  const char* environment = std::getenv("CRUCIBLE_SUITES");
  return {fs::path(environment != nullptr ? environment : "suites")};
}

Result<std::string> document_text(const SearchCommandOptions& options) {
  if (options.vary.empty()) return io::read_text(options.document, kDocumentLimitBytes);
  auto recipe = io::read_text(options.document, kDocumentLimitBytes);
  if (!recipe) return recipe;
  return search::document_of_vary(*recipe, options.vary, options.suites);
}

Result<std::vector<task::Suite>> read_suites(const search::Document& document,
                                             const SearchCommandOptions& options) {
  task::FolderDatasets datasets(options.datasets.empty() ? task::FolderDatasets::default_roots()
                                                         : paths(options.datasets));
  task::BuildOptions build;
  build.datasets = &datasets;
  std::vector<task::Suite> suites;
  for (const std::string& name : document.suites) {
    auto place = task::find_suite(name, suite_folders(options));
    if (!place) return fail(std::move(place).error());
    auto suite = task::read_suite(*place, build);
    if (!suite) return fail(std::move(suite).error().with_context("suite " + name));
    suites.push_back(std::move(*suite));
  }
  return suites;
}

Result<search::ModelScorerOptions> scorer_options(const SearchCommandOptions& options,
                                                  const search::Document& document,
                                                  std::stop_token stop) {
  auto memory = parse_byte_count(options.memory);
  if (!memory) return fail(std::move(memory).error().with_context("--memory"));
  auto kept = parse_byte_count(options.kept);
  if (!kept) return fail(std::move(kept).error().with_context("--keep-tensors"));
  search::ModelScorerOptions scorer;
  scorer.merge.seed = document.seed;
  scorer.merge.threads = options.threads;
  scorer.merge.memory_bytes = *memory;
  scorer.engine.threads = options.threads;
  scorer.cache_bytes = *kept;
  scorer.stop = std::move(stop);
  return scorer;
}

Status write_winner(const Json& report, const plan::ModelResolver& resolver,
                    const search::ModelScorerOptions& scorer, const fs::path& out) {
  if (report["winner"].is_null()) return {};
  auto recipe = recipe::read_recipe(report["winner"]["recipe"].get<std::string>());
  if (!recipe) return fail(std::move(recipe).error());
  auto merged = plan::merge(*recipe, resolver, scorer.merge, out, {}, scorer.stop);
  if (!merged) return fail(std::move(merged).error());
  return {};
}

// Everything of one run but printing.
Result<Json> carry_out(const SearchCommandOptions& options, std::stop_token stop) {
  auto text = document_text(options);
  if (!text) return fail(std::move(text).error());
  auto document = search::read_document(*text);
  if (!document) return fail(std::move(document).error().with_context(options.document));
  if (!options.suites.empty()) document->suites = options.suites;
  auto suites = read_suites(*document, options);
  if (!suites) return fail(std::move(suites).error());
  auto items = search::ItemPlan::make(*suites, document->tune_share, document->seed);
  if (!items) return fail(std::move(items).error());
  const auto resolver =
      plan::resolve_locally({fs::absolute(options.document).parent_path(), fs::current_path()});
  auto settings = scorer_options(options, *document, stop);
  if (!settings) return fail(std::move(settings).error());
  ProgressLine line(stderr, is_terminal(stderr));
  search::SearchOptions wanted;
  auto parents = search::parents_of(*document);
  if (!parents) return fail(std::move(parents).error());
  wanted.parents = std::move(*parents);
  wanted.stop = stop;
  wanted.settings = "f32";
  auto journal = search::Journal::open(options.out);
  if (!journal) return fail(std::move(journal).error());
  wanted.sink = [&](const Json& event) -> Status {
    const std::string note = search::line_of(event);
    if (!note.empty()) line.note(note);
    return journal->add(event);
  };
  search::ModelScorer scorer(*items, resolver, *settings);
  auto report = search::run_search(*document, *items, scorer, journal->kept(), wanted);
  line.finish();
  if (!report || options.out.empty()) return report;
  if (auto status = journal->finish(*report); !status) return fail(std::move(status).error());
  if (!options.write_winner) return report;
  auto status = write_winner(*report, resolver, *settings, fs::path(options.out) / "model");
  if (!status) return fail(std::move(status).error());
  return report;
}

}  // namespace

void add_search_options(CLI::App& command, SearchCommandOptions& options) {
  command.add_option("DOCUMENT", options.document, "sweep document; with --vary a recipe")
      ->required();
  command.add_option("--vary", options.vary,
                     "PATH=LOW:HIGH:POINTS, such as parameters.t=0:1:5; may be repeated");
  command.add_option("-s,--suite", options.suites, "suites, in place of the document's")
      ->delimiter(',');
  command.add_option("--suites-dir", options.suite_folders, "folder of suites");
  command.add_option("--datasets", options.datasets, "folder of data sets");
  command.add_option("-o,--out", options.out,
                     "folder of journal.jsonl, result.json and winner.yml; a run that was stopped "
                     "goes on there");
  command.add_flag("--write-winner", options.write_winner, "merge the winner into OUT/model")
      ->needs("--out");
  command.add_option("--threads", options.threads, "0 = as many as useful");
  command.add_option("--memory", options.memory, "bound of the merge's buffers")
      ->capture_default_str();
  command.add_option("--keep-tensors", options.kept, "memory for tensors that candidates share")
      ->capture_default_str();
  command.add_flag("--json", options.json, "the result as JSON on standard output");
}

int run_search_command(const SearchCommandOptions& options) {
  const InterruptGuard interrupt;
  CommonOptions common;
  common.json = options.json;
  auto result = carry_out(options, interrupt.token());
  if (!result) return report(result.error(), common);
  if (options.json) {
    print_json(*result);
  } else {
    print(search::summary(*result));
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
