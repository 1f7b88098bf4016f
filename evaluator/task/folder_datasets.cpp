#include "evaluator/task/folder_datasets.hpp"

#include <glob.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string_view>
#include <system_error>

#include "evaluator/task/row_files.hpp"

namespace crucible::task {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEndings[] = {".jsonl", ".json", ".csv", ".tsv", ".parquet"};
constexpr std::size_t kPartLimit = 10'000;

bool is_loader(const std::string& path) {
  return path == "json" || path == "csv" || path == "parquet" || path == "text";
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// Names from task files must not lead out of a root.
bool is_plain(const std::string& name) {
  const fs::path path(name);
  return !path.is_absolute() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

// The file of that name, else those that the name is a pattern for (*, ?, […]), in order of their
// names.
std::vector<fs::path> matching_files(const fs::path& name) {
  if (is_file(name)) return {name};
  if (name.string().find_first_of("*?[") == std::string::npos) return {};
  std::vector<fs::path> files;
  glob_t matches{};
  if (glob(name.c_str(), 0, nullptr, &matches) == 0) {
    for (std::size_t i = 0; i < matches.gl_pathc && files.size() <= kPartLimit; ++i) {
      if (is_file(matches.gl_pathv[i])) files.emplace_back(matches.gl_pathv[i]);
    }
  }
  globfree(&matches);
  std::sort(files.begin(), files.end());
  return files;
}

// test-00000-of-00002.parquet and its fellows, all there.
std::vector<fs::path> parts_in(const fs::path& folder, const std::string& split) {
  std::vector<fs::path> parts;
  std::error_code error;
  for (fs::directory_iterator place(folder, error), end; !error && place != end;
       place.increment(error)) {
    const std::string name = place->path().filename().string();
    if (name.starts_with(split + "-") && name.find("-of-") != std::string::npos &&
        std::any_of(std::begin(kEndings), std::end(kEndings),
                    [&](std::string_view ending) { return name.ends_with(ending); }))
      parts.push_back(place->path());
    if (parts.size() > kPartLimit) return {};
  }
  std::sort(parts.begin(), parts.end());
  return parts;
}

std::vector<fs::path> files_in(const fs::path& folder, const std::string& split) {
  for (const std::string_view ending : kEndings) {
    fs::path file = folder / (split + std::string(ending));
    if (is_file(file)) return {std::move(file)};
  }
  return parts_in(folder, split);
}

std::vector<fs::path> candidate_folders(const fs::path& root, const DatasetReference& dataset) {
  const fs::path base = root / dataset.path;
  std::vector<fs::path> folders;
  if (!dataset.name.empty()) {
    folders = {base / dataset.name, base / dataset.name / "data", base / "data" / dataset.name};
  }
  if (dataset.name.empty() || dataset.name == "default") {
    folders.push_back(base);
    folders.push_back(base / "data");
    folders.push_back(base / "default");
  }
  return folders;
}

std::string described(const DatasetReference& dataset, const std::string& split) {
  std::string text = "split `" + split + "` of data set `" + dataset.path + "`";
  if (!dataset.name.empty()) text += " (" + dataset.name + ")";
  return text;
}

Error missing(const DatasetReference& dataset, const std::string& split,
              const std::vector<fs::path>& roots) {
  Error error{ErrorCode::kNotFound, described(dataset, split) + " is not on this machine", {}};
  const auto files = dataset.data_files.find(split);
  if (!dataset.data_files.empty() && files == dataset.data_files.end()) {
    error.message += ": data_files names no files of that split";
    return error;
  }
  if (files != dataset.data_files.end()) {
    error.message += ": there is no file " + files->second.front().string();
    if (is_loader(dataset.path) && files->second.front().string().find("://") == std::string::npos)
      return error;
  }
  if (roots.empty()) {
    error.message += ", and no folder of data sets is configured";
    return error;
  }
  fs::path place = roots.front() / dataset.path;
  if (!dataset.name.empty()) place /= dataset.name;
  if (files == dataset.data_files.end())
    error.message += "; put it at " + (place / (split + ".jsonl")).string() +
                     " (or .json, .csv, .tsv, .parquet)";
  else
    error.message += "; put it into " + place.string();
  if (!is_loader(dataset.path))
    error.message += "; the harness takes it from huggingface.co/datasets/" + dataset.path;
  return error;
}

}  // namespace

std::vector<fs::path> FolderDatasets::default_roots() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  std::vector<fs::path> roots;
  const std::string listed = variable("CRUCIBLE_DATASETS");
  for (std::size_t begin = 0; begin < listed.size();) {
    const std::size_t end = std::min(listed.find(':', begin), listed.size());
    if (end > begin) roots.emplace_back(listed.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!roots.empty()) return roots;
  const std::string data_home = variable("XDG_DATA_HOME");
  const std::string home = variable("HOME");
  if (!data_home.empty()) return {fs::path(data_home) / "crucible" / "datasets"};
  if (!home.empty()) return {fs::path(home) / ".local" / "share" / "crucible" / "datasets"};
  return {};
}

std::vector<fs::path> FolderDatasets::named_files(const DatasetReference& dataset,
                                                  const std::string& split) const {
  const auto named = dataset.data_files.find(split);
  if (named == dataset.data_files.end()) return {};
  std::vector<fs::path> files;
  for (const fs::path& name : named->second) {
    const std::string text = name.string();
    const bool remote = text.find("://") != std::string::npos;
    std::vector<fs::path> found;
    if (text.starts_with(kBuiltinPrefix)) {
      found = {name};
    } else if (is_loader(dataset.path) && !remote) {
      found = matching_files(name);
    } else {
      const fs::path relative = remote ? name.filename() : name;
      if (!is_plain(relative.string())) return {};
      for (auto root = roots_.begin(); root != roots_.end() && found.empty(); ++root)
        found = matching_files(*root / dataset.path / relative);
    }
    if (found.empty()) return {};
    files.insert(files.end(), found.begin(), found.end());
  }
  return files;
}

std::vector<fs::path> FolderDatasets::find(const DatasetReference& dataset,
                                           const std::string& split) const {
  if (!is_plain(dataset.path) || !is_plain(dataset.name) || !is_plain(split)) return {};
  if (!dataset.data_files.empty()) return named_files(dataset, split);
  for (const fs::path& root : roots_) {
    for (const fs::path& folder : candidate_folders(root, dataset)) {
      auto files = files_in(folder, split);
      if (!files.empty()) return files;
    }
  }
  return {};
}

Result<std::vector<Json>> FolderDatasets::rows(const DatasetReference& dataset,
                                               const std::string& split) {
  const std::vector<fs::path> files = find(dataset, split);
  if (files.empty()) return fail(missing(dataset, split, roots_));
  std::vector<Json> rows;
  for (const fs::path& file : files) {
    auto part = read_rows_with(file, {dataset.column_names});
    if (!part) return fail(std::move(part.error()).with_context(described(dataset, split)));
    rows.insert(rows.end(), std::make_move_iterator(part->begin()),
                std::make_move_iterator(part->end()));
  }
  if (files.size() > 1) unify_columns(rows);
  return rows;
}

}  // namespace crucible::task
