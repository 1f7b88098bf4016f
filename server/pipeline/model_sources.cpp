#include "server/pipeline/model_sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "evaluator/endpoint/endpoint_model.hpp"
#include "evaluator/judge/mt_bench.hpp"
#include "evaluator/task/yaml_value.hpp"
#include "merger/base/io.hpp"
#include "server/store/near.hpp"

namespace crucible::server::pipeline {
namespace {

using nlohmann::json;
using task::child_path;

constexpr std::size_t kLargestFile = 1 << 20;
constexpr double kLongestTimeout = 86'400;  // seconds
constexpr std::string_view kProtocols[] = {"auto", "completions", "chat"};

// The fields of one entry; what is unknown, missing or of another type becomes a fault.
class Fields {
 public:
  Fields(const task::Json& object, std::string path, std::vector<Fault>& faults)
      : object_(object), path_(std::move(path)), faults_(faults) {
    if (!object.is_object()) fault("", "must be a mapping of keys and values");
  }

  std::string text(const std::string& key) {
    const task::Json* value = find(key);
    if (value == nullptr) return "";
    if (value->is_string()) return value->get<std::string>();
    fault(key, "must be text");
    return "";
  }
  double number(const std::string& key, double fallback, double least, double most) {
    const task::Json* value = find(key);
    if (value == nullptr) return fallback;
    const double given = value->is_number() ? value->get<double>() : std::nan("");
    if (given >= least && given <= most) return given;
    fault(key, fmt::format("must be a number from {} to {}", least, most));
    return fallback;
  }
  template <typename T>
  T natural(const std::string& key, T fallback, double least, double most) {
    const double given = number(key, static_cast<double>(fallback), least, most);
    if (std::floor(given) != given) fault(key, "must be a whole number");
    return static_cast<T>(given);
  }
  bool boolean(const std::string& key) {
    const task::Json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) fault(key, "must be true or false");
    return value->is_boolean() && value->get<bool>();
  }
  void fault(const std::string& key, std::string message, std::string suggestion = "") {
    faults_.push_back(
        {key.empty() ? path_ : child_path(path_, key), std::move(message), std::move(suggestion)});
  }
  void finish() {
    if (!object_.is_object()) return;
    for (const auto& [key, value] : object_.items()) {
      if (std::ranges::find(known_, key) == known_.end()) {
        fault(key, "is not known here", nearest(key, known_));
      }
    }
  }

 private:
  const task::Json* find(const std::string& key) {
    known_.push_back(key);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  const task::Json& object_;
  std::string path_;
  std::vector<Fault>& faults_;
  std::vector<std::string> known_;
};

constexpr double kMost = 9e15;  // whole numbers a double holds

endpoint::EndpointOptions endpoint_of(const task::Json& entry, const std::string& path,
                                      std::vector<Fault>& faults) {
  Fields fields(entry, path, faults);
  endpoint::EndpointOptions out;
  out.url = fields.text("url");
  if (!endpoint::is_url(out.url)) {
    fields.fault("url", "must be an http:// or https:// address", "such as http://host:8000/v1");
  }
  out.model_name = fields.text("model");
  const std::string protocol = fields.text("protocol");
  const auto known = std::ranges::find(kProtocols, protocol);
  if (known == std::end(kProtocols) && !protocol.empty()) {
    fields.fault("protocol", "must be auto, completions or chat");
  } else if (!protocol.empty()) {
    out.protocol = static_cast<endpoint::Protocol>(known - std::begin(kProtocols));
  }
  out.tokenizer = fields.text("tokenizer");
  out.api_key_file = fields.text("api_key_file");
  out.ca_file = fields.text("ca_file");
  out.allow_private = fields.boolean("private");
  out.context_length = fields.natural<std::uint32_t>("context_length", 0, 0, 1 << 30);
  out.concurrency = fields.natural<unsigned>("concurrency", out.concurrency, 1, 256);
  out.batch_size = fields.natural<unsigned>("batch_size", out.batch_size, 1, 256);
  out.retry.attempts = fields.natural<unsigned>("attempts", 6, 1, 100);
  const double timeout = fields.number("timeout", 300, 0.001, kLongestTimeout);
  out.answer_time = std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
  out.budget.tokens = fields.natural<std::uint64_t>("max_tokens", 0, 0, kMost);
  out.budget.cost = fields.number("max_cost", 0, 0, kMost);
  out.budget.prompt_price = fields.number("prompt_price", 0, 0, kMost);
  out.budget.completion_price = fields.number("completion_price", 0, 0, kMost);
  fields.finish();
  return out;
}

JudgeSource judge_of(const task::Json& entry, const std::string& path, const ModelSources& sources,
                     std::vector<Fault>& faults) {
  Fields fields(entry, path, faults);
  JudgeSource out;
  out.endpoint = fields.text("endpoint");
  out.folder = fields.text("model");
  out.rubric = fields.text("rubric");
  out.max_new_tokens = fields.natural<std::uint32_t>("max_new_tokens", 2048, 1, 1 << 20);
  out.seed = fields.natural<std::uint64_t>("seed", 1234, 0, kMost);
  if (out.endpoint.empty() == out.folder.empty()) {
    fields.fault("", "must name either an endpoint or a model's folder");
  } else if (!out.endpoint.empty() && !sources.endpoints.contains(out.endpoint)) {
    std::vector<std::string> names;
    for (const auto& [name, options] : sources.endpoints) names.push_back(name);
    fields.fault("endpoint", fmt::format("there is no endpoint \"{}\"", out.endpoint),
                 nearest(out.endpoint, names));
  }
  fields.finish();
  return out;
}

void each_entry(const task::Json& root, const char* section, std::vector<Fault>& faults,
                const std::function<void(const std::string&, const task::Json&)>& take) {
  const auto found = root.find(section);
  if (found == root.end() || found->is_null()) return;
  if (!found->is_object()) {
    faults.push_back({section, "must be a mapping from names to settings", ""});
    return;
  }
  for (const auto& [name, entry] : found->items()) {
    const bool is_fine =
        !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
          return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
        });
    if (!is_fine) {
      faults.push_back({child_path(section, name),
                        "names are letters, digits, '-', '_' and '.', at most 64", ""});
    }
    take(name, entry);
  }
}

}  // namespace

Result<ModelSources> read_model_sources(const std::filesystem::path& file) {
  ModelSources sources;
  if (file.empty()) return sources;
  auto text = io::read_text(file, kLargestFile);
  if (!text) return fail(std::move(text).error().with_context("--endpoints"));
  auto root = task::parse_task_yaml(*text);
  if (!root) return fail(std::move(root).error().with_context(file.string()));
  Error error{ErrorCode::kInvalidArgument, file.string() + " cannot be used", {}};
  if (!root->is_object()) {
    error.faults.push_back({"", "must have the keys endpoints and judges", ""});
    return fail(std::move(error));
  }
  for (const auto& [key, value] : root->items()) {
    if (key != "endpoints" && key != "judges") {
      error.faults.push_back({key, "is not known here", "the keys are endpoints and judges"});
    }
  }
  each_entry(*root, "endpoints", error.faults, [&](const std::string& name, const auto& entry) {
    sources.endpoints[name] = endpoint_of(entry, child_path("endpoints", name), error.faults);
  });
  each_entry(*root, "judges", error.faults, [&](const std::string& name, const auto& entry) {
    sources.judges[name] = judge_of(entry, child_path("judges", name), sources, error.faults);
  });
  if (!error.faults.empty()) return fail(std::move(error));
  return sources;
}

json to_json(const endpoint::EndpointOptions& options) {
  return {{"url", options.url},
          {"model", options.model_name},
          {"protocol", static_cast<int>(options.protocol)},
          {"tokenizer", options.tokenizer.string()},
          {"api_key_file", options.api_key_file.string()},
          {"ca_file", options.ca_file},
          {"private", options.allow_private},
          {"context_length", options.context_length},
          {"concurrency", options.concurrency},
          {"batch_size", options.batch_size},
          {"attempts", options.retry.attempts},
          {"timeout_ms", options.answer_time.count()},
          {"max_tokens", options.budget.tokens},
          {"max_cost", options.budget.cost},
          {"prompt_price", options.budget.prompt_price},
          {"completion_price", options.budget.completion_price},
          {"cache", options.cache.string()}};
}

endpoint::EndpointOptions endpoint_options_from(const json& object) {
  endpoint::EndpointOptions out;
  out.url = object.at("url");
  out.model_name = object.at("model");
  out.protocol = static_cast<endpoint::Protocol>(object.at("protocol").get<int>());
  out.tokenizer = object.at("tokenizer").get<std::string>();
  out.api_key_file = object.at("api_key_file").get<std::string>();
  out.ca_file = object.at("ca_file");
  out.allow_private = object.at("private");
  out.context_length = object.at("context_length");
  out.concurrency = object.at("concurrency");
  out.batch_size = object.at("batch_size");
  out.retry.attempts = object.at("attempts");
  out.answer_time = std::chrono::milliseconds(object.at("timeout_ms").get<std::int64_t>());
  out.budget = {object.at("max_tokens"), object.at("max_cost"), object.at("prompt_price"),
                object.at("completion_price")};
  out.cache = object.at("cache").get<std::string>();
  return out;
}

Digest identity_of(const endpoint::EndpointOptions& options) {
  return Sha256()
      .field("endpoint")
      .field(options.url)
      .field(options.model_name)
      .field(options.tokenizer.string())
      .field(fmt::format("{} {}", static_cast<int>(options.protocol), options.context_length))
      .finish();
}

json to_json(const JudgeSpec& judge) {
  return {{"name", judge.name},
          {"is_endpoint", !judge.source.endpoint.empty()},
          {"endpoint", to_json(judge.endpoint)},
          {"folder", judge.source.folder.string()},
          {"rubric", judge.source.rubric.string()},
          {"max_new_tokens", judge.source.max_new_tokens},
          {"seed", judge.source.seed}};
}

JudgeSpec judge_spec_from(const json& object) {
  JudgeSpec out;
  out.name = object.at("name");
  if (object.at("is_endpoint").get<bool>()) out.source.endpoint = out.name;
  out.endpoint = endpoint_options_from(object.at("endpoint"));
  out.source.folder = object.at("folder").get<std::string>();
  out.source.rubric = object.at("rubric").get<std::string>();
  out.source.max_new_tokens = object.at("max_new_tokens");
  out.source.seed = object.at("seed");
  return out;
}

judge::JudgeSettings settings_of(const JudgeSpec& judge) {
  judge::JudgeSettings settings;
  settings.name = judge.name;
  settings.max_new_tokens = judge.source.max_new_tokens;
  settings.seed = judge.source.seed;
  return settings;
}

Result<judge::Rubric> rubric_of(const JudgeSpec& judge,
                                const std::vector<std::filesystem::path>& datasets) {
  if (!judge.source.rubric.empty()) return judge::read_rubric(judge.source.rubric);
  return judge::mt_bench_folder(datasets).and_then([](const std::filesystem::path& folder) {
    return judge::read_mt_bench_prompts(folder / "judge_prompts.jsonl");
  });
}

Result<task::Suite> judged_suite(const JudgeSpec& judge,
                                 const std::vector<std::filesystem::path>& datasets) {
  auto folder = judge::mt_bench_folder(datasets);
  if (!folder) return fail(std::move(folder).error());
  auto rubric = rubric_of(judge, datasets);
  if (!rubric) return fail(std::move(rubric).error());
  auto suite = judge::mt_bench_suite(*folder);
  if (!suite) return suite;
  if (auto ready = judge::prepare(*suite, *rubric, settings_of(judge)); !ready) {
    return fail(std::move(ready).error());
  }
  suite->name += "@" + judge.name;
  suite->score.name = suite->name;
  Sha256 hash;
  hash.field(suite->digest.hex());
  hash.field(judge.source.endpoint.empty() ? judge.source.folder.string()
                                           : identity_of(judge.endpoint).hex());
  suite->digest = hash.finish();
  return suite;
}

}  // namespace crucible::server::pipeline
