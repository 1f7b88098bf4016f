#include <cmath>
#include <span>

#include "evaluator/metric/output_types.hpp"
#include "evaluator/run/compare_reports.hpp"
#include "evaluator/run/report_files.hpp"
#include "evaluator/text/strings.hpp"
#include "merger/base/io.hpp"

// Lines of samples_<task>_<time>.jsonl, as lm_eval/evaluator.py builds and
// loggers/evaluation_tracker.py writes them: responses as Python's str() shows them, hashes of
// json.dumps(doc, indent=2, ensure_ascii=False), of the first prompt and of the target.
namespace crucible::run {
namespace {

using task::Json;
using task::OutputType;

constexpr auto kReplace = Json::error_handler_t::replace;
constexpr std::size_t kPiece = 1U << 20;  // bytes written at once

Json likelihood_json(const engine::LoglikelihoodResult& result) {
  return Json::array({text::float_repr(result.sum_logprob), result.is_greedy ? "True" : "False"});
}

// One list a request with its answers.
Json responses_json(const task::Task& task, const Sample& sample) {
  const metric::Responses& all = sample.responses;
  Json list = Json::array();
  for (const auto& one : all.loglikelihoods) list.push_back(Json::array({likelihood_json(one)}));
  for (const auto& one : all.rolling)
    list.push_back(Json::array({text::float_repr(one.sum_logprob)}));
  const std::size_t repeats = task.repeats;
  for (std::size_t i = 0; i < all.generations.size(); i += repeats) {
    Json own = Json::array();
    for (std::size_t k = i; k < std::min(i + repeats, all.generations.size()); ++k) {
      own.push_back(all.generations[k]);
    }
    list.push_back(std::move(own));
  }
  return list;
}

Json generation_json(const task::Task& task, const task::Item& item) {
  const auto own = task.config.find("generation_kwargs");
  if (own != task.config.end() && own->is_object() && !item.generation) return *own;
  const auto& settings = item.generation ? *item.generation : task.generation;
  Json json{{"until", settings.until},
            {"max_gen_toks", settings.max_new_tokens},
            {"do_sample", settings.do_sample}};
  json["temperature"] = settings.do_sample ? settings.temperature : 0.0;
  return json;
}

Json arguments_json(const task::Task& task, const task::Item& item) {
  Json arguments = Json::object();
  const auto add = [&](Json own) {
    arguments["gen_args_" + std::to_string(arguments.size())] = std::move(own);
  };
  for (const task::Request& request : item.requests) {
    switch (task.output_type) {
      case OutputType::kMultipleChoice:
      case OutputType::kLoglikelihood:
        add({{"arg_0", request.context}, {"arg_1", request.continuation}});
        break;
      case OutputType::kLoglikelihoodRolling:
        add({{"arg_0", request.context}});
        break;
      case OutputType::kGenerateUntil:
      case OutputType::kConversation:
        add({{"arg_0", request.context}, {"arg_1", generation_json(task, item)}});
        break;
    }
  }
  for (const std::string& turn : item.turns) {
    add({{"arg_0", turn}, {"arg_1", generation_json(task, item)}});
  }
  return arguments;
}

// doc_to_target: the option's number, several ones as a list, or the text.
Json target_json(const task::Item& item) {
  if (!item.target.is_null()) return item.target;
  if (item.gold.size() == 1) return item.gold.front();
  return item.gold;
}

Json value_json(const metric::MetricValue& value) {
  const auto number = [](double x) { return std::isfinite(x) ? Json(x) : Json("N/A"); };
  if (!value.texts.empty()) return value.texts;
  if (value.numbers.size() == 1) return number(value.numbers.front());
  Json list = Json::array();
  for (const double x : value.numbers) list.push_back(number(x));
  return list;
}

// str(doc_to_target(doc)): texts inside lists stand in quotes.
std::string target_text(const Json& target) {
  if (!target.is_array()) return metric::python_text(target);
  std::string text = "[";
  for (const Json& one : target) {
    const std::string own = target_text(one);
    text += (text.size() > 1 ? ", " : "") + (one.is_string() ? "'" + own + "'" : own);
  }
  return text + "]";
}

// What is the same under every filter.
struct ItemFacts {
  Json document;
  std::string target;
  Json arguments;
  Json responses;
  std::string document_hash, prompt_hash, target_hash;
};

ItemFacts facts_of(const task::Task& task, const Sample& sample) {
  const task::Item& item = task.items[sample.item];
  ItemFacts facts;
  facts.document = item.document;
  if (facts.document.is_null()) {
    facts.document = {{"query", item.requests.empty() ? "" : item.requests.front().context},
                      {"choices", item.choices},
                      {"gold", target_json(item)}};
  }
  facts.target = target_text(target_json(item));
  facts.arguments = arguments_json(task, item);
  facts.responses = responses_json(task, sample);
  const std::string& prompt = !item.requests.empty()
                                  ? item.requests.front().context
                                  : (item.turns.empty() ? item.id : item.turns.front());
  facts.document_hash =
      sha256(std::string_view(facts.document.dump(2, ' ', false, kReplace))).hex();
  facts.prompt_hash = sha256(std::string_view(prompt)).hex();
  facts.target_hash = sha256(std::string_view(facts.target)).hex();
  return facts;
}

// What the harness has no place for.
Json own_json(const task::Task& task, const Sample& sample, const metric::ItemScore& score) {
  const task::Item& item = task.items[sample.item];
  Json own{{"item", item.id}, {"cluster", item.cluster}, {"value", nullptr}};
  for (const task::MetricSetting& setting : task.metrics) {
    const auto found = score.metrics.find(setting.metric);
    if (setting.metric != task.primary_metric || found == score.metrics.end()) continue;
    const auto value = item_value(setting.aggregation, found->second);
    if (value && std::isfinite(*value)) own["value"] = *value;
  }
  own["truncated"] = sample.truncated;
  own["note"] = score.note;
  return own;
}

std::string line_of(const task::Task& task, const Sample& sample, const ItemFacts& facts,
                    const metric::ItemScore& score) {
  const task::Item& item = task.items[sample.item];
  Json metrics = Json::array();
  for (const auto& [name, value] : score.metrics) metrics.push_back(name);
  Json line;
  line["doc_id"] = item.doc_id;
  line["doc"] = facts.document;
  line["target"] = facts.target;
  line["arguments"] = facts.arguments;
  line["resps"] = facts.responses;
  line["filtered_resps"] = score.filtered;
  line["filter"] = score.filter;
  line["metrics"] = std::move(metrics);
  line["doc_hash"] = facts.document_hash;
  line["prompt_hash"] = facts.prompt_hash;
  line["target_hash"] = facts.target_hash;
  for (const auto& [name, value] : score.metrics) line[name] = value_json(value);
  line["crucible"] = own_json(task, sample, score);
  return line.dump(-1, ' ', false, kReplace) + "\n";
}

}  // namespace

Result<Digest> write_samples(const task::Task& task, const TaskResult& result,
                             const std::filesystem::path& path) {
  auto file = io::File::create(path);
  if (!file) return fail(std::move(file.error()));
  std::string text;
  std::uint64_t end = 0;
  const auto flush = [&]() -> Status {
    auto written = file->pwrite(std::as_bytes(std::span(text)), end);
    end += text.size();
    text.clear();
    return written;
  };
  Sha256 hash;
  for (std::size_t filter = 0; filter < task.filters.size(); ++filter) {
    for (const Sample& sample : result.samples) {
      const ItemFacts facts = facts_of(task, sample);
      text += line_of(task, sample, facts, sample.scores[filter]);
      hash.update(facts.document_hash + facts.prompt_hash + facts.target_hash);
      if (text.size() < kPiece) continue;
      if (auto status = flush(); !status) return fail(std::move(status.error()));
    }
  }
  if (auto status = flush(); !status) return fail(std::move(status.error()));
  if (auto status = file->sync(); !status) return fail(std::move(status.error()));
  return hash.finish();
}

}  // namespace crucible::run
