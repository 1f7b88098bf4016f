// Lets another program play the sweep: one JSON request a line on standard input, one JSON answer a
// line on standard output. check_samplers.py uses it.
//
//   {"create": SPECIFICATION}           {"ok": true}
//   {"restore": STATE}                  {"ok": true}
//   {"ask": 4}                          {"status": "point", "trials": [[NUMBER, POINT], ..]}
//                                       up to four; the status is that of the last ask
//   {"tell": [[NUMBER, OBJECTIVES], ..]}  {"ok": true}; objectives [] tell a failure
//   {"state": true}                     the state
//   {"recommendation": true}            a point or null
//   {"front": true}                     the numbers of the trials that no other dominates
//   {"population": true}                of nsga2: the numbers of the surviving trials
//
// Anything that fails is answered {"error": MESSAGE}.

#include <iostream>
#include <string>

#include "server/sampler/pareto.hpp"
#include "server/sampler/sampler.hpp"

namespace {

using namespace crucible::server::sampler;
using nlohmann::json;

class Driver {
 public:
  json answer(const json& request) {
    if (request.contains("create")) return create(request["create"]);
    if (request.contains("restore")) return take(Sampler::restore(request["restore"]));
    if (!sampler_) return {{"error", "there is no sampler yet"}};
    if (request.contains("ask")) return ask(request["ask"].get<int>());
    if (request.contains("tell")) return tell(request["tell"]);
    if (request.contains("state")) return sampler_->state();
    if (request.contains("front")) return pareto_front(sampler_->trials());
    if (request.contains("population")) return population();
    if (request.contains("recommendation")) {
      const auto point = sampler_->recommendation();
      return point ? json(*point) : json();
    }
    return {{"error", "no such request"}};
  }

 private:
  json create(const json& object) {
    auto specification = specification_from_json(object);
    if (!specification) return {{"error", describe(specification.error())}};
    return take(Sampler::create(*std::move(specification)));
  }

  json take(crucible::Result<std::unique_ptr<Sampler>> made) {
    if (!made) return {{"error", describe(made.error())}};
    sampler_ = *std::move(made);
    return {{"ok", true}};
  }

  json ask(int count) {
    json trials = json::array();
    AskStatus status = AskStatus::kPoint;
    for (int i = 0; i < count && status == AskStatus::kPoint; ++i) {
      const Ask answer = sampler_->ask();
      status = answer.status;
      if (status == AskStatus::kPoint) trials.push_back({answer.trial, answer.point});
    }
    const char* name = status == AskStatus::kPoint  ? "point"
                       : status == AskStatus::kWait ? "wait"
                                                    : "exhausted";
    return {{"status", name}, {"trials", std::move(trials)}};
  }

  json tell(const json& outcomes) {
    for (const json& entry : outcomes) {
      Outcome outcome;
      outcome.objectives = entry.at(1).get<std::vector<double>>();
      outcome.complete = !outcome.objectives.empty();
      auto told = sampler_->tell(entry.at(0).get<std::size_t>(), std::move(outcome));
      if (!told) return {{"error", describe(told.error())}};
    }
    return {{"ok", true}};
  }

  json population() {
    json trials = json::array();
    const json state = sampler_->state();
    for (const json& member : state.at("method").at("population")) {
      trials.push_back(member.at("trial"));
    }
    return trials;
  }

  std::unique_ptr<Sampler> sampler_;
};

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  Driver driver;
  std::string line;
  while (std::getline(std::cin, line)) {
    json answer;
    try {
      answer = driver.answer(json::parse(line));
    } catch (const json::exception& exception) {
      answer = {{"error", exception.what()}};
    }
    std::cout << answer.dump() << '\n' << std::flush;
  }
}
