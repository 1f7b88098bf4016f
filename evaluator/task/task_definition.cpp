#include "evaluator/task/task_definition.hpp"

#include <cmath>
#include <utility>

#include "evaluator/task/task_definition_reading.hpp"
#include "evaluator/template/template.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

const std::set<std::string_view>& known_keys() {
  static const std::set<std::string_view> kKeys = {"task",
                                                   "task_alias",
                                                   "tag",
                                                   "custom_dataset",
                                                   "dataset_path",
                                                   "dataset_name",
                                                   "dataset_kwargs",
                                                   "training_split",
                                                   "validation_split",
                                                   "test_split",
                                                   "fewshot_split",
                                                   "process_docs",
                                                   "doc_to_text",
                                                   "doc_to_target",
                                                   "doc_to_image",
                                                   "doc_to_audio",
                                                   "unsafe_code",
                                                   "doc_to_choice",
                                                   "process_results",
                                                   "use_prompt",
                                                   "description",
                                                   "target_delimiter",
                                                   "fewshot_delimiter",
                                                   "fewshot_config",
                                                   "num_fewshot",
                                                   "metric_list",
                                                   "output_type",
                                                   "generation_kwargs",
                                                   "repeats",
                                                   "filter_list",
                                                   "should_decontaminate",
                                                   "doc_to_decontamination_query",
                                                   "gen_prefix",
                                                   "metadata"};
  return kKeys;
}

OutputType read_output_type(const Settings& settings) {
  static const std::vector<std::pair<std::string_view, OutputType>> kTypes = {
      {"generate_until", OutputType::kGenerateUntil},
      {"multiple_choice", OutputType::kMultipleChoice},
      {"loglikelihood", OutputType::kLoglikelihood},
      {"loglikelihood_rolling", OutputType::kLoglikelihoodRolling},
      {"conversation", OutputType::kConversation}};
  const std::string name = settings.text("output_type", "generate_until");
  std::vector<std::string_view> names;
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
    names.push_back(known);
  }
  settings.add("output_type", "`" + recipe::printable(name) + "` is not an output type",
               "use one of " + recipe::join(names));
  return OutputType::kGenerateUntil;
}

void refuse_what_needs_python(const Settings& settings) {
  for (const std::string_view key :
       {"custom_dataset", "doc_to_image", "doc_to_audio", "use_prompt"}) {
    if (settings.find(key) != nullptr)
      settings.add(key, "is not supported here: it needs Python, pictures or sound");
  }
  if (settings.flag("unsafe_code", false))
    settings.add("unsafe_code", "tasks that run generated code are not supported");
}

void read_process_results(const Settings& settings, TaskDefinition& task) {
  const Json* value = settings.find("process_results");
  if (value == nullptr) return;
  if (const std::string* path = function_name(*value)) {
    if (const auto rule = results_rule(*path)) {
      task.process_results = *rule;
      return;
    }
    settings.add_no_counterpart("process_results", *path);
  } else {
    task.process_results = settings.text("process_results");
  }
}

void read_fields(const Settings& settings, TaskDefinition& task) {
  task.text = settings.field("doc_to_text");
  task.target = settings.field("doc_to_target");
  task.choice = settings.field("doc_to_choice");
  task.description = settings.field("description");
  task.gen_prefix = settings.field("gen_prefix");
  if (settings.find("doc_to_text") == nullptr) settings.add("doc_to_text", "is missing");
  const bool needs_target = task.output_type != OutputType::kConversation;
  if (needs_target && settings.find("doc_to_target") == nullptr)
    settings.add("doc_to_target", "is missing");
  if (task.output_type == OutputType::kMultipleChoice && settings.find("doc_to_choice") == nullptr)
    settings.add("doc_to_choice", "is missing; multiple choice needs it");
  for (const std::string_view key : {"description", "gen_prefix"}) {
    const Json* value = settings.find(key);
    if (value != nullptr && !value->is_string()) settings.add(key, "is not a string");
  }
}

void read_extensions(const Settings& metadata, TaskDefinition& task) {
  const Settings own = metadata.nested("crucible");
  own.check_keys({"primary_metric", "primary_filter", "cluster", "bos", "attempts",
                  "retry_temperature_step", "source", "licence", "fetch", "description"});
  task.primary_metric = own.text("primary_metric");
  task.primary_filter = own.text("primary_filter");
  task.cluster = own.field("cluster");
  task.attempts = own.count("attempts", 1, 100).value_or(1);
  task.retry_temperature_step = own.number("retry_temperature_step").value_or(0);
  const std::string bos = own.text("bos");
  if (bos == "never") task.bos = engine::BosRule::kNever;
  if (bos == "tokenizer") task.bos = engine::BosRule::kTokenizer;
  if (own.find("bos") != nullptr && bos != "never" && bos != "tokenizer")
    own.add("bos", "is neither `never` nor `tokenizer`");
  for (const char* key : {"source", "licence", "fetch"}) {
    const std::string text = own.text(key);
    if (text.empty()) continue;
    if (!task.data_hint.empty()) task.data_hint += "; ";
    task.data_hint += std::string(key) + ": " + text;
  }
}

void read_metadata(const Settings& settings, TaskDefinition& task) {
  task.version = "Yaml";
  const bool is_old_harness = task.fewshot.sampler == Sampler::kHarnessV03 ||
                              task.fewshot.sampler == Sampler::kHarnessV03FirstN;
  if (is_old_harness) task.bos = engine::BosRule::kNever;
  const Json* value = settings.find("metadata");
  if (value == nullptr || !value->is_object()) return;
  const Settings metadata = settings.nested("metadata");
  if (const Json* version = metadata.find("version")) {
    task.version = templating::python_str(*version);
  }
  read_extensions(metadata, task);
}

void choose_primary(const Settings& settings, TaskDefinition& task) {
  bool metric_known = task.primary_metric.empty();
  for (const MetricSetting& metric : task.metrics) {
    if (task.primary_metric.empty()) task.primary_metric = metric.metric;
    metric_known = metric_known || metric.metric == task.primary_metric;
  }
  bool filter_known = task.primary_filter.empty();
  for (const FilterPipeline& filter : task.filters) {
    if (task.primary_filter.empty()) task.primary_filter = filter.name;
    filter_known = filter_known || filter.name == task.primary_filter;
  }
  if (!metric_known)
    settings.add("metadata.crucible.primary_metric", "names no metric of metric_list");
  if (!filter_known)
    settings.add("metadata.crucible.primary_filter", "names no filter of filter_list");
}

void read_basics(const Settings& settings, TaskDefinition& task) {
  task.name = settings.text("task");
  if (task.name.empty()) settings.add("task", "is missing");
  task.alias = settings.text("task_alias", task.name);
  task.training_split = settings.text("training_split");
  task.validation_split = settings.text("validation_split");
  task.test_split = settings.text("test_split");
  if (task.test_split.empty() && task.validation_split.empty())
    settings.add("test_split", "there is neither a test_split nor a validation_split");
  task.target_delimiter = settings.text("target_delimiter", " ");
  task.fewshot_delimiter = settings.text("fewshot_delimiter", "\n\n");
  task.num_fewshot = settings.count("num_fewshot", 0, 10'000);
  task.repeats = settings.count("repeats", 1, 10'000).value_or(1);
}

}  // namespace

TaskDefinition read_task_definition(const MergedConfig& merged, std::vector<Fault>& faults) {
  TaskDefinition task;
  task.place = merged.place;
  task.config = merged.values;
  const Settings settings(merged.values, "", merged, faults);
  if (settings.find("class") != nullptr) {
    settings.add("class", "tasks written in Python are not supported",
                 "describe the task by doc_to_text, doc_to_target and metric_list");
    return task;
  }
  settings.check_keys(known_keys());
  refuse_what_needs_python(settings);
  read_basics(settings, task);
  task.output_type = read_output_type(settings);
  read_dataset(settings, task);
  task.process_docs = read_rows_function(settings, "process_docs");
  read_fields(settings, task);
  read_process_results(settings, task);
  read_fewshot(settings, task);
  read_generation(settings, task);
  read_metrics(settings, task);
  read_filters(settings, task);
  read_metadata(settings, task);
  choose_primary(settings, task);
  return task;
}

}  // namespace crucible::task
