#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/json.hpp"
#include "server/http/message.hpp"

// From request to the service's plain structs. A request that cannot be taken becomes a finished
// problem answer, with all faults of its fields at once.
namespace crucible::server::api {

template <typename T>
using Parsed = tl::expected<T, http::Response>;

// The query of a GET: typed, unknown keys are faults. `finish` gives the 400 answer, if any.
class QueryReader {
 public:
  explicit QueryReader(const http::Request& request) : request_(request) {}

  std::string text(std::string_view key);
  std::vector<std::string> list(std::string_view key);  // a,b,c
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  // One of the words, else a fault. "" when absent.
  std::string choice(std::string_view key, std::vector<std::string_view> words);
  void fault(std::string_view key, std::string message, std::string suggestion = {});
  std::optional<http::Response> finish();

 private:
  const http::Request& request_;
  std::vector<std::string_view> known_;
  std::vector<Fault> faults_;
};

// The fields of a JSON object; unknown keys are faults. `finish` gives the 422 answer, if any.
class FieldReader {
 public:
  explicit FieldReader(const Json& object) : object_(object) {}

  std::string text(std::string_view key, bool required = false);
  std::vector<std::string> texts(std::string_view key, bool required = false);
  std::uint64_t natural(std::string_view key);
  bool boolean(std::string_view key);
  std::string choice(std::string_view key, std::vector<std::string_view> words);  // "" when absent
  std::optional<double> number(const Json& object, std::string_view key, std::string_view path);
  const Json* any(std::string_view key, bool required = false);  // nullptr when absent
  void fault(std::string path, std::string message, std::string suggestion = {});
  std::optional<http::Response> finish();

 private:
  const Json* find(std::string_view key, bool required);
  const Json& object_;
  std::vector<std::string_view> known_;
  std::vector<Fault> faults_;
};

// The body as a JSON object: 415 for another media type, 400 when it does not parse.
Parsed<Json> json_object(const http::Request& request);

// A recipe in a body, text or object.
struct RecipeText {
  std::string text;
  bool is_object = false;
};
// Reads field `recipe` of a JSON body.
RecipeText recipe_field(FieldReader& fields);

struct MergeRequest {
  SubmitMerge submit;
  http::Response fail(const Error& error) const;  // pointers fit the form of the body
  bool is_json = false;
  bool recipe_is_object = false;
};
// POST /merges and /merges/preflight: a JSON object, or YAML text with the rest in the query.
Parsed<MergeRequest> merge_request(const http::Request& request);

// seed, compatibility, allow_nonfinite of a SubmitMerge or SubmitSweep.
template <typename Submit>
void read_merge_options(FieldReader& fields, Submit& submit);

// Whole numbers from -100 to 100, 0 when absent.
std::int64_t read_priority(FieldReader& fields);

// The Idempotency-Key header: at most 255 printable characters.
Parsed<std::string> idempotency_key(const http::Request& request);

// A positive id in the path; nullopt for anything else, which no record can have.
std::optional<std::int64_t> path_id(const http::Request& request);

// Pointer of a fault in a body whose `recipe` member is (or is not) an object.
std::string body_pointer(std::string_view path, bool recipe_is_object);

// The 429 answer when the submitter has as many open jobs as one may have. Submissions that come at
// the same moment may pass together.
std::optional<http::Response> over_quota(Service& service, const http::Request& request,
                                         std::size_t wanted);

http::Response json_response(int status, const Json& json);
http::Response not_found(std::string_view what);

}  // namespace crucible::server::api
