#include "evaluator/task/suite.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/import_registry.hpp"
#include "evaluator/task/suite_mapping.hpp"
#include "evaluator/task/suite_outline.hpp"
#include "evaluator/task/suite_score.hpp"
#include "evaluator/task/suite_tasks.hpp"
#include "merger/base/io.hpp"
#include "merger/recipe/text.hpp"
#include "yaml-cpp/yaml.h"

namespace crucible::task {
namespace {

constexpr std::uint64_t kSuiteFileLimit = 1ULL << 20;
constexpr std::size_t kTaskLimit = 1000;
constexpr std::size_t kFaultLimit = 50;  // shown; the rest is counted
constexpr std::string_view kBuiltin = "builtin:";
constexpr std::string_view kSeeded = "crucible-fresh";  // the suite whose name can carry a seed

// The seed at the end of "crucible-fresh-7".
std::optional<std::uint64_t> seed_of(std::string_view name) {
  if (!name.starts_with(kSeeded) || name.size() < kSeeded.size() + 2) return std::nullopt;
  if (name[kSeeded.size()] != '-') return std::nullopt;
  const std::string_view digits = name.substr(kSeeded.size() + 1);
  std::uint64_t seed = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0') return std::nullopt;  // one name for each seed
  return seed;
}

const BuiltinFile* builtin_suite(std::string_view name) {
  const std::string_view file = seed_of(name) ? kSeeded : name;
  return find_builtin_file("suites/" + std::string(file) + ".yaml");
}

struct Source {
  SuiteContext context;
  std::string text;
  std::string name;  // in place of the file's, where a seed is part of it
};

Result<Source> open_source(const std::filesystem::path& place) {
  Source source;
  const std::string text = place.string();
  if (!text.starts_with(kBuiltin)) {
    auto read = io::read_text(place, kSuiteFileLimit);
    if (!read) return fail(Error(read.error()).with_context("reading suite"));
    source.text = std::move(*read);
    source.context.folder = place.parent_path();
    return source;
  }
  const std::string_view name = std::string_view(text).substr(kBuiltin.size());
  const BuiltinFile* file = builtin_suite(name);
  if (file == nullptr) {
    return fail(ErrorCode::kNotFound, "there is no built-in suite " + std::string(name));
  }
  source.text = file->text;
  source.context.folder = "suites";
  source.context.builtin = true;
  if (const auto seed = seed_of(name)) {
    source.context.seed = *seed;
    source.name = name;
  }
  return source;
}

void check_names(const Suite& suite, std::vector<Fault>& faults) {
  std::set<std::string> names;
  for (const Task& task : suite.tasks) {
    if (!task.name.empty() && !names.insert(task.name).second) {
      faults.push_back({"tasks", "'" + task.name + "' is the name of an earlier task",
                        "give one of them another `name`"});
    }
  }
}

// Of what a score depends on: task names, versions, metrics, items and the score rule; not of
// descriptions.
Digest suite_digest(const Suite& suite) {
  Sha256 hash;
  hash.field("crucible.suite.2").field(std::to_string(suite.tasks.size()));
  for (const Task& task : suite.tasks) {
    hash.field(task.name).field(task.version).field(task.primary_metric).field(task.primary_filter);
    hash.field(task.digest.hex());
  }
  hash.field(canonical_text(suite.score));
  return hash.finish();
}

Error faults_error(const std::filesystem::path& place, std::vector<Fault> faults) {
  const std::size_t count = faults.size();
  Error error{ErrorCode::kInvalidArgument, {}, std::move(faults)};
  error.message = "suite " + place.string() + " has " + std::to_string(count) +
                  (count == 1 ? " fault" : " faults");
  if (count > kFaultLimit) {
    error.faults.resize(kFaultLimit);
    error.message += ", the first " + std::to_string(kFaultLimit) + " of them follow";
  }
  return error;
}

Error missing_error(const std::string& suite, std::vector<Fault> missing) {
  const std::string sets = missing.size() == 1 ? " a data set that is" : " data sets that are";
  return {ErrorCode::kNotFound, "suite " + suite + " needs" + sets + " not on this machine",
          std::move(missing)};
}

void read_task_list(const Mapping& mapping, Suite& suite, SuiteTasks& tasks) {
  const YAML::Node* list = mapping.find("tasks");
  if (list == nullptr || !list->IsSequence() || list->size() == 0 || list->size() > kTaskLimit) {
    mapping.add("tasks", list == nullptr ? "is missing" : "is not a list of 1 to 1000 tasks");
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    tasks.read((*list)[i], "tasks[" + std::to_string(i) + "]", suite);
  }
}

// "arc" or "arc/train+test", of which each part must be known.
bool is_known_need(const std::string& need) {
  const std::size_t slash = need.find('/');
  if (slash == std::string::npos) return find_dataset(need) != nullptr;
  for (std::size_t begin = slash + 1; begin <= need.size();) {
    const std::size_t end = std::min(need.find('+', begin), need.size());
    const std::string part = need.substr(begin, end - begin);
    if (part.empty() || missing_data(need.substr(0, slash + 1) + part, {}).empty()) return false;
    begin = end + 1;
  }
  return true;
}

std::vector<std::string> read_needs(const Mapping& mapping) {
  std::vector<std::string> needs = mapping.texts("needs");
  for (const std::string& need : needs) {
    if (!is_known_need(need)) {
      mapping.add("needs", "'" + need + "' is not a data set that can be imported");
    }
  }
  return needs;
}

Result<Suite> parse(Source source, const std::filesystem::path& place, const BuildOptions& options,
                    std::vector<std::string>* needs = nullptr) {
  YAML::Node root;
  try {
    root = YAML::Load(source.text);
  } catch (const YAML::Exception& exception) {
    const std::string line = "line " + std::to_string(exception.mark.line + 1);
    return fail(faults_error(place, {{line, "is not YAML: " + exception.msg, {}}}));
  }
  std::vector<Fault> faults;
  Suite suite;
  const Mapping mapping(
      root, "", {"name", "description", "version", "bos", "needs", "tasks", "score"}, faults);
  if (!root.IsMap()) return fail(faults_error(place, std::move(faults)));
  suite.name = source.name.empty() ? mapping.text("name") : source.name;
  if (!is_plain_name(suite.name)) {
    mapping.add("name", "is not a plain name",
                "at most 100 letters, digits, '_', '-' and '.', not beginning with '.'");
  }
  suite.description = mapping.text("description", "");
  suite.version = source.context.version = mapping.text("version", "1");
  source.context.bos = read_bos(mapping);
  const std::vector<std::string> needed = read_needs(mapping);
  if (needs != nullptr) *needs = needed;
  SuiteTasks tasks(source.context, options, faults);
  read_task_list(mapping, suite, tasks);
  check_names(suite, faults);
  if (!faults.empty()) return fail(faults_error(place, std::move(faults)));
  if (auto missing = tasks.missing_data(); !missing.empty()) {
    return fail(missing_error(suite.name, std::move(missing)));
  }
  if (source.context.only_names) return suite;
  suite.score = read_score(mapping.find("score"), suite, faults);
  if (!faults.empty()) return fail(faults_error(place, std::move(faults)));
  suite.digest = suite_digest(suite);
  return suite;
}

}  // namespace

Result<Suite> read_suite(const std::filesystem::path& place, const BuildOptions& options) {
  auto source = open_source(place);
  if (!source) return fail(std::move(source.error()));
  if (options.datasets != nullptr) return parse(std::move(*source), place, options);
  FolderDatasets datasets(FolderDatasets::default_roots());
  BuildOptions with_datasets = options;
  with_datasets.datasets = &datasets;
  return parse(std::move(*source), place, with_datasets);
}

Result<SuiteOutline> outline_suite(const std::filesystem::path& place) {
  auto source = open_source(place);
  if (!source) return fail(std::move(source.error()));
  source->context.only_names = true;
  SuiteOutline outline;
  auto suite = parse(std::move(*source), place, {}, &outline.needs);
  if (!suite) return fail(std::move(suite.error()));
  outline.name = std::move(suite->name);
  outline.description = std::move(suite->description);
  return outline;
}

Result<std::filesystem::path> find_suite(const std::string& name,
                                         const std::vector<std::filesystem::path>& folders) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(name, ignored)) return std::filesystem::path(name);
  std::vector<std::string> known;
  for (const SuiteListing& listing : list_suites(folders)) {
    if (listing.name == name) return listing.file;
    known.push_back(listing.name);
  }
  if (builtin_suite(name) != nullptr) return std::filesystem::path(std::string(kBuiltin) + name);
  for (const SuiteListing& listing : list_builtin_suites()) known.push_back(listing.name);
  const std::vector<std::string_view> names(known.begin(), known.end());
  const std::string near = recipe::did_you_mean(name, names);
  return fail(ErrorCode::kNotFound,
              "there is no suite `" + recipe::printable(name) +
                  "`, neither as a file nor by name " +
                  (near.empty() ? "(known: " + recipe::join(names) + ")" : "(" + near + ")"));
}

}  // namespace crucible::task
