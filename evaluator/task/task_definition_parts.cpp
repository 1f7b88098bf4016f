#include <algorithm>

#include "evaluator/task/row_files.hpp"
#include "evaluator/task/task_definition_reading.hpp"
#include "merger/recipe/text.hpp"

// The parts of a task definition that are mappings or lists of their own.
namespace crucible::task {
namespace {

// Relative to the task file; those beside a built-in one are built in, too.
std::filesystem::path local_file(const MergedConfig& merged, const std::string& name) {
  std::filesystem::path path = (merged.folder / name).lexically_normal();
  if (!merged.builtin) return path;
  return std::string(kBuiltinPrefix) + path.generic_string();
}

// A loader's files: "data.jsonl", a list of them, or a mapping of splits.
void read_data_files(const Settings& kwargs, TaskDefinition& task) {
  const Json* files = kwargs.find("data_files");
  if (files == nullptr) return;
  static const std::set<std::string_view> kLoaders = {"json", "csv", "parquet", "text"};
  const bool local = kLoaders.contains(task.dataset.path);
  const auto add = [&](const std::string& split, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const bool as_it_is = !local || name.find("://") != std::string::npos;
      task.dataset.data_files[split].push_back(as_it_is ? std::filesystem::path(name)
                                                        : local_file(kwargs.merged(), name));
    }
  };
  if (!files->is_object()) {
    add("train", kwargs.texts("data_files"));  // what the harness's loader calls the only split
    return;
  }
  const Settings splits = kwargs.nested("data_files");
  for (const auto& [split, names] : splits.values().items()) add(split, splits.texts(split));
}

Sampler read_sampler(const Settings& config) {
  static const std::vector<std::pair<std::string_view, Sampler>> kSamplers = {
      {"default", Sampler::kDefault},
      {"first_n", Sampler::kFirstN},
      {"harness_v03", Sampler::kHarnessV03},
      {"harness_v03_first_n", Sampler::kHarnessV03FirstN}};
  const std::string name = config.text("sampler", "default");
  std::vector<std::string_view> names;
  for (const auto& [known, sampler] : kSamplers) {
    if (known == name) return sampler;
    names.push_back(known);
  }
  config.add("sampler", "`" + recipe::printable(name) + "` is not a sampler",
             "use one of " + recipe::join(names));
  return Sampler::kDefault;
}

void read_samples(const Settings& config, FewshotSettings& fewshot) {
  const Json* samples = config.find("samples");
  if (samples == nullptr) return;
  if (const std::string* path = function_name(*samples)) {
    fewshot.samples = fewshot_samples(*path);
    if (!fewshot.samples) config.add_no_counterpart("samples", *path);
    return;
  }
  const bool documents =
      samples->is_array() && std::all_of(samples->begin(), samples->end(),
                                         [](const Json& sample) { return sample.is_object(); });
  if (documents) {
    fewshot.samples = samples->get<std::vector<Json>>();
  } else {
    config.add("samples", "is not a list of documents");
  }
}

void read_indices(const Settings& config, FewshotSettings& fewshot) {
  const Json* indices = config.find("fewshot_indices");
  if (indices == nullptr) return;
  if (indices->is_array()) {
    for (const Json& index : *indices) {
      if (index.is_number_unsigned() || (index.is_number_integer() && index >= 0))
        fewshot.indices.push_back(index.get<std::size_t>());
    }
  }
  if (!indices->is_array() || fewshot.indices.size() != indices->size())
    config.add("fewshot_indices", "is not a list of document numbers");
}

std::uint32_t max_new_tokens(const Settings& kwargs) {
  for (const std::string_view key :
       {"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"}) {
    if (const auto limit = kwargs.count(key, 0, 1'000'000)) return *limit;
  }
  return 256;
}

struct MetricDefault {
  std::string_view aggregation;
  bool higher_is_better;
};
const std::map<std::string_view, MetricDefault>& metric_defaults() {
  static const std::map<std::string_view, MetricDefault> kDefaults = {
      {"acc", {"mean", true}},
      {"acc_norm", {"mean", true}},
      {"acc_bytes", {"mean", true}},
      {"acc_mutual_info", {"mean", true}},
      {"acc_all", {"mean", true}},
      {"exact_match", {"mean", true}},
      {"likelihood", {"mean", true}},
      {"perplexity", {"perplexity", false}},
      {"word_perplexity", {"weighted_perplexity", false}},
      {"byte_perplexity", {"weighted_perplexity", false}},
      {"bits_per_byte", {"bits_per_byte", false}},
      {"brier_score", {"brier_score", false}},
      {"mcc", {"matthews_corrcoef", true}},
      {"f1", {"f1", true}},
      {"bleu", {"bleu", true}},
      {"chrf", {"chrf", true}},
      {"chrf++", {"chrf++", true}},
      {"ter", {"ter", false}},
      {"bypass", {"bypass", true}}};
  return kDefaults;
}

std::vector<std::string_view> default_metrics(OutputType type) {
  switch (type) {
    case OutputType::kMultipleChoice:
      return {"acc", "acc_norm"};
    case OutputType::kLoglikelihood:
      return {"perplexity", "acc"};
    case OutputType::kLoglikelihoodRolling:
      return {"word_perplexity", "byte_perplexity", "bits_per_byte"};
    case OutputType::kGenerateUntil:
      return {"exact_match"};
    case OutputType::kConversation:
      return {"score"};
  }
  return {};
}

// A name, or a function that scoring knows by one.
std::string scoring_text(const Settings& entry, std::string_view key) {
  const Json* value = entry.find(key);
  const std::string* path = value == nullptr ? nullptr : function_name(*value);
  if (path == nullptr) return entry.text(key);
  if (const auto name = scoring_name(*path)) return *name;
  entry.add_no_counterpart(key, *path);
  return {};
}

MetricSetting read_metric(const Settings& entry, bool has_rule) {
  MetricSetting metric;
  if (entry.find("metric") == nullptr) entry.add("metric", "is missing");
  metric.metric = scoring_text(entry, "metric");
  const auto fallback = metric_defaults().find(metric.metric);
  const bool has_default = fallback != metric_defaults().end();
  if (entry.find("aggregation") != nullptr) {
    metric.aggregation = scoring_text(entry, "aggregation");
  } else if (has_default) {
    metric.aggregation = fallback->second.aggregation;
  } else if (!metric.metric.empty()) {
    entry.add("aggregation", "is missing, and the metric has no default", "mean is usual");
  }
  metric.higher_is_better =
      entry.flag("higher_is_better", has_default ? fallback->second.higher_is_better : true);
  static const std::set<std::string_view> kOwn = {"metric", "aggregation", "higher_is_better",
                                                  "hf_evaluate"};
  for (const auto& [key, value] : entry.values().items()) {
    if (!has_rule && !kOwn.contains(key)) metric.arguments[key] = value;
  }
  return metric;
}

void name_functions(const Settings& step, const Json& value, const std::string& path,
                    Json& arguments) {
  if (const std::string* function = function_name(value)) {
    if (const auto name = scoring_name(*function)) {
      arguments = *name;
    } else {
      step.add_no_counterpart(path, *function);
    }
    return;
  }
  arguments = value;
}

FilterPipeline read_pipeline(const Settings& entry) {
  FilterPipeline pipeline;
  entry.check_keys({"name", "filter"});
  pipeline.name = entry.text("name");
  if (pipeline.name.empty()) entry.add("name", "is missing");
  const Json* steps = entry.find("filter");
  if (steps == nullptr || !steps->is_array() || steps->empty()) {
    entry.add("filter", "is not a list of functions");
    return pipeline;
  }
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const std::string path = child_path("filter", i);
    const Json& step = (*steps)[i];
    if (!step.is_object() || !step.contains("function")) {
      entry.add(path, "is not a mapping with a `function`");
      continue;
    }
    Filter filter;
    Json name;
    for (const auto& [key, value] : step.items()) {
      Json argument;
      name_functions(entry, value, path + "." + key, argument);
      if (key == "function") {
        name = std::move(argument);
      } else {
        filter.arguments[key] = std::move(argument);
      }
    }
    if (!name.is_string()) {
      if (function_name(step["function"]) == nullptr)
        entry.add(path + ".function", "is not a string");
      continue;
    }
    filter.function = name.get<std::string>();
    pipeline.steps.push_back(std::move(filter));
  }
  return pipeline;
}

}  // namespace

void read_dataset(const Settings& settings, TaskDefinition& task) {
  task.dataset.path = settings.text("dataset_path");
  task.dataset.name = settings.text("dataset_name");
  if (task.dataset.path.empty() && settings.find("custom_dataset") == nullptr)
    settings.add("dataset_path", "is missing");
  const Settings kwargs = settings.nested("dataset_kwargs");
  if (settings.find("custom_dataset") != nullptr) return;  // refused as a whole
  kwargs.check_keys({"data_files", "column_names", "header", "revision", "trust_remote_code",
                     "streaming", "verification_mode", "download_mode", "encoding"});
  task.dataset.revision = kwargs.text("revision");
  task.dataset.column_names = kwargs.texts("column_names");
  read_data_files(kwargs, task);
}

void read_fewshot(const Settings& settings, TaskDefinition& task) {
  FewshotSettings& fewshot = task.fewshot;
  const Settings config = settings.nested("fewshot_config");
  config.check_keys({"sampler", "split", "process_docs", "fewshot_indices", "samples",
                     "doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix",
                     "fewshot_delimiter", "target_delimiter"});
  const Json& own = config.values();
  fewshot.sampler = read_sampler(config);
  fewshot.split = own.contains("split") ? config.text("split") : settings.text("fewshot_split");
  fewshot.process_docs =
      own.contains("process_docs") ? read_rows_function(config, "process_docs") : task.process_docs;
  read_samples(config, fewshot);
  read_indices(config, fewshot);
  const auto field = [&](std::string_view key, const DocumentField& inherited) {
    return own.contains(std::string(key)) ? config.field(key) : inherited;
  };
  fewshot.text = field("doc_to_text", task.text);
  fewshot.target = field("doc_to_target", task.target);
  fewshot.choice = field("doc_to_choice", task.choice);
  fewshot.gen_prefix = field("gen_prefix", task.gen_prefix);
  if (!fewshot.text.given()) fewshot.text = task.text;
  if (!fewshot.target.given()) fewshot.target = task.target;
  fewshot.fewshot_delimiter = config.text("fewshot_delimiter", task.fewshot_delimiter);
  fewshot.target_delimiter = config.text("target_delimiter", task.target_delimiter);
}

void read_generation(const Settings& settings, TaskDefinition& task) {
  const Settings kwargs = settings.nested("generation_kwargs");
  engine::GenerationSettings& generation = task.generation;
  generation.until = {task.fewshot_delimiter};
  const bool generates = task.output_type == OutputType::kGenerateUntil ||
                         task.output_type == OutputType::kConversation;
  if (settings.find("generation_kwargs") == nullptr) {
    if (generates)
      task.generation_kwargs = {{"temperature", 0.0},
                                {"do_sample", false},
                                {"max_gen_toks", 256},
                                {"until", generation.until}};
    return;
  }
  kwargs.check_keys({"until", "do_sample", "temperature", "top_p", "top_k", "max_gen_toks",
                     "max_new_tokens", "max_tokens", "max_completion_tokens", "seed", "num_beams"});
  if (kwargs.count("num_beams", 1, 1000).value_or(1) != 1)
    kwargs.add("num_beams", "is not 1: answers are generated one token at a time, without beams");
  task.generation_kwargs = kwargs.values();
  if (kwargs.find("until") != nullptr) {
    generation.until = kwargs.texts("until");
  } else {
    task.generation_kwargs["until"] = generation.until;
  }
  std::erase(generation.until, "");
  generation.max_new_tokens = max_new_tokens(kwargs);
  const double temperature = kwargs.number("temperature").value_or(0);
  if (temperature < 0 || temperature > 100) kwargs.add("temperature", "is not between 0 and 100");
  const bool sampled = kwargs.flag("do_sample", temperature > 0);
  const bool no_heat = kwargs.find("temperature") != nullptr && temperature == 0;
  generation.do_sample = sampled && !no_heat;
  generation.temperature = sampled && temperature > 0 ? temperature : 1.0;
  generation.top_p = kwargs.number("top_p").value_or(1.0);
  generation.top_k = kwargs.count("top_k", 0, 1'000'000).value_or(0);
  generation.seed = kwargs.count("seed", 0, UINT32_MAX).value_or(1234);
  if (kwargs.find("temperature") != nullptr) task.generation_kwargs["temperature"] = temperature;
}

void read_metrics(const Settings& settings, TaskDefinition& task) {
  const Json* list = settings.find("metric_list");
  if (list == nullptr) {
    for (const std::string_view name : default_metrics(task.output_type)) {
      const auto known = metric_defaults().find(name);
      MetricSetting metric{std::string(name), "mean", true, Json::object()};
      if (known != metric_defaults().end()) {
        metric.aggregation = known->second.aggregation;
        metric.higher_is_better = known->second.higher_is_better;
      }
      task.metrics.push_back(std::move(metric));
    }
    return;
  }
  if (!list->is_array() || list->empty()) {
    settings.add("metric_list", "is not a list of metrics");
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = child_path("metric_list", i);
    if (!(*list)[i].is_object()) {
      settings.add(path, "is not a mapping with a `metric`");
      continue;
    }
    const Settings entry((*list)[i], path, settings.merged(), settings.faults());
    task.metrics.push_back(read_metric(entry, !task.process_results.empty()));
  }
}

void read_filters(const Settings& settings, TaskDefinition& task) {
  const Json* list = settings.find("filter_list");
  if (list == nullptr) {
    task.filters = {{"none", {{"take_first", Json::object()}}}};
    return;
  }
  if (!list->is_array() || list->empty()) {
    settings.add("filter_list", "is not a list of filters");
    return;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = child_path("filter_list", i);
    if (!(*list)[i].is_object()) {
      settings.add(path, "is not a mapping with `name` and `filter`");
      continue;
    }
    const Settings entry((*list)[i], path, settings.merged(), settings.faults());
    task.filters.push_back(read_pipeline(entry));
  }
}

}  // namespace crucible::task
