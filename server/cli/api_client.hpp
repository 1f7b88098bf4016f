#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "server/cli/http_client.hpp"

namespace crucible::server::cli {

using Json = nlohmann::ordered_json;

// The daemon's API for commands: targets below /api/v1, answers as JSON, problems as Errors with
// their code and faults.
class ApiClient {
 public:
  explicit ApiClient(HttpClient http) : http_(std::move(http)) {}

  Result<Json> get(const std::string& path) const;
  Result<std::string> get_text(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body,
                    const std::string& idempotency_key = {}) const;
  // Events of a job until it is final; gives the final job. `after` is the id of the last event
  // seen and is moved on, so that a broken stream is taken up again.
  Result<Json> follow(std::int64_t job, std::int64_t& after,
                      const std::function<void(const Json& event)>& on_event) const;
  const std::string& url() const { return http_.url(); }

 private:
  Result<HttpReply> checked(const HttpCall& call) const;
  HttpClient http_;
};

// The Error a problem answer stands for.
Error error_from_reply(const HttpReply& reply);

}  // namespace crucible::server::cli
