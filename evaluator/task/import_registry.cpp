#include "evaluator/task/import_registry.hpp"

#include <algorithm>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/yaml_value.hpp"

namespace crucible::task {
namespace {

DatasetPart read_part(const Json& json) {
  DatasetPart part;
  part.path = json.at("path").get<std::string>();
  part.config = json.value("config", "");
  part.split = json.at("split").get<std::string>();
  part.rows = json.value("rows", std::size_t{0});
  part.columns = json.at("columns").get<std::vector<std::string>>();
  part.optional = json.value("optional", false);
  return part;
}

KnownDataset read_dataset(const Json& json) {
  KnownDataset dataset;
  dataset.name = json.at("name").get<std::string>();
  dataset.title = json.at("title").get<std::string>();
  dataset.licence = json.at("licence").get<std::string>();
  dataset.source = json.at("source").get<std::string>();
  dataset.note = json.value("note", "");
  for (const Json& part : json.at("parts")) dataset.parts.push_back(read_part(part));
  if (json.contains("sha256")) {
    for (const auto& [digest, file] : json["sha256"].items()) {
      dataset.digests.emplace(digest, file.get<std::string>());
    }
  }
  return dataset;
}

// The file is compiled in and read by a test; a fault in it is a bug, not an input error.
std::vector<KnownDataset> read_all() {
  const BuiltinFile* file = find_builtin_file("datasets.yaml");
  const auto root = parse_task_yaml(file->text);
  std::vector<KnownDataset> datasets;
  for (const Json& json : root->at("datasets")) datasets.push_back(read_dataset(json));
  return datasets;
}

}  // namespace

std::string DatasetPart::name() const {
  return path + (config.empty() ? "" : " (" + config + ")") + " " + split;
}

DatasetReference DatasetPart::reference() const {
  DatasetReference reference;
  reference.path = path;
  reference.name = config;
  return reference;
}

const std::vector<KnownDataset>& known_datasets() {
  static const std::vector<KnownDataset> kAll = read_all();
  return kAll;
}

const KnownDataset* find_dataset(std::string_view name) {
  const auto found = std::ranges::find(known_datasets(), name, &KnownDataset::name);
  return found == known_datasets().end() ? nullptr : &*found;
}

const KnownDataset* dataset_of_path(std::string_view path) {
  const auto found = std::ranges::find_if(known_datasets(), [&](const KnownDataset& dataset) {
    return std::ranges::find(dataset.parts, path, &DatasetPart::path) != dataset.parts.end();
  });
  return found == known_datasets().end() ? nullptr : &*found;
}

bool is_installed(const DatasetPart& part, const std::vector<std::filesystem::path>& roots) {
  return !FolderDatasets(roots).find(part.reference(), part.split).empty();
}

namespace {

// Whether one of the names, between '+', is the part's split, configuration or last name.
bool is_named(const DatasetPart& part, std::string_view names) {
  const std::string last = std::filesystem::path(part.path).filename().string();
  while (!names.empty()) {
    const std::size_t end = std::min(names.find('+'), names.size());
    const std::string_view name = names.substr(0, end);
    if (name == part.split || name == part.config || name == last) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

}  // namespace

std::vector<DatasetPart> missing_data(std::string_view need,
                                      const std::vector<std::filesystem::path>& roots) {
  const std::size_t slash = std::min(need.find('/'), need.size());
  const KnownDataset* dataset = find_dataset(need.substr(0, slash));
  if (dataset == nullptr) return {};
  const std::string_view names = need.substr(std::min(slash + 1, need.size()));
  std::vector<DatasetPart> missing;
  for (const DatasetPart& part : dataset->parts) {
    const bool asked = names.empty() ? !part.optional : is_named(part, names);
    if (asked && !is_installed(part, roots)) missing.push_back(part);
  }
  return missing;
}

std::vector<std::string> missing_datasets(const std::vector<std::string>& needs,
                                          const std::vector<std::filesystem::path>& roots) {
  std::vector<std::string> names;
  for (const std::string& need : needs) {
    const std::string name = need.substr(0, need.find('/'));
    if (std::ranges::find(names, name) != names.end()) continue;
    if (!missing_data(need, roots).empty()) names.push_back(name);
  }
  return names;
}

}  // namespace crucible::task
