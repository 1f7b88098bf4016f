#include "server/http/message.hpp"

#include <algorithm>

namespace crucible::server::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// nullopt: a malformed escape, or a control character, escaped or not.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    out += c;
  }
  return out;
}

template <typename Use>
bool split(std::string_view text, char separator, Use use) {
  while (true) {
    const std::size_t end = text.find(separator);
    if (!use(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

bool parse_path(std::string_view path, std::vector<std::string>& segments) {
  path.remove_prefix(1);
  if (path.empty()) return true;
  return split(path, '/', [&](std::string_view part) {
    auto decoded = percent_decode(part, false);
    if (decoded) segments.push_back(std::move(*decoded));
    return decoded.has_value();
  });
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

std::optional<std::string_view> Request::query_value(std::string_view key) const {
  for (const auto& [name, value] : query) {
    if (name == key) return value;
  }
  return std::nullopt;
}

const std::string& Request::path_value(std::string_view name) const {
  static const std::string kNone;
  for (const auto& [key, value] : path_values) {
    if (key == name) return value;
  }
  return kNone;
}

std::string Request::media_type() const {
  std::string_view value = header("Content-Type");
  value = value.substr(0, value.find(';'));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  std::string out(value);
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

Response& Response::set(std::string name, std::string value) {
  headers.push_back({std::move(name), std::move(value)});
  return *this;
}

Result<Target> parse_target(std::string_view target) {
  if (!target.starts_with('/')) {
    return fail(ErrorCode::kInvalidArgument, "the request target must start with `/`");
  }
  const std::size_t mark = target.find('?');
  Target out;
  if (!parse_path(target.substr(0, mark), out.segments)) {
    return fail(ErrorCode::kInvalidArgument, "a malformed percent escape in the path");
  }
  if (mark == std::string_view::npos || mark + 1 == target.size()) return out;
  std::string message;
  split(target.substr(mark + 1), '&', [&](std::string_view part) {
    if (part.empty()) return true;
    const std::size_t equal = part.find('=');
    auto key = percent_decode(part.substr(0, equal), true);
    auto value = percent_decode(
        equal == std::string_view::npos ? std::string_view() : part.substr(equal + 1), true);
    if (!key || !value) message = "a malformed percent escape in the query";
    const bool twice = key && std::any_of(out.query.begin(), out.query.end(),
                                          [&](const auto& entry) { return entry.first == *key; });
    if (twice) message = "the query gives a key twice";
    if (message.empty()) out.query.emplace_back(std::move(*key), std::move(*value));
    return message.empty();
  });
  if (!message.empty()) return fail(ErrorCode::kInvalidArgument, std::move(message));
  return out;
}

}  // namespace crucible::server::http
