#include "server/sampler/variation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace crucible::server::sampler {
namespace {

constexpr double kSame = 1e-14;  // parents closer than this are not recombined

bool is_choice(const SearchSpace& space, std::size_t i) {
  return space.dimensions()[i].kind == Dimension::Kind::kChoice;
}

// The spread factor for a parent whose bound lies `room` away, the parents being `distance` apart.
double spread(double room, double distance, double eta, double level) {
  const double beta = 1 + 2 * room / distance;
  const double alpha = 2 - std::pow(beta, -(eta + 1));
  const double exponent = 1 / (eta + 1);
  if (level <= 1 / alpha) return std::pow(level * alpha, exponent);
  return std::pow(1 / (2 - level * alpha), exponent);
}

void recombine(const SearchSpace& space, const Nsga2Settings& settings, std::vector<double>& a,
               std::vector<double>& b, Random& random) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!random.flip(0.5)) continue;
    if (is_choice(space, i)) {
      std::swap(a[i], b[i]);
      continue;
    }
    if (std::abs(a[i] - b[i]) <= kSame) continue;
    ChildPair pair = cross_over(a[i], b[i], settings.crossover_eta, random.uniform());
    if (random.flip(0.5)) std::swap(pair.lower, pair.upper);
    a[i] = space.snap(i, pair.lower);
    b[i] = space.snap(i, pair.upper);
  }
}

void mutate_child(const SearchSpace& space, const Nsga2Settings& settings,
                  std::vector<double>& child, Random& random) {
  if (!random.flip(settings.mutation_probability)) return;
  const double probability = std::min(0.5, 1 / static_cast<double>(child.size()));
  for (std::size_t i = 0; i < child.size(); ++i) {
    if (!random.flip(probability)) continue;
    const double level = random.uniform();
    const double x = is_choice(space, i) ? level : mutate(child[i], settings.mutation_eta, level);
    child[i] = space.snap(i, x);
  }
}

}  // namespace

ChildPair cross_over(double a, double b, double eta, double level) {
  const double low = std::min(a, b);
  const double high = std::max(a, b);
  const double distance = high - low;
  const double below = spread(low, distance, eta, level);
  const double above = spread(1 - high, distance, eta, level);
  return {std::clamp((low + high - below * distance) / 2, 0.0, 1.0),
          std::clamp((low + high + above * distance) / 2, 0.0, 1.0)};
}

double mutate(double x, double eta, double level) {
  const double exponent = 1 / (eta + 1);
  if (level <= 0.5) {
    const double value = 2 * level + (1 - 2 * level) * std::pow(1 - x, eta + 1);
    return std::clamp(x + std::pow(value, exponent) - 1, 0.0, 1.0);
  }
  const double value = 2 * (1 - level) + 2 * (level - 0.5) * std::pow(x, eta + 1);
  return std::clamp(x + 1 - std::pow(value, exponent), 0.0, 1.0);
}

Children make_children(const SearchSpace& space, const Nsga2Settings& settings,
                       std::vector<double> a, std::vector<double> b, Random& random) {
  if (random.flip(settings.crossover_probability)) recombine(space, settings, a, b, random);
  mutate_child(space, settings, a, random);
  mutate_child(space, settings, b, random);
  return {std::move(a), std::move(b)};
}

}  // namespace crucible::server::sampler
