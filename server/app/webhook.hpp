#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

#include "evaluator/endpoint/url.hpp"
#include "server/service/service.hpp"

namespace crucible::server::app {

// Tells an address that the operator named when a sweep, or a job that no sweep or merge asked for,
// has come to its end: a POST of {"event": "sweep_finished" or "job_finished", "job": …, "sweep":
// …} as the API writes them. Every end is told at least once, in order, also those of before a
// restart; an address that does not answer with 2xx is tried five times, then the end is logged and
// left.
class Webhook {
 public:
  // `kept` is the file that remembers what was told. `service` outlives it.
  Webhook(Service& service, endpoint::Url url, std::filesystem::path kept)
      : service_(service), url_(std::move(url)), kept_(std::move(kept)) {}
  Status start();
  // Ends the thread, at the latest when the request in progress has.
  void stop() { thread_ = std::jthread(); }

 private:
  void follow(const std::stop_token& stop);
  void tell(const JobEvent& event, const std::stop_token& stop);
  Status post(const std::string& body, const std::stop_token& stop);

  Service& service_;
  endpoint::Url url_;
  std::filesystem::path kept_;
  std::int64_t last_ = 0;  // event
  std::jthread thread_;
};

}  // namespace crucible::server::app
