#include "server/pipeline/spec.hpp"

#include <fmt/format.h>

#include <utility>

namespace crucible::server::pipeline {
namespace {

using nlohmann::json;

std::string line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Runs `read`, which uses at() and get(); their exceptions become kCorrupt.
template <typename Read>
auto reading(std::string_view what, Read read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const json::exception& exception) {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: {}", what, exception.what()));
  }
}

json optional_number(const std::optional<double>& number) {
  return number ? json(*number) : json(nullptr);
}
std::optional<double> number_from(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<double>());
}

method::Compatibility compatibility_from(const json& name) {
  return method::parse_compatibility(name.get<std::string>())
      .value_or(method::Compatibility::kNone);
}

json task_json(const TaskScore& task) {
  json metrics = json::array();
  for (const MetricScore& metric : task.metrics) {
    metrics.push_back({{"name", metric.name},
                       {"value", metric.value},
                       {"standard_error", optional_number(metric.standard_error)}});
  }
  return {{"task", task.task},     {"version", task.version},
          {"digest", task.digest}, {"primary_metric", task.primary_metric},
          {"items", task.items},   {"metrics", std::move(metrics)}};
}

TaskScore task_from(const json& object) {
  TaskScore task{object.at("task"),           object.at("version"), object.at("digest"),
                 object.at("primary_metric"), object.at("items"),   {}};
  for (const json& metric : object.at("metrics")) {
    task.metrics.push_back(
        {metric.at("name"), metric.at("value"), number_from(metric.at("standard_error"))});
  }
  return task;
}

}  // namespace

json to_json(const MergeSpec& spec) {
  return {{"kind", "merge"},
          {"recipe", spec.recipe},
          {"folders", spec.folders},
          {"seed", spec.seed},
          {"compatibility", method::name_of(spec.compatibility)},
          {"allow_nonfinite", spec.allow_nonfinite},
          {"threads", spec.threads},
          {"memory_bytes", spec.memory_bytes},
          {"shard_bytes", spec.shard_bytes},
          {"out", spec.out}};
}

json to_json(const EvaluationSpec& spec) {
  return {{"kind", "evaluation"},          {"model_folder", spec.model_folder},
          {"model_name", spec.model_name}, {"suite_file", spec.suite_file},
          {"threads", spec.threads},       {"out", spec.out}};
}

json to_json(const MergeResult& result) {
  return {{"digest", result.digest},
          {"architecture", result.architecture},
          {"dtype", result.dtype},
          {"parameters", result.parameters},
          {"weight_bytes", result.weight_bytes},
          {"seconds", result.seconds},
          {"warnings", result.warnings}};
}

json to_json(const EvaluationResult& result) {
  json tasks = json::array();
  for (const TaskScore& task : result.tasks) tasks.push_back(task_json(task));
  return {{"suite", result.suite},    {"suite_digest", result.suite_digest},
          {"engine", result.engine},  {"dtype", result.dtype},
          {"score", result.score},    {"standard_error", optional_number(result.standard_error)},
          {"items", result.items},    {"seconds", result.seconds},
          {"tasks", std::move(tasks)}};
}

Result<MergeSpec> merge_spec_from(const json& object) {
  return reading("merge spec", [&] {
    return MergeSpec{object.at("recipe"),
                     object.at("folders"),
                     object.at("seed"),
                     compatibility_from(object.at("compatibility")),
                     object.at("allow_nonfinite"),
                     object.at("threads"),
                     object.at("memory_bytes"),
                     object.at("shard_bytes"),
                     object.at("out")};
  });
}

Result<EvaluationSpec> evaluation_spec_from(const json& object) {
  return reading("evaluation spec", [&] {
    return EvaluationSpec{object.at("model_folder"), object.at("model_name"),
                          object.at("suite_file"), object.at("threads"), object.at("out")};
  });
}

Result<MergeResult> merge_result_from(const json& object) {
  return reading("merge result", [&] {
    return MergeResult{object.at("digest"),     object.at("architecture"), object.at("dtype"),
                       object.at("parameters"), object.at("weight_bytes"), object.at("seconds"),
                       object.at("warnings")};
  });
}

Result<EvaluationResult> evaluation_result_from(const json& object) {
  return reading("evaluation result", [&] {
    EvaluationResult result{
        object.at("suite"), object.at("suite_digest"), object.at("engine"),
        object.at("dtype"), object.at("score"),        number_from(object.at("standard_error")),
        object.at("items"), object.at("seconds"),      {}};
    for (const json& task : object.at("tasks")) result.tasks.push_back(task_from(task));
    return result;
  });
}

std::string progress_line(const Progress& progress) {
  return line({{"type", "progress"},
               {"stage", progress.stage},
               {"done", progress.done},
               {"total", progress.total},
               {"unit", progress.unit}});
}

std::string result_line(const json& result) {
  return line({{"type", "result"}, {"result", result}});
}

std::string error_line(const Error& error) {
  json faults = json::array();
  for (const Fault& fault : error.faults) {
    faults.push_back(
        {{"path", fault.path}, {"message", fault.message}, {"suggestion", fault.suggestion}});
  }
  return line({{"type", "error"},
               {"code", to_string(error.code)},
               {"message", error.message},
               {"faults", std::move(faults)}});
}

Result<Frame> frame_from(const std::string& text) {
  return reading("worker frame", [&] {
    const json object = json::parse(text);
    Frame frame;
    const std::string type = object.at("type");
    if (type == "progress") {
      frame.progress = {object.at("stage"), object.at("done"), object.at("total"),
                        object.at("unit")};
    } else if (type == "result") {
      frame.type = Frame::Type::kResult;
      frame.result = object.at("result");
    } else {
      frame.type = Frame::Type::kError;
      frame.error.code = error_code_from(object.at("code").get<std::string>());
      frame.error.message = object.at("message");
      for (const json& fault : object.at("faults")) {
        frame.error.faults.push_back(
            {fault.at("path"), fault.at("message"), fault.at("suggestion")});
      }
    }
    return frame;
  });
}

}  // namespace crucible::server::pipeline
