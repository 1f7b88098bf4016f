// Races the candidates of race_table.json over many random orders of its tune items, and says how
// many evaluations that takes, whether what it selects is within the noise of the exhaustive best,
// and how often that best is eliminated. Then what may be said about one race's winner.
//
//   bench_race [--table FILE] [--orders 200] [--alpha 0.05] [--share 0.25]
//
// Exit status 1: a target was missed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "evaluator/race/item_split.hpp"
#include "evaluator/race/race.hpp"
#include "evaluator/race/selection.hpp"

namespace crucible::race {
namespace {

using nlohmann::json;

struct Options {
  std::string table = CRUCIBLE_SOURCE_DIR "/tests/bench/race_table.json";
  std::size_t orders = 200;
  double alpha = 0.05;
  double share = 0.25;
};

struct Row {
  std::string name;
  bool reference = false;
  std::vector<double> scores;  // suite after suite
};

struct Table {
  std::vector<SplitSuite> suites;
  std::vector<std::size_t> first;  // of a suite, in a row
  std::vector<Row> rows;
};

std::vector<double> unpack(const std::string& digits) {
  std::vector<double> scores;
  for (const char digit : digits) {
    const int value = std::stoi(std::string(1, digit), nullptr, 16);
    for (int bit = 3; bit >= 0; --bit) scores.push_back((value >> bit) & 1);
  }
  return scores;
}

// The first `items` of each suite. Another `salt` splits them into other halves.
Table read_table(const std::string& path, std::size_t items, const std::string& salt = "") {
  std::ifstream in(path);
  if (!in) {
    std::fprintf(stderr, "cannot read %s; make_race_table.py makes it\n", path.c_str());
    std::exit(2);
  }
  const json saved = json::parse(in);
  Table table;
  std::size_t first = 0;
  for (const json& suite : saved.at("suites")) {
    SplitSuite made{suite.at("name").get<std::string>() + salt, {}};
    const std::size_t count = suite.at("items");
    for (std::size_t i = 0; i < std::min(items, count); ++i) {
      made.items.push_back({std::to_string(i), suite.at("clusters").at(i).dump()});
    }
    table.suites.push_back(std::move(made));
    table.first.push_back(first);
    first += count;
  }
  for (const json& row : saved.at("candidates")) {
    table.rows.push_back({row.at("name"), row.at("reference"), unpack(row.at("right"))});
  }
  return table;
}

double paired_noise(const std::vector<RaceItem>& items, const std::vector<double>& a,
                    const std::vector<double>& b) {
  std::map<std::size_t, std::vector<double>> strata;
  for (std::size_t i = 0; i < items.size(); ++i) strata[items[i].stratum].push_back(a[i] - b[i]);
  const std::vector<double> weights = stratum_weights(items);
  double variance = 0;
  for (const auto& [stratum, values] : strata) {
    const auto n = static_cast<double>(values.size());
    double sum = 0;
    double squares = 0;
    for (const double value : values) {
      sum += value;
      squares += value * value;
    }
    variance += weights[stratum] * weights[stratum] * (squares - sum * sum / n) / (n - 1) / n;
  }
  return 1.959963984540054 * std::sqrt(variance);
}

struct Tally {
  std::size_t races = 0;
  std::size_t within_noise = 0;
  std::size_t same_best = 0;
  std::size_t best_eliminated = 0;
  std::size_t best_set_aside = 0;
  double share_sum = 0;
  double share_max = 0;
  double regret_sum = 0;
  double regret_max = 0;
  double eliminated = 0;
  std::map<std::string, std::size_t> ends;
};

// One item order: rows in that order, exhaustive means, a race.
class Replay {
 public:
  Replay(const Table& table, const std::vector<ItemPlace>& order, std::vector<RaceItem> items)
      : table_(table), items_(std::move(items)) {
    const std::vector<double> weights = stratum_weights(items_);
    for (const Row& row : table.rows) {
      std::vector<double> scores;
      for (const ItemPlace& place : order) {
        scores.push_back(row.scores[table.first[place.suite] + place.item]);
      }
      means_.push_back(estimate_mean(items_, weights, scores));
      scores_.push_back(std::move(scores));
    }
  }

  Race run(const RaceConfig& config) const {
    Race race = Race::start(items_, config).value();
    for (const Row& row : table_.rows) race.join({row.name, row.reference}).value();
    while (const auto work = race.next_work()) {
      const auto scores = std::span(scores_[work->contender]);
      const auto part = scores.subspan(work->first, work->last - work->first);
      if (!race.tell(work->contender, part)) std::abort();
    }
    return race;
  }

  double mean(std::size_t candidate) const { return means_[candidate]; }

  void count(const Race& race, Tally& tally) const {
    std::size_t best = 0;
    for (std::size_t c = 0; c < means_.size(); ++c) {
      if (means_[c] > means_[best] + 1e-12) best = c;
    }
    const std::size_t chosen = race.leader().value();
    const double regret = means_[best] - means_[chosen];
    const double share = static_cast<double>(race.evaluations()) /
                         static_cast<double>(items_.size() * means_.size());
    ++tally.races;
    tally.same_best += regret < 1e-12;
    tally.within_noise += regret <= paired_noise(items_, scores_[best], scores_[chosen]);
    tally.regret_sum += regret;
    tally.regret_max = std::max(tally.regret_max, regret);
    tally.share_sum += share;
    tally.share_max = std::max(tally.share_max, share);
    tally.best_eliminated += race.place(best).standing == Standing::kEliminated;
    tally.best_set_aside += race.place(best).standing == Standing::kSetAside;
    for (std::size_t c = 0; c < means_.size(); ++c) {
      tally.eliminated += race.place(c).standing == Standing::kEliminated;
    }
    ++tally.ends[std::string(to_string(race.state()))];
  }

 private:
  const Table& table_;
  std::vector<RaceItem> items_;
  std::vector<std::vector<double>> scores_;
  std::vector<double> means_;
};

void print(const char* label, std::size_t items, const Tally& tally) {
  const auto n = static_cast<double>(tally.races);
  std::printf(
      "%5zu  %-14s %6.1f %% %6.1f %% %7.1f %% %7.1f %% %9.4f %8.4f %9.1f %% %8.1f %% %6.1f ", items,
      label, 100 * tally.share_sum / n, 100 * tally.share_max,
      100 * static_cast<double>(tally.within_noise) / n,
      100 * static_cast<double>(tally.same_best) / n, tally.regret_sum / n, tally.regret_max,
      100 * static_cast<double>(tally.best_eliminated) / n,
      100 * static_cast<double>(tally.best_set_aside) / n, tally.eliminated / n);
  for (const auto& [end, count] : tally.ends) std::printf(" %s: %zu", end.c_str(), count);
  std::printf("\n");
  std::fflush(stdout);
}

bool target(const char* what, double measured, const char* relation, double bound, bool met) {
  std::printf("       %-52s %6.1f %%  %s %.1f %%  %s\n", what, 100 * measured, relation,
              100 * bound, met ? "met" : "MISSED");
  return met;
}

bool judge(const Options& options, const Tally& limited, const Tally& unlimited) {
  const auto share_of = [&](std::size_t count) {
    return static_cast<double>(count) / static_cast<double>(options.orders);
  };
  const double out = share_of(limited.best_eliminated);
  const double free_out = share_of(unlimited.best_eliminated);
  const double near = share_of(limited.within_noise);
  bool met = target("largest share of all evaluations, with budget", limited.share_max,
                    "<=", options.share, limited.share_max <= options.share);
  met &= target("selected within the noise of the exhaustive best", near, ">=", 0.95, near >= 0.95);
  met &= target("exhaustive best eliminated, with budget", out, "<=", options.alpha,
                out <= options.alpha);
  met &= target("exhaustive best eliminated, without", free_out, "<=", options.alpha,
                free_out <= options.alpha);
  return met;
}

// Whether the targets are met.
bool bench(const Options& options, const Table& table) {
  const ItemSplit split = ItemSplit::make(table.suites).value();
  const std::size_t items = split.tune().size();
  RaceConfig plain;
  plain.alpha = options.alpha;
  plain.planned = table.rows.size();
  RaceConfig limited = plain;
  limited.max_evaluations =
      static_cast<std::size_t>(options.share * static_cast<double>(items * table.rows.size()));
  RaceConfig together = limited;
  together.narrow = false;
  RaceConfig certain = plain;
  certain.stop_within_noise = false;
  const std::pair<const char*, RaceConfig> races[] = {{"budget", limited},
                                                      {"not narrowed", together},
                                                      {"no budget", plain},
                                                      {"to the end", certain}};
  Tally tallies[std::size(races)];
  for (std::size_t seed = 0; seed < options.orders; ++seed) {
    const std::vector<ItemPlace> order = split.item_order(seed, Average::kSuites);
    const Replay replay(table, order, split.weigh(order, Average::kSuites));
    for (std::size_t k = 0; k < std::size(races); ++k) {
      replay.count(replay.run(races[k].second), tallies[k]);
    }
  }
  for (std::size_t k = 0; k < std::size(races); ++k) print(races[k].first, items, tallies[k]);
  return judge(options, tallies[0], tallies[2]);
}

// The report items, in the suites' order.
ItemSet report_set(const Table& table, const ItemSplit& split) {
  ItemSet set{split.weigh(split.report(), Average::kSuites), {}};
  std::map<std::pair<std::size_t, std::string>, std::size_t> numbers;
  for (const ItemPlace& place : split.report()) {
    const std::string& name = table.suites[place.suite].items[place.item].cluster;
    set.clusters.push_back(numbers.try_emplace({place.suite, name}, numbers.size()).first->second);
  }
  return set;
}

std::vector<double> report_row(const Table& table, const ItemSplit& split, std::size_t row) {
  std::vector<double> scores;
  for (const ItemPlace& place : split.report()) {
    scores.push_back(table.rows[row].scores[table.first[place.suite] + place.item]);
  }
  return scores;
}

// What the selection of one race is worth.
void print_winner(const Options& options, const Table& table) {
  const ItemSplit split = ItemSplit::make(table.suites).value();
  const std::vector<ItemPlace> order = split.item_order(0, Average::kSuites);
  const Replay replay(table, order, split.weigh(order, Average::kSuites));
  RaceConfig config;
  config.planned = table.rows.size();
  config.max_evaluations = static_cast<std::size_t>(
      options.share * static_cast<double>(order.size() * table.rows.size()));
  const Race race = replay.run(config);
  const std::size_t winner = race.leader().value();
  const ItemSet set = report_set(table, split);
  std::vector<std::vector<double>> parents;
  std::vector<std::vector<double>> all;
  std::vector<std::string> names;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    all.push_back(report_row(table, split, r));
    if (!table.rows[r].reference) continue;
    parents.push_back(all.back());
    names.push_back(table.rows[r].name);
  }
  const ReportedScore reported = report_score(set, all[winner]);
  const Inflation inflation = expected_inflation(set, all);
  std::printf("\nWinner of the first order: %s\n", table.rows[winner].name.c_str());
  std::printf("  %.4f on the items it answered, %.4f on all tune items\n",
              race.place(winner).estimate, replay.mean(winner));
  std::printf("  %.4f on %zu report items, 95 %% %.4f to %.4f\n", reported.score, set.items.size(),
              reported.interval.low, reported.interval.high);
  std::printf("  the best of %zu on as many items looks better by %.4f (Gaussian form %.4f)\n",
              inflation.candidates, inflation.expected, inflation.gaussian);
  const std::vector<ParentVerdict> verdicts = against_parents(set, all[winner], parents);
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    std::printf("  %s %s: %+.4f, %.4f to %.4f; better with probability %.4f\n",
                std::string(to_string(verdicts[k].verdict)).c_str(), names[k].c_str(),
                verdicts[k].difference, verdicts[k].interval.low, verdicts[k].interval.high,
                verdicts[k].probability_better);
  }
}

}  // namespace

int bench_main(const Options& options) {
  const Table whole = read_table(options.table, 1'000'000);
  std::printf("%zu candidates, %zu item orders, alpha %g, budget %g of all evaluations\n",
              whole.rows.size(), options.orders, options.alpha, options.share);
  std::printf("%5s  %-14s %8s %8s %9s %9s %9s %8s %11s %10s %6s  ends\n", "items", "race", "mean",
              "max", "in noise", "best", "regret", "max", "best out", "aside", "out");
  bool met = bench(options, whole);
  for (const char* salt : {" 2", " 3"}) {
    met = bench(options, read_table(options.table, 1'000'000, salt)) && met;
  }
  met = bench(options, read_table(options.table, 340)) && met;
  print_winner(options, whole);
  return met ? 0 : 1;
}

}  // namespace crucible::race

int main(int count, char** words) {
  crucible::race::Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view key = words[i];
    if (key == "--table") options.table = words[i + 1];
    if (key == "--orders") options.orders = std::stoul(words[i + 1]);
    if (key == "--alpha") options.alpha = std::stod(words[i + 1]);
    if (key == "--share") options.share = std::stod(words[i + 1]);
  }
  return crucible::race::bench_main(options);
}
