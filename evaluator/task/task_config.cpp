#include "evaluator/task/task_definition.hpp"
#include "evaluator/task/yaml_value.hpp"

// "configs" of a results file: TaskConfig.to_dict of lm_eval/config/task.py. Functions stand as
// `!function path`, where the harness prints their Python source.
namespace crucible::task {
namespace {

Json shown(const Json& value) {
  if (const std::string* path = function_name(value)) return "!function " + *path;
  if (!value.is_structured()) return value;
  Json copy = value;
  for (Json& part : copy) part = shown(part);
  return copy;
}

std::string_view output_type_name(OutputType type) {
  switch (type) {
    case OutputType::kMultipleChoice:
      return "multiple_choice";
    case OutputType::kLoglikelihood:
      return "loglikelihood";
    case OutputType::kLoglikelihoodRolling:
      return "loglikelihood_rolling";
    case OutputType::kGenerateUntil:
      return "generate_until";
    case OutputType::kConversation:
      return "conversation";
  }
  return "";
}

Json value_or_null(const Json& values, const char* key) {
  const auto found = values.find(key);
  return found == values.end() ? Json() : shown(*found);
}

// FewshotConfig's fields, nulls included, as dataclasses.asdict gives them.
Json shown_fewshot(const TaskDefinition& task) {
  const Json& config = task.config;
  const Json own = config.contains("fewshot_config") && config["fewshot_config"].is_object()
                       ? config["fewshot_config"]
                       : Json::object();
  const auto inherited = [&](const char* key, const char* from) {
    return own.contains(key) ? shown(own[key]) : value_or_null(config, from);
  };
  Json fewshot = Json::object();
  fewshot["sampler"] = own.value("sampler", Json("default"));
  fewshot["split"] = inherited("split", "fewshot_split");
  fewshot["process_docs"] = inherited("process_docs", "process_docs");
  fewshot["fewshot_indices"] = value_or_null(own, "fewshot_indices");
  fewshot["samples"] = value_or_null(own, "samples");
  for (const char* key : {"doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix"}) {
    fewshot[key] = inherited(key, key);
  }
  fewshot["fewshot_delimiter"] = task.fewshot.fewshot_delimiter;
  fewshot["target_delimiter"] = task.fewshot.target_delimiter;
  return fewshot;
}

}  // namespace

Json shown_config(const TaskDefinition& task, std::uint32_t num_fewshot) {
  static const char* const kFields[] = {"task",
                                        "task_alias",
                                        "tag",
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
                                        "unsafe_code",
                                        "doc_to_choice",
                                        "process_results",
                                        "description",
                                        "target_delimiter",
                                        "fewshot_delimiter",
                                        "fewshot_config",
                                        "num_fewshot",
                                        "metric_list",
                                        "output_type",
                                        "generation_kwargs",
                                        "repeats",
                                        "should_decontaminate",
                                        "doc_to_decontamination_query",
                                        "gen_prefix",
                                        "metadata"};
  static const std::map<std::string_view, Json> kDefaults = {
      {"unsafe_code", false}, {"description", ""}, {"should_decontaminate", false}};
  Json config = Json::object();
  for (const char* field : kFields) {
    const std::string_view name = field;
    Json value = value_or_null(task.config, field);
    if (value.is_null() && kDefaults.contains(name)) value = kDefaults.at(name);
    if (name == "tag") value = Json();  // a matter of the index, not of the task
    if (name == "target_delimiter") value = task.target_delimiter;
    if (name == "fewshot_delimiter") value = task.fewshot_delimiter;
    if (name == "fewshot_config") value = shown_fewshot(task);
    if (name == "num_fewshot") value = num_fewshot;
    if (name == "output_type") value = std::string(output_type_name(task.output_type));
    if (name == "generation_kwargs") value = task.generation_kwargs;
    if (name == "repeats") value = task.repeats;
    if (name == "metadata") {
      if (value.is_null()) value = Json::object();
      if (!value.is_object()) value = Json{{"_metadata", value}};
      value["config_source"] = task.place;
    }
    if (!value.is_null()) config[field] = std::move(value);
    if (name == "repeats" && task.config.contains("filter_list"))
      config["filter_list"] = value_or_null(task.config, "filter_list");
  }
  return config;
}

}  // namespace crucible::task
