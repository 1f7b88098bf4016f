#include "server/pipeline/suite_catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "evaluator/judge/mt_bench.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/import_registry.hpp"
#include "server/store/near.hpp"

namespace crucible::server::pipeline {
namespace {

constexpr std::string_view kBuiltin = "builtin:";
constexpr std::chrono::seconds kFaultyFor{1};

SuiteEntry outline_of(const task::SuiteListing& listing) {
  SuiteEntry entry;
  entry.info.name = listing.name;
  entry.info.description = listing.description;
  entry.info.error = listing.error;
  entry.info.built_in = listing.file.string().starts_with(kBuiltin);
  entry.file = listing.file;
  return entry;
}

// What a built-in suite needs is known before its files are read.
SuiteEntry builtin_outline(const task::SuiteListing& listing,
                           const std::vector<std::filesystem::path>& datasets) {
  SuiteEntry entry = outline_of(listing);
  entry.info.missing = task::missing_datasets(listing.needs, datasets);
  if (!entry.info.missing.empty()) {
    entry.info.error =
        fmt::format("needs data that is not here: {}; `crucible suites import` installs it",
                    fmt::join(entry.info.missing, ", "));
  }
  return entry;
}

// Built-in suites with a seed in their name are not listed. Names that could be paths are none of
// them.
std::optional<std::filesystem::path> generated_suite(const std::string& name) {
  if (name.find_first_of("/\\:.") != std::string::npos) return std::nullopt;
  auto place = task::find_suite(name, {});
  if (!place || !place->string().starts_with(kBuiltin)) return std::nullopt;
  return std::move(*place);
}

bool needs_logprobs(const task::Task& task) {
  return task.output_type != task::OutputType::kGenerateUntil &&
         task.output_type != task::OutputType::kConversation;
}

bool is_unread(const SuiteEntry& entry) {
  return entry.info.error.empty() && entry.info.digest.empty();
}

}  // namespace

SuiteEntry SuiteCatalog::entry_of(const task::SuiteListing& listing) const {
  SuiteEntry entry = outline_of(listing);
  if (!entry.info.error.empty()) return entry;
  auto suite = read_suite(listing.file);
  if (!suite) {
    entry.info.error = describe(suite.error());
    return entry;
  }
  for (const task::Task& task : suite->tasks) {
    entry.info.tasks.push_back(task.name);
    entry.info.items += static_cast<std::int64_t>(task.items.size());
  }
  if (entry.info.description.empty()) entry.info.description = suite->description;
  entry.info.needs_logprobs = std::ranges::any_of(suite->tasks, needs_logprobs);
  entry.info.digest = suite->digest.hex();
  return entry;
}

Result<task::Suite> SuiteCatalog::read_suite(const std::filesystem::path& file) const {
  task::FolderDatasets datasets(datasets_);
  task::BuildOptions build;
  build.datasets = &datasets;
  return task::read_suite(file, build);
}

SuiteEntry SuiteCatalog::judged_entry(const JudgeSpec& judge) const {
  task::SuiteListing listing = judge::mt_bench_listing();
  listing.name += "@" + judge.name;
  listing.description += " (" + judge.name + ")";
  SuiteEntry entry = builtin_outline(listing, datasets_);
  entry.info.judge = judge.name;
  if (!entry.info.error.empty()) return entry;
  const auto suite = judged_suite(judge, datasets_);
  if (!suite) {
    entry.info.error = describe(suite.error());
    return entry;
  }
  entry.info.tasks = {suite->tasks.front().name};
  entry.info.items = static_cast<std::int64_t>(suite->tasks.front().items.size());
  entry.info.digest = suite->digest.hex();
  return entry;
}

const JudgeSpec* SuiteCatalog::judge(const std::string& name) const {
  const auto found = std::ranges::find(judges_, name, &JudgeSpec::name);
  return found == judges_.end() ? nullptr : &*found;
}

SuiteEntry SuiteCatalog::resolve(const SuiteEntry& entry) {
  SuiteEntry read = entry_of({entry.info.name, entry.info.description, entry.file, ""});
  if (!read.info.error.empty()) return read;  // data may be brought in at any time
  cache_.with([&](Cache& cache) {
    for (SuiteEntry& known : cache.entries) {
      if (known.file == read.file) known = read;
    }
  });
  return read;
}

std::string SuiteCatalog::fingerprint() const {
  Sha256 hash;
  std::vector<std::filesystem::path> roots = folders_;
  roots.insert(roots.end(), datasets_.begin(), datasets_.end());
  for (const auto& folder : roots) {
    std::error_code error;
    std::set<std::string> facts;
    for (std::filesystem::recursive_directory_iterator entry(folder, error), end;
         !error && entry != end; entry.increment(error)) {
      std::error_code unreadable;
      if (!entry->is_regular_file(unreadable)) continue;
      facts.insert(fmt::format("{} {} {}", entry->path().string(), entry->file_size(unreadable),
                               entry->last_write_time(unreadable).time_since_epoch().count()));
    }
    for (const std::string& fact : facts) hash.field(fact);
  }
  return hash.finish().hex();
}

std::vector<SuiteEntry> SuiteCatalog::read() const {
  std::vector<SuiteEntry> entries;
  for (const task::SuiteListing& listing : task::list_suites(folders_)) {
    entries.push_back(entry_of(listing));
  }
  for (task::SuiteListing listing : task::list_builtin_suites()) {
    if (listing.name.starts_with(kBuiltin)) listing.name.erase(0, kBuiltin.size());
    const bool hidden = std::ranges::any_of(
        entries, [&](const SuiteEntry& own) { return own.info.name == listing.name; });
    if (!hidden) entries.push_back(builtin_outline(listing, datasets_));
  }
  for (const JudgeSpec& judge : judges_) entries.push_back(judged_entry(judge));
  std::ranges::stable_sort(entries, {}, [](const SuiteEntry& entry) { return entry.info.name; });
  return entries;
}

// A file that could not be read for a moment (no descriptor, a failing disk) looks like a broken
// one, so those with a fault are read again after a while, changed or not.
std::vector<SuiteEntry> SuiteCatalog::list() {
  return cache_.with([this](Cache& cache) {
    std::string current = fingerprint();
    const auto now = std::chrono::steady_clock::now();
    const bool any_fault = std::ranges::any_of(cache.entries, [](const SuiteEntry& entry) {
      return !entry.info.error.empty() && entry.info.missing.empty();
    });
    if (cache.fingerprint != current || (any_fault && now - cache.read_at > kFaultyFor)) {
      cache = {std::move(current), now, read()};
    }
    return cache.entries;
  });
}

Result<SuiteEntry> SuiteCatalog::find(const std::string& name) {
  std::vector<std::string> names;
  for (SuiteEntry& entry : list()) {
    if (entry.info.name != name) {
      names.push_back(entry.info.name);
      continue;
    }
    if (is_unread(entry)) entry = resolve(entry);
    if (entry.info.error.empty()) return std::move(entry);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("suite \"{}\" cannot be used: {}", name, entry.info.error));
  }
  if (const auto place = generated_suite(name)) {
    SuiteEntry entry = entry_of({name, "", *place, ""});
    if (entry.info.error.empty()) return entry;
  }
  return fail(ErrorCode::kNotFound,
              fmt::format("there is no suite \"{}\"{}", name, did_you_mean(name, names)));
}

Result<std::vector<SuiteEntry>> SuiteCatalog::find_all(const std::vector<std::string>& names) {
  std::vector<SuiteEntry> entries;
  Error error{ErrorCode::kInvalidArgument, "the request names suites that cannot be used", {}};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string path = fmt::format("suites[{}]", i);
    if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) !=
        names.begin() + static_cast<std::ptrdiff_t>(i)) {
      error.faults.push_back({path, fmt::format("names \"{}\" a second time", names[i]), ""});
      continue;
    }
    auto entry = find(names[i]);
    if (entry) {
      entries.push_back(std::move(*entry));
      continue;
    }
    std::vector<std::string> known;
    for (const SuiteEntry& candidate : list()) known.push_back(candidate.info.name);
    const std::string near = nearest(names[i], known);
    error.faults.push_back(
        {path, entry.error().message, near.empty() ? "GET /api/v1/suites lists them" : near});
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return entries;
}

}  // namespace crucible::server::pipeline
