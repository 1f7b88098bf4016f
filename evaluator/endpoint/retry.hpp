#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

namespace crucible::endpoint {

// Time and chance as a client sees them; tests hand in their own.
class Pause {
 public:
  virtual ~Pause() = default;
  // Returns early when asked to stop. Any thread.
  virtual void wait(std::chrono::milliseconds time, const std::stop_token& stop) = 0;
  virtual double uniform() = 0;  // in [0, 1)
  virtual std::chrono::system_clock::time_point now() = 0;
};
std::unique_ptr<Pause> real_pause();

struct RetrySettings {
  unsigned attempts = 6;  // in all
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest{30'000};
  std::chrono::milliseconds longest_retry_after{
      300'000};  // a server that asks for more is given up
};

// 429, 408 and the 5xx that another try may cure.
bool is_transient_status(int status);

// Delay before try `attempt` + 1, attempt counted from 1: `first` doubled each time up to
// `longest`, of which a random half is taken off, so that clients do not come back together.
std::chrono::milliseconds backoff_delay(const RetrySettings& settings, unsigned attempt,
                                        double uniform);

// Seconds ("12") or an HTTP date (RFC 9110, 10.2.3); past dates are zero, anything else nullopt.
std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view value, std::chrono::system_clock::time_point now);

}  // namespace crucible::endpoint
