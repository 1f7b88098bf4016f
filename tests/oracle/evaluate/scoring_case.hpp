#pragma once

#include <string>
#include <vector>

#include "evaluator/metric/scoring.hpp"

// Cases of scoring as JSON: what make_scoring_goldens.py writes and scoring_oracle_test.cpp reads.
namespace crucible::metric::oracle {

using task::Json;

inline task::OutputType output_type(const std::string& name) {
  if (name == "multiple_choice") return task::OutputType::kMultipleChoice;
  if (name == "loglikelihood") return task::OutputType::kLoglikelihood;
  if (name == "loglikelihood_rolling") return task::OutputType::kLoglikelihoodRolling;
  return task::OutputType::kGenerateUntil;
}

inline task::FilterPipeline pipeline(const Json& steps) {
  task::FilterPipeline out{"none", {}};
  for (const Json& step : steps) {
    task::Filter filter{step.at("function").get<std::string>(), step};
    filter.arguments.erase("function");
    out.steps.push_back(std::move(filter));
  }
  return out;
}

inline task::Task task_of(const Json& json) {
  task::Task out;
  out.output_type = output_type(json.at("output_type").get<std::string>());
  out.process_results = json.value("process_results", "");
  for (const Json& metric : json.value("metrics", Json::array())) {
    out.metrics.push_back({metric.at("metric").get<std::string>(),
                           metric.value("aggregation", "mean"), true,
                           metric.value("arguments", Json::object())});
  }
  out.filters = {pipeline(json.value("filters", Json::array({Json{{"function", "take_first"}}})))};
  return out;
}

inline task::Item item_of(const Json& json) {
  task::Item out;
  out.id = "0";
  out.document = json.value("document", Json::object());
  out.choices = json.value("choices", std::vector<std::string>{});
  out.gold = json.value("gold", std::vector<std::size_t>{});
  out.target = json.value("target", Json());
  return out;
}

inline Responses responses_of(const Json& json) {
  Responses out;
  for (const Json& one : json.value("loglikelihoods", Json::array())) {
    engine::LoglikelihoodResult result;
    result.sum_logprob = one.at(0).get<double>();
    result.is_greedy = one.at(1).get<bool>();
    out.loglikelihoods.push_back(result);
  }
  for (const Json& one : json.value("rolling", Json::array())) {
    engine::RollingResult result;
    result.sum_logprob = one.get<double>();
    out.rolling.push_back(result);
  }
  out.generations = json.value("generations", std::vector<std::string>{});
  return out;
}

inline MetricValue value_of(const Json& json) {
  return {json.value("numbers", std::vector<double>{}),
          json.value("texts", std::vector<std::string>{})};
}

}  // namespace crucible::metric::oracle
