#include "evaluator/task/suite_tasks.hpp"

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/generate.hpp"
#include "evaluator/task/import_registry.hpp"
#include "evaluator/task/items.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "merger/base/io.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr std::uint64_t kTextLimit = 256ULL << 20;
constexpr std::int64_t kGeneratedLimit = 100'000;

void check_name(const Mapping& entry, const std::string& name) {
  if (is_plain_name(name)) return;
  entry.add("name", "is not a plain name",
            "at most 100 letters, digits, '_', '-' and '.', not beginning with '.'");
}

ItemFormat read_format(const Mapping& entry, std::vector<Fault>& faults) {
  ItemFormat format;
  const bool generated = entry.has("generator");
  const std::string kind =
      entry.text("format", generated ? std::optional<std::string>("") : std::nullopt);
  if (kind == "agieval") {
    format.kind = ItemFormat::Kind::kAgieval;
  } else if (kind != "multiple_choice_jsonl" && !kind.empty()) {
    entry.add("format", "'" + kind + "' is not a known format",
              "use multiple_choice_jsonl, agieval or text");
  }
  format.delimiter = entry.text("delimiter", " ");
  if (const YAML::Node* node = entry.find("fields")) {
    if (format.kind == ItemFormat::Kind::kAgieval) {
      entry.add("fields", "belongs to multiple_choice_jsonl only");
    }
    const Mapping fields(*node, child_path(entry.path(), "fields"),
                         {"query", "choices", "gold", "cluster"}, faults);
    format.fields.query = fields.text("query", format.fields.query);
    format.fields.choices = fields.text("choices", format.fields.choices);
    format.fields.gold = fields.text("gold", format.fields.gold);
    if (fields.has("cluster")) format.fields.cluster = fields.text("cluster");
  }
  return format;
}

// As results files show a task under "configs".
Json own_config(const Mapping& entry, const Task& task) {
  const bool rolling = task.output_type == OutputType::kLoglikelihoodRolling;
  Json config = {{"task", task.name},
                 {"output_type", rolling ? "loglikelihood_rolling" : "multiple_choice"}};
  if (rolling) config["data"] = entry.texts("data");
  for (const char* key : {"format", "data", "generator"}) {
    if (config.contains(key)) continue;
    if (entry.has(key)) config[key] = entry.text(key, "");
  }
  config["num_fewshot"] = 0;
  config["metric_list"] = Json::array();
  for (const MetricSetting& metric : task.metrics) {
    config["metric_list"].push_back({{"metric", metric.metric},
                                     {"aggregation", metric.aggregation},
                                     {"higher_is_better", metric.higher_is_better}});
  }
  config["metadata"] = {{"version", task.version}};
  return config;
}

}  // namespace

std::optional<engine::BosRule> read_bos(const Mapping& mapping) {
  if (!mapping.has("bos")) return std::nullopt;
  const std::string rule = mapping.text("bos");
  if (rule == "never") return engine::BosRule::kNever;
  if (rule == "tokenizer") return engine::BosRule::kTokenizer;
  mapping.add("bos", "'" + rule + "' is not a known rule", "use never or tokenizer");
  return std::nullopt;
}

void SuiteTasks::read(const YAML::Node& entry, const std::string& path, Suite& suite) {
  if (entry.IsScalar()) {
    read_from_catalog(entry.Scalar(), nullptr, path, suite);
    return;
  }
  if (entry.IsMap() && entry["task"]) {
    static const std::set<std::string> kKeys = {
        "task", "name", "bos", "primary_metric", "filter", "attempts", "retry_temperature_step"};
    const Mapping mapping(entry, path, kKeys, faults_, true);
    read_from_catalog(mapping.text("task"), &mapping, path, suite);
    return;
  }
  static const std::set<std::string> kKeys = {"name",    "format",    "data",      "primary_metric",
                                              "version", "fields",    "delimiter", "source",
                                              "alias",   "generator", "count",     "bos"};
  const Mapping mapping(entry, path, kKeys, faults_);
  if (entry.IsMap()) read_own(mapping, suite);
}

// Name, version and what else every entry with items of its own has.
Task SuiteTasks::own_task(const Mapping& entry) {
  Task task;
  task.name = entry.text("name");
  check_name(entry, task.name);
  task.alias = entry.text("alias", task.name);
  task.version = entry.text("version", context_.version);
  task.filters = {{"none", {{"take_first", Json::object()}}}};
  return task;
}

void SuiteTasks::finish(const Mapping& entry, Task task, Suite& suite) {
  task.original_items = task.items.size();
  if (options_.limit && task.items.size() > *options_.limit) task.items.resize(*options_.limit);
  task.config = own_config(entry, task);
  task.digest = task_digest(task);
  suite.tasks.push_back(std::move(task));
}

void SuiteTasks::read_own(const Mapping& entry, Suite& suite) {
  const std::string format = entry.text("format", "");
  if (format == "text") {
    read_texts(entry, suite);
    return;
  }
  Task task = own_task(entry);
  task.bos = read_bos(entry).value_or(context_.bos.value_or(engine::BosRule::kNever));
  task.metrics = {{"acc", "mean", true, Json::object()},
                  {"acc_norm", "mean", true, Json::object()}};
  task.primary_metric = entry.text("primary_metric", format == "agieval" ? "acc_norm" : "acc");
  if (task.primary_metric != "acc" && task.primary_metric != "acc_norm") {
    entry.add("primary_metric", "'" + task.primary_metric + "' is not a known metric",
              "use acc or acc_norm");
  }
  task.items = entry.has("generator") ? generated_items(entry) : own_items(entry);
  finish(entry, std::move(task), suite);
}

// Files of running text, each one item: perplexity by rolling log-likelihood.
void SuiteTasks::read_texts(const Mapping& entry, Suite& suite) {
  Task task = own_task(entry);
  task.output_type = OutputType::kLoglikelihoodRolling;
  task.bos = read_bos(entry).value_or(context_.bos.value_or(engine::BosRule::kTokenizer));
  task.metrics = {{"word_perplexity", "weighted_perplexity", false, Json::object()},
                  {"byte_perplexity", "weighted_perplexity", false, Json::object()},
                  {"bits_per_byte", "bits_per_byte", false, Json::object()}};
  task.primary_metric = entry.text("primary_metric", "word_perplexity");
  if (std::ranges::find(task.metrics, task.primary_metric, &MetricSetting::metric) ==
      task.metrics.end()) {
    entry.add("primary_metric", "'" + task.primary_metric + "' is not a known metric",
              "use word_perplexity, byte_perplexity or bits_per_byte");
  }
  task.items = text_items(entry);
  finish(entry, std::move(task), suite);
}

std::vector<Item> SuiteTasks::text_items(const Mapping& entry) {
  for (const char* key : {"fields", "delimiter", "generator", "count"}) {
    if (entry.has(key)) entry.add(key, "does not go with format text");
  }
  std::vector<Item> items;
  for (const std::string& data : entry.texts("data")) {
    const std::filesystem::path file = (context_.folder / data).lexically_normal();
    auto text = io::read_text(file, kTextLimit);
    if (!text) {
      const std::string source = entry.text("source", "");
      entry.add("data", text.error().message, source.empty() ? "" : "source: " + source);
      continue;
    }
    if (text->empty() || recipe::find_invalid_utf8(*text) != std::string::npos) {
      entry.add("data", file.string() + (text->empty() ? " is empty" : " is not UTF-8 text"));
      continue;
    }
    Item item;
    item.doc_id = items.size();
    item.id = std::to_string(items.size());
    item.document = {{"file", file.filename().string()}};
    item.target = *text;
    item.requests.push_back({std::move(*text), {}, {}});
    items.push_back(std::move(item));
  }
  if (!entry.has("data")) entry.add("data", "is missing");
  return items;
}

std::vector<Item> SuiteTasks::own_items(const Mapping& entry) {
  const ItemFormat format = read_format(entry, faults_);
  const std::string data = entry.text("data");
  if (data.empty()) return {};
  const std::filesystem::path file = (context_.folder / data).lexically_normal();
  std::vector<Item> items;
  const std::size_t faults_before = faults_.size();
  std::error_code ignored;
  if (context_.builtin) {
    const BuiltinFile* builtin = find_builtin_file(file.generic_string());
    if (builtin == nullptr) {
      entry.add("data", "there is no built-in file " + file.generic_string());
      return {};
    }
    items = parse_items(builtin->text, file.filename().string(), format, faults_);
  } else if (!std::filesystem::exists(file, ignored)) {
    const std::string source = entry.text("source", "");
    entry.add("data", "there is no file " + (context_.folder / data).string(),
              source.empty() ? "put the items there" : "put the items there; source: " + source);
    return {};
  } else {
    items = read_items(file, format, faults_);
  }
  if (items.empty() && faults_.size() == faults_before) {
    entry.add("data", file.string() + " holds no items");
  }
  return items;
}

std::vector<Item> SuiteTasks::generated_items(const Mapping& entry) {
  for (const char* key : {"data", "fields", "format"}) {
    if (entry.has(key)) entry.add(key, "does not go with a generator");
  }
  const ItemFormat format{ItemFormat::Kind::kMultipleChoice,
                          {"query", "choices", "gold", "cluster"},
                          entry.text("delimiter", " ")};
  const auto count = entry.whole("count", 1, kGeneratedLimit);
  const auto generated = generate_items(
      entry.text("generator"), static_cast<std::size_t>(count.value_or(100)), context_.seed);
  if (!generated) {
    entry.add("generator", generated.error().message);
    return {};
  }
  std::string lines;
  for (const Json& document : *generated) lines += document.dump() + "\n";
  return parse_items(lines, entry.text("generator"), format, faults_);
}

const TaskCatalog* SuiteTasks::catalog(const std::string& path) {
  if (!catalog_ && !catalog_failed_) {
    std::vector<std::filesystem::path> folders;
    std::error_code ignored;
    const std::filesystem::path own = context_.folder / "tasks";
    if (!context_.builtin && std::filesystem::is_directory(own, ignored)) folders.push_back(own);
    auto opened = TaskCatalog::open(folders);
    catalog_failed_ = !opened;
    if (opened) {
      catalog_ = std::move(*opened);
    } else {
      add(opened.error(), path);
    }
  }
  return catalog_ ? &*catalog_ : nullptr;
}

void SuiteTasks::read_from_catalog(const std::string& name, const Mapping* entry,
                                   const std::string& path, Suite& suite) {
  const TaskCatalog* tasks = catalog(path);
  if (tasks == nullptr) return;
  if (context_.only_names) {
    const bool known =
        std::ranges::any_of(tasks->list(), [&](const TaskInfo& info) { return info.name == name; });
    if (!known) faults_.push_back({path, "there is no task '" + name + "'", {}});
    return;
  }
  const Json overrides = entry != nullptr ? entry->rest() : Json::object();
  auto set = overrides.empty() ? tasks->build({name}, options_)
                               : tasks->build_with(name, overrides, options_);
  if (!set) {
    add(set.error(), path);
    return;
  }
  for (Task& task : set->tasks) {
    if (context_.bos) task.bos = *context_.bos;
  }
  if (entry != nullptr) apply(*entry, *set);
  for (Task& task : set->tasks) {
    task.digest = task_digest(task);
    suite.tasks.push_back(std::move(task));
  }
  for (Group& group : set->groups) {
    const auto same = std::ranges::find(suite.groups, group.name, &Group::name);
    if (same == suite.groups.end()) suite.groups.push_back(std::move(group));
  }
}

// The settings of an entry that are no part of a task file.
void SuiteTasks::apply(const Mapping& entry, TaskSet& set) const {
  const auto bos = read_bos(entry);
  const auto attempts = entry.whole("attempts", 1, 100);
  const auto step = entry.number("retry_temperature_step");
  if (entry.has("name") && set.tasks.size() != 1) {
    entry.add("name", "can be given to one task only, not to a group");
  }
  for (Task& task : set.tasks) {
    if (bos) task.bos = *bos;
    if (attempts) task.attempts = static_cast<std::uint32_t>(*attempts);
    if (step) task.retry_temperature_step = *step;
    if (entry.has("primary_metric")) task.primary_metric = entry.text("primary_metric");
    if (entry.has("filter")) task.primary_filter = entry.text("filter");
    if (entry.has("name") && set.tasks.size() == 1) {
      task.name = task.alias = entry.text("name");
      check_name(entry, task.name);
    }
  }
}

// Faults under the entry's path; missing data sets have been noted where they were asked for.
void SuiteTasks::add(const Error& error, const std::string& path) {
  if (error.code == ErrorCode::kNotFound && !missing_data().empty()) return;
  std::vector<Fault> found = error.faults;
  if (found.empty()) found.push_back({"", error.message, {}});
  for (Fault& fault : found) {
    fault.path = fault.path.empty() ? path : path + " " + fault.path;
    faults_.push_back(std::move(fault));
  }
}

Result<std::vector<Json>> NotingDatasets::rows(const DatasetReference& dataset,
                                               const std::string& split) {
  auto rows = source_->rows(dataset, split);
  if (!rows && rows.error().code == ErrorCode::kNotFound) {
    missing_.emplace(dataset.path, rows.error());
  }
  return rows;
}

std::vector<Fault> NotingDatasets::missing() const {
  std::vector<Fault> faults;
  for (const auto& [path, error] : missing_) {
    Fault fault{path, error.message, {}};
    if (const KnownDataset* known = dataset_of_path(path)) {
      fault = {known->name, error.message,
               "licence: " + known->licence + "; fetch it from " + known->source +
                   " and run: crucible suites import " + known->name + " PATH"};
    }
    const auto same = std::ranges::find(faults, fault.path, &Fault::path);
    if (same == faults.end()) faults.push_back(std::move(fault));
  }
  return faults;
}

}  // namespace crucible::task
