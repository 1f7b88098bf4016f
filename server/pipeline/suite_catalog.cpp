#include "server/pipeline/suite_catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "server/store/near.hpp"

namespace crucible::server::pipeline {
namespace {

SuiteEntry entry_of(const task::SuiteListing& listing) {
  SuiteEntry entry{{listing.name, listing.description, listing.error, {}, 0, ""}, listing.file};
  if (!entry.info.error.empty()) return entry;
  auto suite = task::read_suite(listing.file);
  if (!suite) {
    entry.info.error = describe(suite.error());
    return entry;
  }
  for (const task::Task& task : suite->tasks) {
    entry.info.tasks.push_back(task.name);
    entry.info.items += static_cast<std::int64_t>(task.documents.size());
  }
  entry.info.digest = suite->digest.hex();
  return entry;
}

}  // namespace

std::string SuiteCatalog::fingerprint() const {
  Sha256 hash;
  for (const auto& folder : folders_) {
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
  std::ranges::stable_sort(entries, {}, [](const SuiteEntry& entry) { return entry.info.name; });
  return entries;
}

std::vector<SuiteEntry> SuiteCatalog::list() {
  return cache_.with([this](Cache& cache) {
    std::string now = fingerprint();
    if (cache.fingerprint != now) cache = {std::move(now), read()};
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
    if (entry.info.error.empty()) return std::move(entry);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("suite \"{}\" cannot be used: {}", name, entry.info.error));
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
