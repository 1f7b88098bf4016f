#include "server/search/search.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "server/search/report.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

constexpr std::size_t kPiece = 128;  // items of one piece of work
constexpr double kCaution = 1.2;     // the report may take this much longer than the search did

// How many trials may be outstanding. Methods that do not learn race all at once; those that learn
// from each outcome wait for it, generations are bounded by the sampler itself.
std::size_t most_outstanding(const sampler::Method& method, std::size_t asked) {
  if (const auto* tpe = std::get_if<sampler::TpeSettings>(&method)) {
    return asked < tpe->startup ? tpe->startup : 1;
  }
  if (const auto* adaptive = std::get_if<sampler::AdaptiveSettings>(&method)) {
    return asked < adaptive->coarse ? adaptive->coarse : 1;
  }
  return std::numeric_limits<std::size_t>::max();
}

// kCorrupt: its weights make numbers that are not finite.
bool is_about_the_candidate(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kUnsupported ||
         code == ErrorCode::kCorrupt;
}

class Search {
 public:
  Search(const Document& document, const ItemPlan& items, Scorer& scorer, const Kept& kept,
         const SearchOptions& options)
      : document_(document),
        items_(items),
        scorer_(scorer),
        kept_(kept),
        options_(options),
        race_items_(items.tune_items()),
        seconds_(0) {}

  Result<json> run() {
    if (auto status = open(); !status) return fail(std::move(status).error());
    while (true) {
      if (auto status = work(); !status) return fail(std::move(status).error());
      if (!out_of_budget_.empty()) break;
      if (auto status = tell_sampler(); !status) return fail(std::move(status).error());
      auto asked = ask();
      if (!asked) return fail(std::move(asked).error());
      if (!*asked && race_->all_work().empty()) break;
    }
    return report();
  }

 private:
  Status open() {
    race::RaceConfig config;
    config.alpha = document_.racing.alpha;
    config.planned =
        std::max<std::size_t>(document_.budget.trials, 16) + 1 + options_.parents.size();
    config.rungs = document_.racing.rungs;
    config.indifference = document_.racing.indifference;
    if (!document_.racing.enabled || document_.objective_per_suite) {
      config.rungs = {items_.tune().size()};
      config.narrow = config.stop_within_noise = false;
      config.indifference = 0;
    }
    if (document_.budget.items > 0) {
      config.max_evaluations = document_.budget.items - report_evaluations();
    }
    auto race = race::Race::start(race_items_, config);
    if (!race) return fail(std::move(race).error());
    race_.emplace(std::move(*race));
    auto sampler = sampler::Sampler::create(document_.sampler);
    if (!sampler) return fail(std::move(sampler).error());
    sampler_ = std::move(*sampler);
    for (const std::string& parent : options_.parents) {
      if (auto status = join({"parent " + parent, {}, "", parent}); !status) return status;
    }
    Candidate standard{"default", {}, "", "", values_at(document_, document_.standard)};
    auto recipe = render(document_, document_.standard);
    if (!recipe) return fail(std::move(recipe).error());
    standard.recipe = std::move(*recipe);
    return join(std::move(standard));
  }

  std::size_t report_evaluations() const {
    return (options_.parents.size() + 2) * items_.report().size();
  }

  Status join(Candidate candidate) {
    auto status = options_.sink({{"event", "candidate"},
                                 {"name", candidate.name},
                                 {"trial", candidate.trial ? json(*candidate.trial) : json()},
                                 {"values", candidate.values},
                                 {"recipe", candidate.recipe},
                                 {"model", candidate.model}});
    if (!status) return status;
    auto number = race_->join({candidate.name, !candidate.trial, 1, 0});
    if (!number) return fail(std::move(number).error());
    candidates_.push_back(std::move(candidate));
    told_.push_back({});
    return {};
  }

  // False: there are no more trials, now or ever.
  Result<bool> ask() {
    bool any = false;
    while (race_->state() != race::RaceState::kBudgetSpent) {
      const auto& method = document_.sampler.method;
      const std::size_t asked = sampler_->trials().size();
      if (sampler_->outstanding() >= most_outstanding(method, asked)) break;
      const sampler::Ask ask = sampler_->ask();
      if (ask.status != sampler::AskStatus::kPoint) break;
      any = true;
      if (auto status = add_trial(ask); !status) return fail(std::move(status).error());
    }
    return any;
  }

  Status add_trial(const sampler::Ask& ask) {
    Candidate candidate;
    candidate.name = fmt::format("t{}", ask.trial);
    candidate.trial = ask.trial;
    candidate.values = values_at(document_, ask.point);
    auto recipe = render(document_, ask.point);
    if (!recipe) return fail(std::move(recipe).error());
    candidate.recipe = std::move(*recipe);
    const std::size_t number = candidates_.size();
    if (auto status = join(std::move(candidate)); !status) return status;
    open_trials_.push_back(number);
    return tell_standing(number);
  }

  Status work() {
    while (const auto piece = next_piece()) {
      if (over_budget()) return {};
      const Candidate& candidate = candidates_[piece->contender];
      auto scores =
          answer(candidate, Phase::kTune, piece->first,
                 std::span(items_.tune()).subspan(piece->first, piece->last - piece->first));
      if (!scores) return fail(std::move(scores).error());
      // One that cannot be made has nothing right, and so falls behind like any other.
      if (!*scores) failed_.insert(piece->contender);
      const std::vector<double> values =
          *scores ? std::move((*scores)->values) : std::vector<double>(piece->last - piece->first);
      if (auto status = race_->tell(piece->contender, values); !status) return status;
      if (auto status = tell_standing(piece->contender); !status) return status;
    }
    return tell_standings();
  }

  // The race's next work, cut to a piece.
  std::optional<race::Work> next_piece() const {
    auto work = race_->next_work();
    if (work) work->last = std::min(work->last, work->first + kPiece);
    return work;
  }

  // None: the candidate cannot be made.
  Result<std::optional<Scores>> answer(const Candidate& candidate, Phase phase, std::size_t first,
                                       std::span<const race::ItemPlace> places) {
    if (options_.stop.stop_requested()) return fail(ErrorCode::kCancelled, "asked to stop");
    const std::string subject = subject_of(candidate, items_.digest(), options_.settings);
    if (kept_.failed.contains(subject) || failed_subjects_.contains(subject)) {
      return std::optional<Scores>();
    }
    const auto known = kept_.scores.find({subject, phase, first});
    if (known != kept_.scores.end() && known->second.values.size() == places.size()) {
      count(known->second);
      return std::optional(known->second);
    }
    auto scores = scorer_.score(candidate, places);
    if (!scores) return failure(candidate, subject, std::move(scores).error());
    auto status = options_.sink({{"event", "scores"},
                                 {"name", candidate.name},
                                 {"subject", subject},
                                 {"phase", to_string(phase)},
                                 {"first", first},
                                 {"scores", scores->values},
                                 {"tokens", scores->tokens},
                                 {"seconds", scores->seconds}});
    if (!status) return fail(std::move(status).error());
    count(*scores);
    return std::optional(std::move(*scores));
  }

  Result<std::optional<Scores>> failure(const Candidate& candidate, const std::string& subject,
                                        Error error) {
    if (!candidate.trial || !is_about_the_candidate(error.code)) {
      return fail(std::move(error).with_context(candidate.name));
    }
    auto status = options_.sink({{"event", "failed"},
                                 {"name", candidate.name},
                                 {"subject", subject},
                                 {"message", describe(error)}});
    if (!status) return fail(std::move(status).error());
    failed_subjects_.insert(subject);
    return std::optional<Scores>();
  }

  void count(const Scores& scores) {
    seconds_ += scores.seconds;
    tokens_ += scores.tokens;
    evaluations_ += scores.values.size();
  }

  // Whether the search must end so that the report still fits in minutes and tokens.
  bool over_budget() {
    if (evaluations_ == 0) return false;
    const double left =
        kCaution * static_cast<double>(report_evaluations()) / static_cast<double>(evaluations_);
    const double minutes = document_.budget.minutes;
    if (minutes > 0 && seconds_ * (1 + left) >= 60 * minutes) out_of_budget_ = "minutes";
    const auto most = static_cast<double>(document_.budget.tokens);
    if (most > 0 && static_cast<double>(tokens_) * (1 + left) >= most) out_of_budget_ = "tokens";
    return !out_of_budget_.empty();
  }

  Status tell_standings() {
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (auto status = tell_standing(c); !status) return status;
    }
    return {};
  }

  // Where it has changed.
  Status tell_standing(std::size_t number) {
    const race::Place place = race_->place(number);
    std::string standing(race::to_string(place.standing));
    if (failed_.contains(number)) standing = "failed";
    if (told_[number] == std::pair(place.seen, standing)) return {};
    told_[number] = {place.seen, standing};
    const auto means = items_.suite_means(items_.tune(), race_->scores(number));
    json suites = json::array();
    for (const double mean : means) suites.push_back(std::isfinite(mean) ? json(mean) : json());
    return options_.sink(
        {{"event", "standing"},
         {"name", candidates_[number].name},
         {"seen", place.seen},
         {"estimate", std::isfinite(place.estimate) ? json(place.estimate) : json()},
         {"standing", standing},
         {"suites", std::move(suites)}});
  }

  // All trials that were asked for, once nobody has work.
  Status tell_sampler() {
    for (const std::size_t number : std::exchange(open_trials_, {})) {
      const race::Place place = race_->place(number);
      sampler::Outcome outcome;
      // Who has answered everything is known as well as can be, whoever is ahead of it.
      outcome.complete =
          (place.standing == race::Standing::kRacing || place.seen == items_.tune().size()) &&
          !failed_.contains(number);
      if (place.seen > 0 && !failed_.contains(number)) outcome.objectives = objectives(number);
      if (outcome.objectives.empty()) outcome.complete = false;
      auto status = sampler_->tell(*candidates_[number].trial, std::move(outcome));
      if (!status) return status;
    }
    return {};
  }

  std::vector<double> objectives(std::size_t number) const {
    if (!document_.objective_per_suite) return {race_->place(number).estimate};
    return items_.suite_means(items_.tune(), race_->scores(number));
  }

  Result<json> report() {
    const auto winner = best_trial();
    Findings findings{document_, items_, *race_, candidates_};
    findings.stopped = out_of_budget_.empty() ? std::string(race::to_string(race_->state()))
                                              : "budget of " + out_of_budget_ + " spent";
    findings.failed = failed_;
    findings.tokens = tokens_;
    if (!winner) return no_winner(findings);
    findings.winner = *winner;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (c != *winner && candidates_[c].trial) continue;
      auto scores = report_scores(candidates_[c]);
      if (!scores) return fail(std::move(scores).error());
      findings.report_scores[c] = std::move(*scores);
    }
    findings.tokens = tokens_;
    return report_of(findings);
  }

  // The leader or, where a reference has beaten all of them, the one that came furthest.
  std::optional<std::size_t> best_trial() const {
    if (const auto leader = race_->leader(false)) return leader;
    std::optional<std::size_t> best;
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      if (!candidates_[c].trial || failed_.contains(c)) continue;
      const race::Place place = race_->place(c);
      if (place.seen == 0) continue;
      const auto key = [](const race::Place& p) { return std::pair(p.seen, p.estimate); };
      if (!best || key(place) > key(race_->place(*best))) best = c;
    }
    return best;
  }

  Result<std::vector<double>> report_scores(const Candidate& candidate) {
    const auto& places = items_.report();
    std::vector<double> values;
    while (values.size() < places.size()) {
      const std::size_t size = std::min(kPiece, places.size() - values.size());
      auto scores = answer(candidate, Phase::kReport, values.size(),
                           std::span(places).subspan(values.size(), size));
      if (!scores) return fail(std::move(scores).error());
      if (!*scores) return fail(ErrorCode::kInternal, candidate.name + " can no longer be made");
      std::ranges::copy((*scores)->values, std::back_inserter(values));
    }
    return values;
  }

  const Document& document_;
  const ItemPlan& items_;
  Scorer& scorer_;
  const Kept& kept_;
  const SearchOptions& options_;
  std::vector<race::RaceItem> race_items_;
  std::optional<race::Race> race_;
  std::unique_ptr<sampler::Sampler> sampler_;
  std::vector<Candidate> candidates_;  // by their number in the race
  std::vector<std::pair<std::size_t, std::string>> told_;
  std::vector<std::size_t> open_trials_;
  std::set<std::size_t> failed_;
  std::set<std::string> failed_subjects_;
  std::string out_of_budget_;
  double seconds_;
  std::uint64_t tokens_ = 0;
  std::size_t evaluations_ = 0;
};

}  // namespace

std::string subject_of(const Candidate& candidate, const Digest& items, std::string_view settings) {
  Sha256 hash;
  hash.field(items.hex()).field(settings).field(candidate.recipe).field(candidate.model);
  return hash.finish().hex();
}

std::string_view to_string(Phase phase) { return phase == Phase::kTune ? "tune" : "report"; }

Result<Kept> kept_from(std::span<const json> events) {
  Kept kept;
  try {
    for (const json& event : events) {
      const std::string kind = event.at("event");
      if (kind == "failed") kept.failed[event.at("subject")] = event.at("message");
      if (kind != "scores") continue;
      const Phase phase = event.at("phase") == "tune" ? Phase::kTune : Phase::kReport;
      Scores scores{event.at("scores"), event.at("tokens"), event.at("seconds")};
      kept.seconds += scores.seconds;
      kept.scores[{event.at("subject"), phase, event.at("first")}] = std::move(scores);
    }
  } catch (const json::exception& exception) {
    return fail(ErrorCode::kCorrupt, std::string("an event of the sweep: ") + exception.what());
  }
  return kept;
}

Result<json> run_search(const Document& document, const ItemPlan& items, Scorer& scorer,
                        const Kept& kept, const SearchOptions& options) {
  if (auto status = check_budget(document, items, options.parents.size()); !status) {
    return fail(std::move(status).error());
  }
  return Search(document, items, scorer, kept, options).run();
}

Status check_budget(const Document& document, const ItemPlan& items, std::size_t parents) {
  if (document.budget.items == 0) return {};
  const std::size_t report = (parents + 2) * items.report().size();
  const std::size_t first = document.racing.rungs.empty() ? 32 : document.racing.rungs.front();
  const std::size_t least = report + (parents + 2) * std::min(first, items.tune().size());
  if (document.budget.items >= least) return {};
  Error error{ErrorCode::kInvalidArgument, "the sweep's budget is too small", {}};
  error.faults.push_back(
      {"budget.items",
       fmt::format("the report of the winner, the default and {} parents takes {} items, and the "
                   "first rung of as many takes the rest of {}",
                   parents, report, least),
       fmt::format("at least {}, or suites with fewer items", least)});
  return fail(std::move(error));
}

}  // namespace crucible::server::search
