#include "server/pipeline/spec.hpp"

#include <fmt/format.h>

#include <utility>

#include "merger/base/json_text.hpp"
#include "server/service/score_json.hpp"

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

// Whole numbers from 0, with the library's exceptions: its own conversion takes negative numbers,
// fractions and what is past the type's range too.
std::uint64_t natural(const json& value) {
  const auto& number = value.get_ref<const json::number_integer_t&>();
  if (number >= 0) return static_cast<std::uint64_t>(number);
  return value.get_ref<const json::number_unsigned_t&>();
}
std::int64_t count(const json& value) { return static_cast<std::int64_t>(natural(value)); }

template <typename T>
std::vector<T> list_from(const json& list, T (*read)(const ScoreJson&)) {
  std::vector<T> items;
  for (const json& item : list) items.push_back(read(item));
  return items;
}

method::Compatibility compatibility_from(const json& name) {
  return method::parse_compatibility(name.get<std::string>())
      .value_or(method::Compatibility::kNone);
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
  return {{"kind", "evaluation"},
          {"model_folder", spec.model_folder},
          {"model_name", spec.model_name},
          {"model_digest", spec.model_digest},
          {"endpoint", spec.endpoint},
          {"judge", spec.judge},
          {"suite_file", spec.suite_file},
          {"datasets", spec.datasets},
          {"cache", spec.cache},
          {"threads", spec.threads},
          {"out", spec.out}};
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
  return {{"suite", result.suite},
          {"suite_digest", result.suite_digest},
          {"engine", result.engine},
          {"dtype", result.dtype},
          {"score", number_json(result.score)},
          {"standard_error", number_json(result.standard_error)},
          {"interval", to_json(result.interval)},
          {"items", result.items},
          {"seconds", result.seconds},
          {"tasks", json_list(result.tasks)},
          {"columns", json_list(result.columns)},
          {"groups", json_list(result.groups)},
          {"flags", result.flags},
          {"prompt_tokens_asked", result.prompt_tokens_asked},
          {"prompt_tokens_computed", result.prompt_tokens_computed}};
}

Result<MergeSpec> merge_spec_from(const json& object) {
  return reading("merge spec", [&] {
    return MergeSpec{object.at("recipe"),
                     object.at("folders"),
                     natural(object.at("seed")),
                     compatibility_from(object.at("compatibility")),
                     object.at("allow_nonfinite"),
                     static_cast<unsigned>(natural(object.at("threads"))),
                     natural(object.at("memory_bytes")),
                     natural(object.at("shard_bytes")),
                     object.at("out")};
  });
}

Result<EvaluationSpec> evaluation_spec_from(const json& object) {
  return reading("evaluation spec", [&] {
    return EvaluationSpec{object.at("model_folder"),
                          object.at("model_name"),
                          object.at("model_digest"),
                          object.at("endpoint"),
                          object.at("judge"),
                          object.at("suite_file"),
                          object.at("datasets"),
                          object.at("cache"),
                          static_cast<unsigned>(natural(object.at("threads"))),
                          object.at("out")};
  });
}

Result<MergeResult> merge_result_from(const json& object) {
  return reading("merge result", [&] {
    return MergeResult{object.at("digest"),
                       object.at("architecture"),
                       object.at("dtype"),
                       natural(object.at("parameters")),
                       natural(object.at("weight_bytes")),
                       object.at("seconds"),
                       object.at("warnings")};
  });
}

Result<EvaluationResult> evaluation_result_from(const json& object) {
  return reading("evaluation result", [&] {
    EvaluationResult result;
    result.suite = object.at("suite");
    result.suite_digest = object.at("suite_digest");
    result.engine = object.at("engine");
    result.dtype = object.at("dtype");
    result.score = object.at("score");
    result.standard_error = number_from(object.at("standard_error"));
    result.interval = interval_from(object.at("interval"));
    result.items = count(object.at("items"));
    result.seconds = object.at("seconds");
    result.tasks = list_from(object.at("tasks"), task_from);
    result.columns = list_from(object.at("columns"), column_from);
    result.groups = list_from(object.at("groups"), group_from);
    result.flags = object.at("flags");
    result.prompt_tokens_asked = count(object.at("prompt_tokens_asked"));
    result.prompt_tokens_computed = count(object.at("prompt_tokens_computed"));
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

std::string event_line(const json& event) { return line({{"type", "event"}, {"event", event}}); }

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
  if (nests_too_deep(text)) return fail(ErrorCode::kCorrupt, "worker frame: nested too deeply");
  return reading("worker frame", [&] {
    const json object = json::parse(text);
    Frame frame;
    const std::string type = object.at("type");
    if (type == "progress") {
      frame.progress = {object.at("stage"), natural(object.at("done")), natural(object.at("total")),
                        object.at("unit")};
    } else if (type == "result") {
      frame.type = Frame::Type::kResult;
      frame.result = object.at("result");
    } else if (type == "event") {
      frame.type = Frame::Type::kEvent;
      frame.result = object.at("event");
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
