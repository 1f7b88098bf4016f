#include "server/cli/suites_command.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "evaluator/judge/mt_bench.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/generate.hpp"
#include "evaluator/task/import_dataset.hpp"
#include "evaluator/task/suite.hpp"
#include "merger/recipe/text.hpp"
#include "server/cli/client_commands.hpp"
#include "server/cli/output.hpp"
#include "server/cli/table.hpp"

namespace crucible::server::cli {
namespace {

namespace fs = std::filesystem;

struct SuitesOptions {
  std::vector<std::string> folders;   // of suites
  std::vector<std::string> datasets;  // roots of data sets
  std::string name;
  std::string path;
  task::ImportOptions import;
  std::size_t count = 100;
  std::uint64_t seed = 1;
};

std::vector<fs::path> suite_folders(const SuitesOptions& options) {
  if (!options.folders.empty()) return {options.folders.begin(), options.folders.end()};
  const char* environment = std::getenv("CRUCIBLE_SUITES");
  return {fs::path(environment != nullptr ? environment : "suites")};
}

std::vector<fs::path> dataset_roots(const SuitesOptions& options) {
  if (!options.datasets.empty()) return {options.datasets.begin(), options.datasets.end()};
  return task::FolderDatasets::default_roots();
}

std::string joined(const std::vector<std::string>& names) {
  return recipe::join(std::vector<std::string_view>(names.begin(), names.end()));
}

std::vector<task::SuiteListing> all_suites(const SuitesOptions& options) {
  auto listings = task::list_suites(suite_folders(options));
  for (auto& listing : task::list_builtin_suites()) listings.push_back(std::move(listing));
  listings.push_back(judge::mt_bench_listing());
  return listings;
}

int list(const SuitesOptions& options, const CommonOptions& common) {
  const auto roots = dataset_roots(options);
  Table table({{"suite"}, {"data"}, {"description"}});
  Json items = Json::array();
  for (const task::SuiteListing& suite : all_suites(options)) {
    const auto missing = task::missing_datasets(suite.needs, roots);
    const std::string state = !suite.error.empty() ? "faulty"
                              : missing.empty()    ? "ready"
                                                   : "needs " + joined(missing);
    table.add({suite.name, state, suite.error.empty() ? suite.description : suite.error});
    items.push_back({{"name", suite.name},
                     {"description", suite.description},
                     {"file", suite.file.string()},
                     {"error", suite.error},
                     {"needs", suite.needs},
                     {"missing", missing}});
  }
  if (common.json) {
    print_json({{"items", items}});
  } else {
    print(table.text());
  }
  return kSuccess;
}

Json rule_json(const task::ScoreRule& rule) {
  Json json{{"name", rule.name}};
  if (rule.is_leaf()) {
    json.update({{"task", rule.task}, {"metric", rule.metric}, {"filter", rule.filter}});
  } else {
    json["of"] = Json::array();
    for (const task::ScoreRule& inner : rule.of) json["of"].push_back(rule_json(inner));
  }
  return json;
}

std::string view(const task::Suite& suite) {
  std::string text = suite.name + " (version " + suite.version + ")\n";
  if (!suite.description.empty()) text += suite.description + "\n";
  text += "digest " + suite.digest.hex() + "\n\n";
  Table tasks({{"task"}, {"items", Align::kRight}, {"shots", Align::kRight}, {"metric"}, {"BOS"}});
  for (const task::Task& task : suite.tasks) {
    tasks.add({task.name, std::to_string(task.items.size()), std::to_string(task.num_fewshot),
               task.primary_metric,
               task.bos == engine::BosRule::kNever ? "never" : "as the tokenizer"});
  }
  text += tasks.text() + "\nScore: mean of";
  for (const task::ScoreRule& column : suite.score.of) text += " | " + column.name;
  return text + "\n";
}

int show(const SuitesOptions& options, const CommonOptions& common) {
  task::FolderDatasets datasets(dataset_roots(options));
  task::BuildOptions build;
  build.datasets = &datasets;
  const auto suite =
      task::find_suite(options.name, suite_folders(options)).and_then([&](const fs::path& place) {
        return task::read_suite(place, build);
      });
  if (!suite) return report(suite.error(), common);
  if (!common.json) {
    print(view(*suite));
    return kSuccess;
  }
  Json tasks = Json::array();
  for (const task::Task& task : suite->tasks) {
    tasks.push_back({{"name", task.name},
                     {"items", task.items.size()},
                     {"num_fewshot", task.num_fewshot},
                     {"primary_metric", task.primary_metric},
                     {"digest", task.digest.hex()}});
  }
  print_json({{"name", suite->name},
              {"description", suite->description},
              {"version", suite->version},
              {"digest", suite->digest.hex()},
              {"tasks", tasks},
              {"score", rule_json(suite->score)}});
  return kSuccess;
}

Result<const task::KnownDataset*> known_dataset(const std::string& name) {
  if (const auto* dataset = task::find_dataset(name)) return dataset;
  std::vector<std::string_view> names;
  for (const auto& dataset : task::known_datasets()) names.push_back(dataset.name);
  return fail(ErrorCode::kNotFound,
              "`" + recipe::printable(name) +
                  "` is not a data set that can be imported (known: " + recipe::join(names) + ")");
}

std::string view(const task::KnownDataset& dataset, const task::ImportReport& imported) {
  Table table({{"part"}, {"rows", Align::kRight}, {"file"}});
  for (const task::ImportedPart& part : imported.parts) {
    table.add({part.name, std::to_string(part.rows), part.file.string()});
  }
  std::string text = dataset.title + "\nlicence: " + dataset.licence + "\n\n" + table.text() + "\n";
  text += std::to_string(imported.known_files) + " files have the published SHA-256, " +
          std::to_string(imported.unknown_files) + " are not among the known ones\n";
  for (const std::string& note : imported.notes) text += "note: " + note + "\n";
  if (!dataset.note.empty()) text += "note: " + dataset.note + "\n";
  for (const std::string& part : imported.missing) text += "not in these files: " + part + "\n";
  return text;
}

int import_files(const SuitesOptions& options, const CommonOptions& common) {
  const auto dataset = known_dataset(options.name);
  if (!dataset) return report(dataset.error(), common);
  const auto roots = dataset_roots(options);
  if (roots.empty()) {
    return report({ErrorCode::kInvalidArgument,
                   "no folder of data sets is known; set CRUCIBLE_DATASETS or give --datasets",
                   {}},
                  common);
  }
  const auto imported =
      task::import_dataset(**dataset, options.path, roots.front(), options.import);
  if (!imported) return report(imported.error(), common);
  if (!common.json) {
    print(view(**dataset, *imported));
    return kSuccess;
  }
  Json parts = Json::array();
  for (const task::ImportedPart& part : imported->parts) {
    parts.push_back({{"name", part.name},
                     {"rows", part.rows},
                     {"converted", part.converted},
                     {"file", part.file.string()}});
  }
  print_json({{"data_set", (*dataset)->name},
              {"licence", (*dataset)->licence},
              {"parts", parts},
              {"missing", imported->missing},
              {"notes", imported->notes},
              {"known_files", imported->known_files},
              {"unknown_files", imported->unknown_files}});
  return kSuccess;
}

int generate(const SuitesOptions& options, const CommonOptions& common) {
  const auto items = task::generate_items(options.name, options.count, options.seed);
  if (!items) return report(items.error(), common);
  std::string lines;
  for (const task::Json& item : *items) lines += item.dump() + "\n";
  print(lines);
  return kSuccess;
}

struct Parsed {
  SuitesOptions options;
  CommonOptions common;
};
using Run = int (*)(const SuitesOptions&, const CommonOptions&);

CLI::App& add(CLI::App& parent, const std::string& name, const std::string& meaning,
              const std::shared_ptr<Parsed>& parsed, Run run, Action& action) {
  CLI::App& command = *parent.add_subcommand(name, meaning);
  command.callback([&action, parsed, run] {
    action = [parsed, run] { return run(parsed->options, parsed->common); };
  });
  command.add_flag("--json", parsed->common.json, "raw JSON on standard output");
  return command;
}

void add_places(CLI::App& command, SuitesOptions& options) {
  command.add_option("--suite-folder", options.folders,
                     "where names are looked up (default: $CRUCIBLE_SUITES, else ./suites)");
  command.add_option("--datasets", options.datasets,
                     "folder of data sets; may be repeated (default: $CRUCIBLE_DATASETS, else "
                     "$XDG_DATA_HOME/crucible/datasets)");
}

void add_import(CLI::App& suites, Action& action) {
  auto parsed = std::make_shared<Parsed>();
  SuitesOptions& options = parsed->options;
  CLI::App& command =
      add(suites, "import", "check a data set's files and install them for the suites", parsed,
          import_files, action);
  command.add_option("NAME", options.name, "data set, as `suites list` and errors name it")
      ->required();
  command.add_option("PATH", options.path, "its file, or a folder of its files")->required();
  command.add_option("--datasets", options.datasets, "folder to install into")->expected(1);
  command.add_flag("--replace", options.import.replace, "install anew what is there already");
  command.add_flag("--other-counts", options.import.other_row_counts,
                   "accept another number of rows than the published set has");
  command.footer("Example: crucible suites import gsm8k grade-school-math/grade_school_math/data");
}

void add_generate(CLI::App& suites, Action& action) {
  auto parsed = std::make_shared<Parsed>();
  CLI::App& command =
      add(suites, "generate", "print fresh items as JSON Lines", parsed, generate, action);
  command.add_option("KIND", parsed->options.name, "arithmetic, logic or reading")->required();
  command.add_option("--count", parsed->options.count, "how many")->capture_default_str();
  command.add_option("--seed", parsed->options.seed, "other seeds give other items")
      ->capture_default_str();
  command.footer("The suite crucible-fresh-SEED holds 300 of each kind.");
}

}  // namespace

void add_suites_commands(CLI::App& app, Action& action) {
  auto common = std::make_shared<CommonOptions>();
  CLI::App& suites = *app.add_subcommand(
      "suites", "suites of the daemon; list, show, import and generate work without one");
  suites.require_subcommand(0, 1);
  suites.add_option("--server", common->server,
                    "the daemon's address (default: $CRUCIBLE_SERVER, else http://127.0.0.1:7345)");
  suites.add_flag("--json", common->json, "raw JSON on standard output");
  suites.callback([&action, &suites, common] {
    if (suites.get_subcommands().empty()) action = [common] { return list_suites(*common); };
  });
  auto listed = std::make_shared<Parsed>();
  add_places(add(suites, "list", "built-in suites and those of folders here", listed, list, action),
             listed->options);
  auto shown = std::make_shared<Parsed>();
  CLI::App& show_command =
      add(suites, "show", "a suite's tasks, items and columns", shown, show, action);
  show_command.add_option("NAME", shown->options.name, "suite's name or file")->required();
  add_places(show_command, shown->options);
  add_import(suites, action);
  add_generate(suites, action);
}

}  // namespace crucible::server::cli
