#include "evaluator/endpoint/retry.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>

namespace crucible::endpoint {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

class RealPause final : public Pause {
 public:
  void wait(milliseconds time, const std::stop_token& stop) override {
    std::mutex mutex;
    std::condition_variable_any waiter;
    std::unique_lock lock(mutex);
    waiter.wait_for(lock, stop, time, [] { return false; });
  }
  double uniform() override {
    const std::lock_guard lock(mutex_);
    return std::uniform_real_distribution<double>(0.0, 1.0)(generator_);
  }
  system_clock::time_point now() override { return system_clock::now(); }

 private:
  std::mutex mutex_;
  std::mt19937_64 generator_{std::random_device{}()};
};

}  // namespace

std::unique_ptr<Pause> real_pause() { return std::make_unique<RealPause>(); }

bool is_transient_status(int status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504 || status == 529;
}

milliseconds backoff_delay(const RetrySettings& settings, unsigned attempt, double uniform) {
  milliseconds whole = settings.first;
  for (unsigned i = 1; i < attempt && whole < settings.longest; ++i) whole *= 2;
  whole = std::min(whole, settings.longest);
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(whole.count()) *
                                                     (0.5 + 0.5 * std::clamp(uniform, 0.0, 1.0))));
}

std::optional<milliseconds> parse_retry_after(std::string_view value,
                                              system_clock::time_point now) {
  while (value.starts_with(' ')) value.remove_prefix(1);
  while (value.ends_with(' ')) value.remove_suffix(1);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) {
    if (seconds < 0 || seconds > 1'000'000'000) return std::nullopt;
    return milliseconds(seconds * 1000);
  }
  const std::string text(value);
  // The preferred form and the two old ones that must still be read.
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* rest = ::strptime(text.c_str(), format, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    // Not as a time_point: its nanoseconds end in the year 2262, and dates may say 9999.
    const milliseconds date = std::chrono::seconds(::timegm(&parts));
    const auto today = std::chrono::duration_cast<milliseconds>(now.time_since_epoch());
    return std::max(milliseconds(0), date - today);
  }
  return std::nullopt;
}

}  // namespace crucible::endpoint
