#include "evaluator/task/import_shapes.hpp"

#include <algorithm>
#include <system_error>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/text/strings.hpp"
#include "merger/base/io.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool has_columns(const std::vector<Json>& rows, const std::vector<std::string>& columns) {
  return !rows.empty() && std::ranges::all_of(columns, [&](const std::string& column) {
    return rows.front().is_object() && rows.front().contains(column);
  });
}

// Of a repository in the Hub's cache (datasets--openai--gsm8k) the revision that refs/main names,
// else the only one; any other folder as it is.
fs::path snapshot_of(const fs::path& folder) {
  std::error_code failure;
  if (!fs::is_directory(folder / "snapshots", failure)) return folder;
  const auto revision = io::read_text(folder / "refs" / "main", 1024);
  if (revision) {
    const fs::path current = folder / "snapshots" / std::string(text::strip(*revision));
    if (fs::is_directory(current, failure)) return current;
  }
  std::vector<fs::path> revisions;
  for (fs::directory_iterator it(folder / "snapshots", failure), end; !failure && it != end;
       it.increment(failure)) {
    revisions.push_back(it->path());
  }
  return revisions.size() == 1 ? revisions.front() : folder;
}

// The part's files in the Hub's layout, when their rows have its columns.
Result<std::optional<FoundPart>> find_in_hub_layout(const KnownDataset& dataset,
                                                    const DatasetPart& part,
                                                    const fs::path& place) {
  const bool only_config = std::ranges::all_of(
      dataset.parts, [&](const DatasetPart& other) { return other.config == part.config; });
  for (const fs::path& folder : hub_folders(part, place)) {
    const FolderDatasets datasets({folder.parent_path()});
    for (const bool with_config : {true, false}) {
      if (!with_config && (!only_config || part.config.empty())) continue;
      DatasetReference reference;
      reference.path = folder.filename().string();
      reference.name = with_config ? part.config : "";
      FoundPart found{part, datasets.find(reference, part.split), {}, false};
      if (found.files.empty()) continue;
      FolderDatasets reader({folder.parent_path()});
      auto rows = reader.rows(reference, part.split);
      if (!rows) return fail(std::move(rows.error()));
      if (!has_columns(*rows, part.columns)) continue;
      found.rows = std::move(*rows);
      return found;
    }
  }
  return std::nullopt;
}

// "a/b/" and "a/b" name the same folder.
fs::path without_slash(const fs::path& place) {
  std::error_code failure;
  fs::path whole = fs::absolute(place, failure).lexically_normal();
  return whole.has_filename() ? whole : whole.parent_path();
}

}  // namespace

std::vector<fs::path> hub_folders(const DatasetPart& part, const fs::path& place) {
  const std::string cached = "datasets--" + text::replace(part.path, "/", "--");
  return {place / part.path, place / fs::path(part.path).filename(), snapshot_of(place / cached),
          place};
}

bool FoundDataset::has(const DatasetPart& part) const {
  return std::ranges::any_of(
      parts, [&](const FoundPart& other) { return other.part.name() == part.name(); });
}

std::optional<fs::path> UpstreamFiles::find(const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    if (is_file(place_) && place_.filename() == fs::path(name).filename()) return place_;
  }
  for (const std::string& name : names) {
    if (is_file(place_ / name)) return place_ / name;
  }
  return std::nullopt;
}

Result<std::vector<Json>> convert_rows(const fs::path& file, const std::vector<Json>& rows,
                                       const std::function<Result<Json>(const Json&)>& convert) {
  std::vector<Json> converted;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string place = file.filename().string() + ": row " + std::to_string(i);
    try {
      auto row = convert(rows[i]);
      if (!row) return fail(std::move(row.error()).with_context(place));
      converted.push_back(std::move(*row));
    } catch (const Json::exception& problem) {
      return fail(ErrorCode::kCorrupt, place + ": a field is missing or of another kind (" +
                                           std::string(problem.what()) + ")");
    }
  }
  return converted;
}

Status UpstreamFiles::add(const DatasetPart& part, const std::vector<std::string>& names,
                          RowConverter convert, FoundDataset& found) const {
  const auto file = find(names);
  if (!file || found.has(part)) return {};
  auto rows = read_rows(*file);
  if (!rows) return fail(std::move(rows.error()));
  auto converted = convert_rows(*file, *rows, convert);
  if (!converted) return fail(std::move(converted.error()));
  found.parts.push_back({part, {}, std::move(*converted), true});
  found.sources.push_back(*file);
  return {};
}

Result<FoundDataset> find_shape(const KnownDataset& dataset, const fs::path& given) {
  const fs::path place = snapshot_of(without_slash(given));
  std::error_code ignored;
  if (!fs::exists(place, ignored)) {
    return fail(ErrorCode::kNotFound, "there is no file or folder " + place.string());
  }
  FoundDataset found;
  for (const DatasetPart& part : dataset.parts) {
    auto hub = find_in_hub_layout(dataset, part, place);
    if (!hub) return fail(std::move(hub.error()));
    if (!*hub) continue;
    for (const fs::path& file : (*hub)->files) found.sources.push_back(file);
    found.parts.push_back(std::move(**hub));
  }
  UpstreamReader reader = choice_reader(dataset.name);
  if (reader == nullptr) reader = generation_reader(dataset.name);
  if (reader != nullptr && found.parts.size() < dataset.parts.size()) {
    if (auto status = reader(dataset, UpstreamFiles(place), found); !status) {
      return fail(std::move(status.error()));
    }
  }
  if (found.parts.empty()) {
    return fail(ErrorCode::kNotFound, place.string() + " holds no file of " + dataset.title +
                                          " in a known shape; expected are the files of " +
                                          dataset.source + ", or the Hub's data files of " +
                                          dataset.parts.front().path);
  }
  return found;
}

}  // namespace crucible::task
