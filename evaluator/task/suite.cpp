#include "evaluator/task/suite.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "evaluator/task/items.hpp"
#include "merger/base/io.hpp"
#include "yaml-cpp/yaml.h"

namespace crucible::task {
namespace {

constexpr std::uint64_t kSuiteFileLimit = 1ULL << 20;
constexpr std::size_t kTaskLimit = 1000;
constexpr std::size_t kFaultLimit = 50;  // shown; the rest is counted

std::string child(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

// Reads the keys of one mapping; unknown, doubled and mistyped ones become faults.
class Mapping {
 public:
  Mapping(const YAML::Node& node, std::string path, const std::set<std::string>& known,
          std::vector<Fault>& faults)
      : path_(std::move(path)), faults_(faults) {
    if (!node.IsMap()) {
      add("", "is not a mapping");
      return;
    }
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      if (!known.contains(key)) {
        add(key, "is not a known key", "known keys: " + join(known));
      } else if (!values_.emplace(key, entry.second).second) {
        add(key, "is given twice");
      }
    }
  }

  const YAML::Node* find(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  std::string text(const std::string& key, const std::optional<std::string>& fallback = {}) const {
    const YAML::Node* node = find(key);
    if (node == nullptr) {
      if (!fallback) add(key, "is missing");
      return fallback.value_or("");
    }
    if (!node->IsScalar()) {
      add(key, "is not a string");
      return {};
    }
    if (node->Scalar().empty() && key != "delimiter") add(key, "is empty");
    return node->Scalar();
  }
  void add(const std::string& key, std::string message, std::string suggestion = {}) const {
    faults_.push_back({key.empty() ? (path_.empty() ? "suite" : path_) : child(path_, key),
                       std::move(message), std::move(suggestion)});
  }
  const std::string& path() const { return path_; }

 private:
  static std::string join(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
  }
  std::string path_;
  std::vector<Fault>& faults_;
  std::map<std::string, YAML::Node> values_;
};

// Names become file names and URL parts.
void check_name(const Mapping& mapping, const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
  if (!plain || name.starts_with('.') || name.size() > 100) {
    mapping.add("name", "is not a plain name",
                "at most 100 letters, digits, '_', '-' and '.', not beginning with '.'");
  }
}

ItemFormat read_format(const Mapping& task, std::vector<Fault>& faults) {
  ItemFormat format;
  const std::string kind = task.text("format");
  if (kind == "agieval") {
    format.kind = ItemFormat::Kind::kAgieval;
  } else if (kind != "multiple_choice_jsonl" && !kind.empty()) {
    task.add("format", "'" + kind + "' is not a known format",
             "use multiple_choice_jsonl or agieval");
  }
  format.delimiter = task.text("delimiter", " ");
  if (const YAML::Node* node = task.find("fields")) {
    if (format.kind == ItemFormat::Kind::kAgieval) {
      task.add("fields", "belongs to multiple_choice_jsonl only");
    }
    const Mapping fields(*node, child(task.path(), "fields"), {"query", "choices", "gold"}, faults);
    format.fields.query = fields.text("query", format.fields.query);
    format.fields.choices = fields.text("choices", format.fields.choices);
    format.fields.gold = fields.text("gold", format.fields.gold);
  }
  return format;
}

// The data file, or nothing and a fault that says where to put it.
std::optional<std::filesystem::path> data_file(const Mapping& task,
                                               const std::filesystem::path& folder) {
  const std::string data = task.text("data");
  if (data.empty()) return std::nullopt;
  const std::filesystem::path file = folder / data;
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    const std::string source = task.text("source", "");
    task.add("data", "there is no file " + file.string(),
             source.empty() ? "put the items there" : "put the items there; source: " + source);
    return std::nullopt;
  }
  return file;
}

Digest task_digest(const Task& task) {
  Sha256 hash;
  hash.field("crucible.task.1").field(std::to_string(task.documents.size()));
  for (const Document& document : task.documents) {
    hash.field(document.context).field(std::to_string(document.choices.size()));
    for (const std::string& choice : document.choices) hash.field(choice);
    for (const std::string& text : document.choice_texts) hash.field(text);
    hash.field(std::to_string(document.gold.size()));
    for (const std::size_t index : document.gold) hash.field(std::to_string(index));
  }
  return hash.finish();
}

Task read_task(const YAML::Node& node, const std::string& path, const std::string& suite_version,
               const std::filesystem::path& folder, std::vector<Fault>& faults) {
  static const std::set<std::string> kKeys = {"name",    "format", "data",      "primary_metric",
                                              "version", "fields", "delimiter", "source"};
  const Mapping mapping(node, path, kKeys, faults);
  Task task;
  if (!node.IsMap()) return task;
  task.name = mapping.text("name");
  check_name(mapping, task.name);
  task.version = mapping.text("version", suite_version);
  const ItemFormat format = read_format(mapping, faults);
  const bool agieval = format.kind == ItemFormat::Kind::kAgieval;
  task.primary_metric = mapping.text("primary_metric", agieval ? "acc_norm" : "acc");
  if (task.primary_metric != "acc" && task.primary_metric != "acc_norm") {
    mapping.add("primary_metric", "'" + task.primary_metric + "' is not a known metric",
                "use acc or acc_norm");
  }
  const std::size_t faults_before = faults.size();
  if (const auto file = data_file(mapping, folder)) {
    task.documents = read_items(*file, format, faults);
    if (task.documents.empty() && faults.size() == faults_before) {
      mapping.add("data", file->string() + " holds no items");
    }
  }
  task.digest = task_digest(task);
  return task;
}

void read_tasks(const Mapping& mapping, Suite& suite, const std::filesystem::path& folder,
                std::vector<Fault>& faults) {
  const YAML::Node* tasks = mapping.find("tasks");
  if (tasks == nullptr || !tasks->IsSequence() || tasks->size() == 0 ||
      tasks->size() > kTaskLimit) {
    mapping.add("tasks", tasks == nullptr ? "is missing" : "is not a list of 1 to 1000 tasks");
    return;
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < tasks->size(); ++i) {
    const std::string path = "tasks[" + std::to_string(i) + "]";
    suite.tasks.push_back(read_task((*tasks)[i], path, suite.version, folder, faults));
    const std::string& name = suite.tasks.back().name;
    if (!name.empty() && !names.insert(name).second) {
      faults.push_back({path + ".name", "'" + name + "' is the name of an earlier task", {}});
    }
  }
}

// Of what a score depends on: task names, versions, metrics and items; not of descriptions.
Digest suite_digest(const Suite& suite) {
  Sha256 hash;
  hash.field("crucible.suite.1").field(std::to_string(suite.tasks.size()));
  for (const Task& task : suite.tasks) {
    hash.field(task.name).field(task.version).field(task.primary_metric).field(task.digest.hex());
  }
  return hash.finish();
}

Error faults_error(const std::filesystem::path& file, std::vector<Fault> faults) {
  const std::size_t count = faults.size();
  Error error{ErrorCode::kInvalidArgument, {}, std::move(faults)};
  error.message = "suite " + file.string() + " has " + std::to_string(count) +
                  (count == 1 ? " fault" : " faults");
  if (count > kFaultLimit) {
    error.faults.resize(kFaultLimit);
    error.message += ", the first " + std::to_string(kFaultLimit) + " of them follow";
  }
  return error;
}

}  // namespace

Result<Suite> read_suite(const std::filesystem::path& yaml_file) {
  const auto text = io::read_text(yaml_file, kSuiteFileLimit);
  if (!text) return fail(Error(text.error()).with_context("reading suite"));
  YAML::Node root;
  try {
    root = YAML::Load(*text);
  } catch (const YAML::Exception& exception) {
    const std::string place = "line " + std::to_string(exception.mark.line + 1);
    return fail(faults_error(yaml_file, {{place, "is not YAML: " + exception.msg, {}}}));
  }
  std::vector<Fault> faults;
  Suite suite;
  const Mapping mapping(root, "", {"name", "description", "version", "tasks"}, faults);
  if (root.IsMap()) {
    suite.name = mapping.text("name");
    check_name(mapping, suite.name);
    suite.description = mapping.text("description", "");
    suite.version = mapping.text("version", "1");
    read_tasks(mapping, suite, yaml_file.parent_path(), faults);
  }
  if (!faults.empty()) return fail(faults_error(yaml_file, std::move(faults)));
  suite.digest = suite_digest(suite);
  return suite;
}

}  // namespace crucible::task
