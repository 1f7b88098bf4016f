#include "evaluator/metric/bootstrap.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "evaluator/task/python_random.hpp"

namespace crucible::metric {
namespace {

constexpr std::size_t kChunk = 1000;

double sample_deviation(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1));
}

}  // namespace

double bootstrap_stderr(const Statistic& statistic, std::size_t items, std::size_t replicates) {
  const std::size_t chunk = std::min(kChunk, replicates);
  const std::size_t chunks = replicates / chunk;
  std::vector<double> values(chunks * chunk);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t c = next++; c < chunks; c = next++) {
      task::PythonRandom random(c);
      for (std::size_t i = 0; i < chunk; ++i) {
        values[c * chunk + i] = statistic(random.choices(items, items));
      }
    }
  };
  const std::size_t threads =
      std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, chunks);
  std::vector<std::jthread> workers;
  for (std::size_t i = 1; i < threads; ++i) workers.emplace_back(work);
  work();
  workers.clear();  // joins
  return sample_deviation(values);
}

}  // namespace crucible::metric
