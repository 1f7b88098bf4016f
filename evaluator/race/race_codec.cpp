#include <algorithm>
#include <utility>

#include "evaluator/race/race.hpp"

// A race is written as what it was told, in order, and read back by telling it again.
//
//   {"format": "crucible race 1", "config": {…}, "items": {"strata": […], "weights": […],
//    "costs": […]}, "events": [{"join": {…}}, {"tell": 0, "scores": […]}, …]}
//
// Scores that are all 0 or 1 are a string of these digits.
namespace crucible::race {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "crucible race 1";

json write_config(const RaceConfig& config) {
  json written = {{"alpha", config.alpha},
                  {"planned", config.planned},
                  {"rungs", config.rungs},
                  {"narrow", config.narrow},
                  {"indifference", config.indifference},
                  {"stop_within_noise", config.stop_within_noise}};
  if (config.max_evaluations) written["max_evaluations"] = *config.max_evaluations;
  if (config.max_cost) written["max_cost"] = *config.max_cost;
  return written;
}

RaceConfig read_config(const json& saved) {
  RaceConfig config;
  saved.at("alpha").get_to(config.alpha);
  saved.at("planned").get_to(config.planned);
  saved.at("rungs").get_to(config.rungs);
  saved.at("narrow").get_to(config.narrow);
  saved.at("indifference").get_to(config.indifference);
  saved.at("stop_within_noise").get_to(config.stop_within_noise);
  if (saved.contains("max_evaluations")) {
    config.max_evaluations = saved["max_evaluations"].get<std::size_t>();
  }
  if (saved.contains("max_cost")) config.max_cost = saved["max_cost"].get<double>();
  return config;
}

json write_items(std::span<const RaceItem> items) {
  json strata = json::array();
  json weights = json::array();
  json costs = json::array();
  for (const RaceItem& item : items) {
    strata.push_back(item.stratum);
    weights.push_back(item.weight);
    costs.push_back(item.cost);
  }
  return {{"strata", strata}, {"weights", weights}, {"costs", costs}};
}

std::vector<RaceItem> read_items(const json& saved) {
  const json& strata = saved.at("strata");
  std::vector<RaceItem> items;
  for (std::size_t i = 0; i < strata.size(); ++i) {
    items.push_back({strata.at(i).get<std::size_t>(), saved.at("weights").at(i).get<double>(),
                     saved.at("costs").at(i).get<double>()});
  }
  return items;
}

json write_contender(const Contender& contender) {
  return {{"name", contender.name},
          {"reference", contender.reference},
          {"cost_factor", contender.cost_factor},
          {"cost_to_start", contender.cost_to_start}};
}

Contender read_contender(const json& saved) {
  return {saved.at("name").get<std::string>(), saved.at("reference").get<bool>(),
          saved.at("cost_factor").get<double>(), saved.at("cost_to_start").get<double>()};
}

json write_scores(std::span<const double> scores) {
  std::string digits;
  for (const double score : scores) {
    if (score != 0 && score != 1) return json(std::vector<double>(scores.begin(), scores.end()));
    digits += score == 0 ? '0' : '1';
  }
  return digits;
}

std::vector<double> read_scores(const json& saved) {
  if (!saved.is_string()) return saved.get<std::vector<double>>();
  std::vector<double> scores;
  for (const char digit : saved.get_ref<const std::string&>()) {
    scores.push_back(digit == '0' ? 0 : digit == '1' ? 1 : -1);  // -1 is refused
  }
  return scores;
}

Status replay(Race& race, const json& event) {
  if (event.contains("join")) {
    if (auto joined = race.join(read_contender(event["join"])); !joined) {
      return fail(std::move(joined.error()));
    }
    return {};
  }
  return race.tell(event.at("tell").get<std::size_t>(), read_scores(event.at("scores")));
}

}  // namespace

json Race::to_json() const {
  json events = json::array();
  for (const Event& event : events_) {
    const Runner& runner = runners_[event.contender];
    if (event.count == 0) {
      events.push_back({{"join", write_contender(runner.contender)}});
    } else {
      const auto scores = std::span(runner.scores).subspan(event.first, event.count);
      events.push_back({{"tell", event.contender}, {"scores", write_scores(scores)}});
    }
  }
  return {{"format", kFormat},
          {"config", write_config(config_)},
          {"items", write_items(order_)},
          {"events", std::move(events)}};
}

Result<Race> Race::from_json(const json& saved) try {
  if (saved.at("format") != kFormat) return fail(ErrorCode::kCorrupt, "not a race of this format");
  Result<Race> race = start(read_items(saved.at("items")), read_config(saved.at("config")));
  if (!race) return fail(ErrorCode::kCorrupt, "a saved race: " + race.error().message);
  for (const json& event : saved.at("events")) {
    if (const Status status = replay(*race, event); !status) {
      return fail(ErrorCode::kCorrupt, "a saved race: " + status.error().message);
    }
  }
  return race;
} catch (const json::exception& problem) {
  return fail(ErrorCode::kCorrupt, std::string("a saved race: ") + problem.what());
}

}  // namespace crucible::race
