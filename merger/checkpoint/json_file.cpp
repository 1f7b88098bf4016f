#include "merger/checkpoint/json_file.hpp"

#include <set>
#include <string>
#include <vector>

namespace crucible::checkpoint {
namespace {

using nlohmann::json;
constexpr std::size_t kDepthLimit = 64;

// Builds the value and looks for what the library would let pass: duplicate keys, deep nesting.
class StrictSax : public nlohmann::detail::json_sax_dom_parser<json> {
 public:
  using Base = nlohmann::detail::json_sax_dom_parser<json>;
  std::string fault;

  explicit StrictSax(json& value) : Base(value, false) {}
  bool start_object(std::size_t size) {
    keys_.emplace_back();
    return check_depth() && Base::start_object(size);
  }
  bool end_object() {
    keys_.pop_back();
    return Base::end_object();
  }
  bool start_array(std::size_t size) {
    keys_.emplace_back();
    return check_depth() && Base::start_array(size);
  }
  bool end_array() {
    keys_.pop_back();
    return Base::end_array();
  }
  bool key(std::string& text) {
    if (!keys_.back().insert(text).second) {
      fault = "duplicate key \"" + text + "\"";
      return false;
    }
    return Base::key(text);
  }
  template <typename Exception>
  bool parse_error(std::size_t position, const std::string&, const Exception&) {
    fault = "not valid JSON at byte " + std::to_string(position);
    return false;
  }

 private:
  bool check_depth() {
    if (keys_.size() <= kDepthLimit) return true;
    fault = "nested deeper than 64 levels";
    return false;
  }
  std::vector<std::set<std::string>> keys_;
};

}  // namespace

Result<json> read_json_object(const std::filesystem::path& path, std::uint64_t limit_bytes,
                              io::Syscalls& calls) {
  const auto text = io::read_text(path, limit_bytes, calls);
  if (!text) return fail(text.error());
  return parse_json_object(*text, path.string());
}

Result<json> parse_json_object(const std::string& text, const std::string& place) {
  json value;
  StrictSax sax(value);
  if (text.find('\0') != std::string::npos) {
    return fail(ErrorCode::kCorrupt, place + ": NUL byte");
  }
  if (!json::sax_parse(text, &sax)) return fail(ErrorCode::kCorrupt, place + ": " + sax.fault);
  if (!value.is_object()) return fail(ErrorCode::kCorrupt, place + ": must be a JSON object");
  return value;
}

}  // namespace crucible::checkpoint
