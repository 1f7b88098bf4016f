#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "merger/base/error.hpp"
#include "server/sampler/space.hpp"

// Which sampler, with which settings, over which space.
namespace crucible::server::sampler {

// Every combination once, the last dimension fastest; points that constraints make equal to an
// earlier one are left out.
struct GridSettings {
  // One a dimension: evenly spaced values, both ends included (one value: the middle). 0, for
  // integers and choices only, is all values; a choice takes nothing else.
  std::vector<std::size_t> counts;
};

// Independent uniform points.
struct RandomSettings {};

// The Sobol sequence with the direction numbers of Joe and Kuo (2008).
struct SobolSettings {
  enum class Scramble {
    kNone,          // the sequence without its first point, the origin
    kDigitalShift,  // every coordinate's bits exclusive-or a random number's
    kOwen,  // nested uniform scrambling by hashing: Burley, "Practical Hash-based Owen Scrambling",
            // JCGT 9(4), 2020
  };
  Scramble scramble = Scramble::kOwen;
};

// One float or integer dimension under a noisy objective: coarse points first, then where a
// Gaussian process expects the largest improvement, on a lattice no finer than `resolution`.
struct AdaptiveSettings {
  std::size_t coarse = 5;        // evenly spaced first points, at least 3
  double resolution = 1.0 / 64;  // the finest step, as a fraction of the range
  // Stops when the expected improvement falls below this, in the objective's units; 0 takes a
  // thousandth of the spread seen, or a tenth of the noise where that is more.
  double least_gain = 0;
  std::size_t most_trials = 25;
};

// CMA-ES: Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772, with its defaults and
// active (negative) covariance updates, in the unit cube. One generation is outstanding at a time.
struct CmaEsSettings {
  double sigma = 1.0 / 6;      // initial step, as a fraction of every range
  std::size_t population = 0;  // 0: 4 + floor(3 ln n)
  std::optional<Point> start;  // initial mean; else the middle
};

// Tree-structured Parzen estimator, multivariate: Bergstra et al. (2011) and Watanabe,
// arXiv:2304.11127, with the rules and defaults of Optuna 5.
struct TpeSettings {
  std::size_t startup = 10;     // random until so many are told
  std::size_t candidates = 24;  // drawn from the good trials' density each time
};

// NSGA-II: Deb et al., IEEE Trans. Evol. Comp. 6(2), 2002, with the operators and defaults of
// pymoo. One generation is outstanding at a time.
struct Nsga2Settings {
  std::size_t population = 100;  // at least 2
  std::size_t objectives = 2;
  double crossover_probability = 0.9;
  double crossover_eta = 15;  // distribution indices of simulated binary crossover
  double mutation_probability = 0.9;
  double mutation_eta = 20;  // and of polynomial mutation
};

using Method = std::variant<GridSettings, RandomSettings, SobolSettings, AdaptiveSettings,
                            CmaEsSettings, TpeSettings, Nsga2Settings>;

struct Specification {
  SearchSpace space;
  Method method = RandomSettings{};
  std::uint64_t seed = 0;
  std::size_t budget = 0;  // no more trials than this are ever asked; 0 is no limit
};

// "grid", "random", "sobol", "adaptive", "cma_es", "tpe", "nsga2".
std::string_view method_name(const Method& method);
// How many objectives every outcome has: one, except by nsga2.
std::size_t objective_count(const Method& method);

// {"space": .., "method": {"name": "tpe", "startup": 10, ..}, "seed": 0, "budget": 0}. Settings
// left out keep their defaults. kInvalidArgument for a wrong type, an unknown name or setting.
nlohmann::json to_json(const Specification& specification);
Result<Specification> specification_from_json(const nlohmann::json& json);

// Whether the method fits the space: kInvalidArgument with a fault for every setting out of range.
Status check(const Specification& specification);

}  // namespace crucible::server::sampler
