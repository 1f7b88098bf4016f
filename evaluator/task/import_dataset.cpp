#include "evaluator/task/import_dataset.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "evaluator/task/import_shapes.hpp"
#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileLimit = 2ULL << 30;
constexpr std::size_t kShownFaults = 50;

// Every row has the columns, and there are as many rows as were published.
void check_part(const FoundPart& found, const ImportOptions& options, std::vector<Fault>& faults) {
  const DatasetPart& part = found.part;
  for (std::size_t i = 0; i < found.rows.size(); ++i) {
    for (const std::string& column : part.columns) {
      const Json& row = found.rows[i];
      if (row.is_object() && row.contains(column) && !row[column].is_null()) continue;
      faults.push_back({part.name() + " row " + std::to_string(i), "has no " + column, {}});
      if (faults.size() >= kShownFaults) return;
    }
  }
  if (part.rows != 0 && found.rows.size() != part.rows && !options.other_row_counts) {
    faults.push_back({part.name(),
                      "has " + std::to_string(found.rows.size()) + " rows, the published set " +
                          std::to_string(part.rows),
                      "fetch the set again, or accept it with --other-counts"});
  }
}

Result<std::string> lines_of(const FoundPart& found) {
  std::string text;
  try {
    for (const Json& row : found.rows) text += row.dump() + "\n";
  } catch (const Json::exception&) {
    return fail(ErrorCode::kCorrupt, found.part.name() + ": a row is not UTF-8 text");
  }
  return text;
}

// test.parquet and test-00000-of-00002.parquet keep their names.
std::string installed_name(const FoundPart& found, const fs::path& file) {
  const std::string name = file.filename().string();
  return name.starts_with(found.part.split) ? name : found.part.split + file.extension().string();
}

// One folder of the root in the making: `<root>/.import-<pid>-<n>`, removed unless published.
class Staging {
 public:
  static Result<Staging> create(const fs::path& root, std::size_t number) {
    Staging staging(root / (".import-" + std::to_string(getpid()) + "-" + std::to_string(number)));
    std::error_code ignored;
    fs::remove_all(staging.folder_, ignored);  // of a process that died and had the same id
    if (auto status = io::make_folders(staging.folder_); !status) return fail(status.error());
    return staging;
  }
  ~Staging() {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
  Staging(Staging&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  Staging& operator=(Staging&&) = delete;

  // What is there already stays, unless it is written anew.
  Status keep(const fs::path& installed) {
    std::error_code failure;
    fs::copy(installed, folder_, fs::copy_options::recursive, failure);
    if (failure) return fail(ErrorCode::kIo, installed.string() + ": " + failure.message());
    return {};
  }

  Result<fs::path> add(const FoundPart& found) {
    const fs::path folder = folder_ / found.part.config;
    if (auto status = io::make_folders(folder); !status) return fail(status.error());
    drop_split(folder, found.part.split);
    if (found.converted) {
      const auto text = lines_of(found);
      if (!text) return fail(text.error());
      const std::string name = found.part.split + ".jsonl";
      if (auto status = io::write_new_file(folder / name, *text); !status) {
        return fail(status.error());
      }
      return fs::path(found.part.config) / name;
    }
    fs::path first;
    for (const fs::path& file : found.files) {
      const std::string name = installed_name(found, file);
      const auto text = io::read_text(file, kFileLimit);
      if (!text) return fail(text.error());
      if (auto status = io::write_new_file(folder / name, *text); !status) {
        return fail(status.error());
      }
      if (first.empty()) first = fs::path(found.part.config) / name;
    }
    return first;
  }
  Status add_source(const std::string& text) {
    std::error_code ignored;
    fs::remove(folder_ / "SOURCE.json", ignored);
    return io::write_new_file(folder_ / "SOURCE.json", text);
  }

  Status publish(const fs::path& to) {
    const fs::path old = folder_.string() + ".old";
    std::error_code failure;
    if (auto status = io::make_folders(to.parent_path()); !status) return status;
    const bool replaces = fs::exists(to, failure);
    if (replaces) {
      fs::rename(to, old, failure);
      if (failure) return fail(ErrorCode::kIo, to.string() + ": " + failure.message());
    }
    if (auto status = io::publish_folder(folder_, to); !status) {
      std::error_code ignored;
      if (replaces) fs::rename(old, to, ignored);
      return status;
    }
    folder_.clear();
    fs::remove_all(old, failure);
    return {};
  }

 private:
  explicit Staging(fs::path folder) : folder_(std::move(folder)) {}

  static void drop_split(const fs::path& folder, const std::string& split) {
    std::error_code failure;
    std::vector<fs::path> old;
    for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
         it.increment(failure)) {
      const std::string name = it->path().filename().string();
      if (name.starts_with(split + ".") || name.starts_with(split + "-0")) {
        old.push_back(it->path());
      }
    }
    for (const fs::path& file : old) fs::remove(file, failure);
  }

  fs::path folder_;
};

std::string source_text(const KnownDataset& dataset, const FoundDataset& found) {
  Json json = {{"data_set", dataset.title},
               {"licence", dataset.licence},
               {"source", dataset.source},
               {"files", Json::object()},
               {"notes", found.notes}};
  for (const fs::path& file : found.sources) {
    const auto text = io::read_text(file, kFileLimit);
    json["files"][file.filename().string()] = text ? sha256(*text).hex() : "";
  }
  return json.dump(2) + "\n";
}

void count_known_files(const KnownDataset& dataset, const FoundDataset& found,
                       ImportReport& report) {
  const std::set<fs::path> files(found.sources.begin(), found.sources.end());
  for (const fs::path& file : files) {
    const auto text = io::read_text(file, kFileLimit);
    const bool known = text && dataset.digests.contains(sha256(*text).hex());
    ++(known ? report.known_files : report.unknown_files);
  }
}

Status check_conflicts(const FoundDataset& found, const fs::path& root,
                       const ImportOptions& options) {
  if (options.replace) return {};
  Error error{ErrorCode::kConflict, "parts of the data set are installed already", {}};
  for (const FoundPart& part : found.parts) {
    if (is_installed(part.part, {root})) {
      error.faults.push_back({part.part.name(), "is in " + (root / part.part.path).string(),
                              "--replace installs it anew"});
    }
  }
  if (error.faults.empty()) return {};
  return fail(std::move(error));
}

Status install(const KnownDataset& dataset, const FoundDataset& found, const fs::path& root,
               ImportReport& report) {
  std::map<std::string, std::vector<const FoundPart*>> by_path;
  for (const FoundPart& part : found.parts) by_path[part.part.path].push_back(&part);
  const std::string source = source_text(dataset, found);
  std::size_t number = 0;
  for (const auto& [path, parts] : by_path) {
    auto staging = Staging::create(root, number++);
    if (!staging) return fail(staging.error());
    std::error_code ignored;
    if (fs::exists(root / path, ignored)) {
      if (auto status = staging->keep(root / path); !status) return status;
    }
    for (const FoundPart* part : parts) {
      auto file = staging->add(*part);
      if (!file) return fail(std::move(file.error()));
      report.parts.push_back(
          {part->part.name(), part->rows.size(), part->converted, root / path / *file});
    }
    if (auto status = staging->add_source(source); !status) return status;
    if (auto status = staging->publish(root / path); !status) return status;
  }
  return {};
}

}  // namespace

Result<ImportReport> import_dataset(const KnownDataset& dataset, const fs::path& place,
                                    const fs::path& root, const ImportOptions& options) {
  const auto found = find_shape(dataset, place);
  if (!found) return fail(Error(found.error()).with_context("import of " + dataset.title));
  std::vector<Fault> faults;
  for (const FoundPart& part : found->parts) check_part(part, options, faults);
  if (!faults.empty()) {
    return fail(Error{ErrorCode::kCorrupt,
                      place.string() + " does not hold " + dataset.title + " as published",
                      std::move(faults)});
  }
  if (auto status = check_conflicts(*found, root, options); !status) return fail(status.error());
  ImportReport report;
  report.notes = found->notes;
  for (const DatasetPart& part : dataset.parts) {
    if (!found->has(part)) report.missing.push_back(part.name());
  }
  count_known_files(dataset, *found, report);
  if (auto status = install(dataset, *found, root, report); !status) return fail(status.error());
  return report;
}

}  // namespace crucible::task
