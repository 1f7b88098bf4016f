#include <algorithm>

#include "evaluator/metric/output_types.hpp"

namespace crucible::metric {
namespace {

using task::Json;

// What the answer is held against: the option that the target names, or the target itself.
std::vector<std::string> references(const task::Item& item) {
  if (!item.choices.empty()) {
    std::size_t index = item.gold.empty() ? item.choices.size() : item.gold.front();
    if (item.gold.empty() && item.target.is_number_unsigned())
      index = item.target.get<std::size_t>();
    if (index < item.choices.size()) return {item.choices[index]};
  }
  std::vector<std::string> texts;
  if (item.target.is_array()) {
    for (const Json& target : item.target) texts.push_back(python_text(target));
  } else {
    texts.push_back(python_text(item.target));
  }
  return texts;
}

std::vector<std::string> answers_of(const Json& answer) {
  std::vector<std::string> texts;
  if (answer.is_array()) {
    for (const Json& one : answer) texts.push_back(python_text(one));
  } else {
    texts.push_back(python_text(answer));
  }
  return texts;
}

// One target: the share of answers that match it. Several: 1 where any answer matches any.
Result<double> match_share(const std::vector<std::string>& targets,
                           const std::vector<std::string>& answers, const Json& arguments) {
  double hits = 0;
  for (const std::string& answer : answers) {
    bool any = false;
    for (const std::string& target : targets) {
      const auto same = exact_match(target, answer, arguments);
      if (!same) return fail(same.error());
      any |= *same;
    }
    hits += any ? 1 : 0;
  }
  if (answers.empty()) return 0.0;
  if (targets.size() > 1) return hits > 0 ? 1.0 : 0.0;
  return hits / static_cast<double>(answers.size());
}

}  // namespace

Result<Outcome> score_generation(const task::Task& task, const task::Item& item,
                                 const Json& answer) {
  const std::vector<std::string> targets = references(item);
  const std::vector<std::string> answers = answers_of(answer);
  Outcome out;
  for (const task::MetricSetting& setting : task.metrics) {
    if (setting.metric == "exact_match") {
      const auto share = match_share(targets, answers, setting.arguments);
      if (!share) return fail(share.error());
      out.metrics[setting.metric] = number(*share);
    } else if (setting.metric == "bypass") {
      out.metrics[setting.metric] = number(999);
    } else if (targets.size() == 1 && answers.size() == 1) {
      out.metrics[setting.metric] = {{}, {targets.front(), answers.front()}};
    } else {
      return fail(ErrorCode::kUnsupported, "document " + item.id + ": " + setting.metric +
                                               " is of one answer against one reference");
    }
  }
  return out;
}

}  // namespace crucible::metric
