#include "server/queue/clock.hpp"

#include <chrono>
#include <random>

namespace crucible::server {

TimeMs SystemClock::now() const {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

double SystemRandom::uniform() {
  thread_local std::mt19937_64 engine(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

}  // namespace crucible::server
