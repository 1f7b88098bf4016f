#include "evaluator/endpoint/api_key.hpp"

#include <algorithm>
#include <cstdlib>

#include "merger/base/io.hpp"

namespace crucible::endpoint {
namespace {

constexpr std::uint64_t kLongestKey = 16 << 10;
constexpr std::size_t kShortestScrubbed = 6;  // shorter ones would blank out ordinary words

}  // namespace

Result<ApiKey> ApiKey::check(std::string value, const std::string& where) {
  const std::string_view spaces = " \t\r\n";
  value.erase(0, std::min(value.find_first_not_of(spaces), value.size()));
  value.erase(value.find_last_not_of(spaces) + 1);
  if (value.empty()) return fail(ErrorCode::kNotFound, where + " holds no API key");
  const bool plain =
      std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 127; });
  if (!plain || value.size() > kLongestKey) {
    return fail(ErrorCode::kInvalidArgument,
                where + " holds something that cannot be an API key: one line of printable ASCII");
  }
  ApiKey key;
  key.value_ = std::move(value);
  return key;
}

Result<ApiKey> ApiKey::from_environment(const std::string& variable) {
  const char* value = std::getenv(variable.c_str());
  if (value == nullptr) {
    return fail(ErrorCode::kNotFound,
                "the environment variable given for the API key is not set; give its name, not "
                "the key itself");
  }
  return check(value, "the environment variable given for the API key");
}

Result<ApiKey> ApiKey::from_file(const std::filesystem::path& file) {
  auto text = io::read_text(file, kLongestKey);
  if (!text) return fail(std::move(text.error()).with_context("reading the API key"));
  return check(std::move(*text), file.string());
}

std::string ApiKey::scrub(std::string text) const {
  if (value_.size() < kShortestScrubbed) return text;
  for (std::size_t at = text.find(value_); at != std::string::npos; at = text.find(value_, at)) {
    text.replace(at, value_.size(), "***");
  }
  return text;
}

}  // namespace crucible::endpoint
