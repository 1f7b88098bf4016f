#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evaluator/endpoint/endpoint_options.hpp"
#include "evaluator/endpoint/url.hpp"
#include "evaluator/engine/language_model.hpp"
#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

namespace crucible::endpoint {

using Json = nlohmann::ordered_json;

// One question to the endpoint.
struct Query {
  std::string path;  // from the server's root: "/v1/completions"
  Json body;         // null: GET
  Usage most;        // tokens that it may cost at most
  bool keep = true;  // whether a kept answer will do, and this one is kept
};

// Sends JSON and gets JSON: connections, retries, budget, kept answers. Errors are those of
// HttpConnection and Budget, and for an answer that is no success: kPermission (401, 403),
// kNotFound (404, 405), kInvalidArgument (other 4xx), kUnsupported (a redirect), kUnavailable (429
// and 5xx after the last try), kCorrupt (no JSON). Messages quote at most 300 bytes of what the
// server said, never the API key. Thread-safe.
class EndpointClient {
 public:
  static Result<std::unique_ptr<EndpointClient>> create(const EndpointOptions& options);
  ~EndpointClient();

  // Takes the answer to one query; an error ends the whole call and the answer is not kept. Called
  // once for each query, from several threads at once, in no order.
  using Accept = std::function<Status(std::size_t query, const Json& answer)>;
  // `concurrency` of them at a time. The first error in query order that happened is returned, with
  // the query's number. Progress counts queries.
  Status ask_all(const std::vector<Query>& queries, const Accept& accept, const engine::Call& call);
  Result<Json> ask(const Query& query, const std::stop_token& stop);

  // Tells kept answers of this model from those of another one behind the same address; `logprobs`
  // of a known prompt, empty when there are none. Before any other call with answers to keep.
  Status identify(const std::string& model, const std::vector<double>& logprobs);

  const Url& url() const;
  Usage spent() const;

 private:
  EndpointClient();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crucible::endpoint
