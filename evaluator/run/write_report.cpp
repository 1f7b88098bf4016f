#include <cmath>
#include <utility>

#include "evaluator/run/evaluation.hpp"
#include "merger/base/io.hpp"
#include "nlohmann/json.hpp"

// Files in the shape of lm-evaluation-harness 0.4 (evaluator.py, loggers/evaluation_tracker.py):
// what reads its results and samples reads ours. Harness keys keep their meaning; our own are added
// beside.
namespace crucible::run {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kFilter = "none";  // log-likelihoods pass no answer filter

Json number_or_na(double value) { return std::isfinite(value) ? Json(value) : Json("N/A"); }

Json gold_json(const std::vector<std::size_t>& gold) {
  return gold.size() == 1 ? Json(gold.front()) : Json(gold);
}

// As Python's str() shows it: 3, or [0, 2].
std::string target_text(const std::vector<std::size_t>& gold) {
  if (gold.size() == 1) return std::to_string(gold.front());
  std::string text = "[";
  for (const std::size_t index : gold) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(index);
  }
  return text + "]";
}

struct SampleLine {
  std::string line;
  std::string hashes;  // doc, prompt, target: what the task hash runs over
};

SampleLine sample_line(const task::Document& document, const Sample& sample, std::size_t index) {
  Json doc;
  doc["query"] = document.context;
  doc["choices"] = document.choice_texts;
  doc["gold"] = gold_json(document.gold);
  Json arguments = Json::object();
  Json resps = Json::array();
  Json filtered = Json::array();
  for (std::size_t i = 0; i < document.choices.size(); ++i) {
    arguments["gen_args_" + std::to_string(i)] = {{"arg_0", document.context},
                                                  {"arg_1", document.choices[i]}};
    const Json resp = Json::array(
        {Json(sample.logprobs[i]).dump(), std::string(sample.greedy[i] ? "True" : "False")});
    resps.push_back(Json::array({resp}));
    filtered.push_back(resp);
  }
  const std::string target = target_text(document.gold);
  const std::string doc_hash = sha256(std::string_view(doc.dump(2))).hex();
  const std::string prompt_hash = sha256(std::string_view(document.context)).hex();
  const std::string target_hash = sha256(std::string_view(target)).hex();
  Json line;
  line["doc_id"] = index;
  line["doc"] = std::move(doc);
  line["target"] = target;
  line["arguments"] = std::move(arguments);
  line["resps"] = std::move(resps);
  line["filtered_resps"] = std::move(filtered);
  line["filter"] = kFilter;
  line["metrics"] = {"acc", "acc_norm"};
  line["doc_hash"] = doc_hash;
  line["prompt_hash"] = prompt_hash;
  line["target_hash"] = target_hash;
  line["acc"] = sample.correct ? 1.0 : 0.0;
  line["acc_norm"] = sample.correct_norm ? 1.0 : 0.0;
  return {line.dump() + "\n", doc_hash + prompt_hash + target_hash};
}

struct SamplesFile {
  std::string text;
  Digest hash;
};

SamplesFile samples_file(const task::Task& task, const TaskResult& result) {
  SamplesFile file;
  std::string hashes;
  for (std::size_t i = 0; i < result.samples.size(); ++i) {
    SampleLine line = sample_line(task.documents[i], result.samples[i], i);
    file.text += line.line;
    hashes += line.hashes;
  }
  file.hash = sha256(std::string_view(hashes));
  return file;
}

Json model_config(const EvaluationReport& report, std::string_view model_name) {
  return {{"model", "crucible"},
          {"model_args", "pretrained=" + std::string(model_name) + ",dtype=" + report.model.dtype},
          {"model_dtype", report.model.dtype},
          {"engine", report.model.engine},
          {"architecture", report.model.architecture},
          {"max_length", report.model.context_length},
          {"add_bos_token", report.model.adds_bos},
          {"limit", nullptr}};
}

void add_task(Json& json, const task::Task& task, const TaskResult& result) {
  Json metrics;
  metrics["alias"] = result.task;
  Json metric_list = Json::array();
  Json higher_is_better = Json::object();
  for (const Metric& metric : result.metrics) {
    metrics[metric.name + "," + std::string(kFilter)] = number_or_na(metric.value);
    metrics[metric.name + "_stderr," + std::string(kFilter)] = number_or_na(metric.stderr_);
    metric_list.push_back(
        {{"metric", metric.name}, {"aggregation", "mean"}, {"higher_is_better", true}});
    higher_is_better[metric.name] = true;
  }
  json["results"][result.task] = std::move(metrics);
  json["group_subtasks"][result.task] = Json::array();
  json["configs"][result.task] = {{"task", result.task},
                                  {"output_type", "multiple_choice"},
                                  {"num_fewshot", 0},
                                  {"metric_list", std::move(metric_list)},
                                  {"primary_metric", result.primary_metric},
                                  {"items_sha256", task.digest.hex()},
                                  {"metadata", {{"version", result.version}}}};
  json["versions"][result.task] = result.version;
  json["n-shot"][result.task] = 0;
  json["higher_is_better"][result.task] = std::move(higher_is_better);
  json["n-samples"][result.task] = {{"original", result.items}, {"effective", result.items}};
}

Json results_json(const EvaluationReport& report, const task::Suite& suite,
                  std::string_view model_name, Json task_hashes) {
  Json json;
  for (const char* key : {"results", "group_subtasks", "configs", "versions", "n-shot",
                          "higher_is_better", "n-samples"}) {
    json[key] = Json::object();
  }
  Json truncated = Json::object();
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    add_task(json, suite.tasks[i], report.tasks[i]);
    truncated[report.tasks[i].task] = report.tasks[i].truncated_items;
  }
  json["config"] = model_config(report, model_name);
  json["date"] = report.started;
  json["task_hashes"] = std::move(task_hashes);
  json["model_source"] = "crucible";
  json["model_name"] = model_name;
  json["max_length"] = report.model.context_length;
  json["chat_template"] = nullptr;
  json["system_instruction"] = nullptr;
  json["total_evaluation_time_seconds"] = std::to_string(report.seconds);
  json["suite"] = {{"name", report.suite},
                   {"sha256", report.suite_digest.hex()},
                   {"score", number_or_na(report.score)},
                   {"score_stderr", number_or_na(report.stderr_)},
                   {"items", report.items},
                   {"truncated_items", std::move(truncated)}};
  return json;
}

Status check_same_suite(const EvaluationReport& report, const task::Suite& suite) {
  bool same = report.suite_digest == suite.digest && report.tasks.size() == suite.tasks.size();
  for (std::size_t i = 0; same && i < report.tasks.size(); ++i) {
    same = report.tasks[i].samples.size() == suite.tasks[i].documents.size();
  }
  if (same) return {};
  return fail(ErrorCode::kInvalidArgument,
              "the report of suite " + report.suite + " does not belong to the suite handed over");
}

}  // namespace

Status write_report(const EvaluationReport& report, const task::Suite& suite,
                    std::string_view model_name, const std::filesystem::path& folder) {
  if (auto same = check_same_suite(report, suite); !same) return same;
  if (auto made = io::make_folders(folder); !made) return made;
  Json task_hashes = Json::object();
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const SamplesFile samples = samples_file(suite.tasks[i], report.tasks[i]);
    task_hashes[report.tasks[i].task] = samples.hash.hex();
    const auto path = folder / ("samples_" + report.tasks[i].task + ".jsonl");
    if (auto written = io::replace_file(path, samples.text); !written) return written;
  }
  const Json results = results_json(report, suite, model_name, std::move(task_hashes));
  return io::replace_file(folder / ("results_" + report.suite + ".json"), results.dump(2) + "\n");
}

}  // namespace crucible::run
