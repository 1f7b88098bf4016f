#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_options.hpp"

namespace crucible::test {

using endpoint::EndpointOptions;
using endpoint::Pause;

// Waits for nothing and remembers for how long it should have.
class FakePause final : public Pause {
 public:
  void wait(std::chrono::milliseconds time, const std::stop_token&) override {
    const std::lock_guard lock(mutex_);
    waits.push_back(time);
  }
  double uniform() override { return 1.0; }
  std::chrono::system_clock::time_point now() override {
    return std::chrono::system_clock::from_time_t(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT
  }
  std::vector<std::chrono::milliseconds> waits;

 private:
  std::mutex mutex_;
};

inline EndpointOptions options_for(const std::string& url) {
  EndpointOptions options;
  options.url = url;
  options.allow_private = true;
  options.answer_time = std::chrono::milliseconds(3000);
  options.pause = std::make_shared<FakePause>();
  return options;
}

inline std::vector<std::chrono::milliseconds> waits_of(const EndpointOptions& options) {
  return static_cast<FakePause&>(*options.pause).waits;
}

}  // namespace crucible::test
