#include "server/cli/access.hpp"

#include <charconv>
#include <cstdlib>

#include "merger/base/io.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/table.hpp"
#include "server/config/running_daemon.hpp"

namespace crucible::server::cli {
namespace {

constexpr std::uint64_t kLargestTokenFile = 4096;

std::string first_line(const std::string& text) {
  std::string line = text.substr(0, text.find('\n'));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string time_cell(const Json& token, const char* key, const char* none) {
  const std::string time = text(token, key);
  return time.size() < 16 ? none : time.substr(0, 10) + " " + time.substr(11, 5);
}

std::string token_state(const Json& token) {
  return text(token, "revoked_at").empty() ? "valid" : "revoked";
}

}  // namespace

Result<std::string> find_token(const CommonOptions& options, const HttpClient& daemon) {
  if (!options.token_file.empty()) {
    return io::read_text(options.token_file, kLargestTokenFile).map(first_line);
  }
  if (const char* token = std::getenv("CRUCIBLE_TOKEN"); token != nullptr && *token != '\0') {
    return std::string(token);
  }
  if (!is_loopback(daemon.host())) return std::string();
  std::uint16_t port = 0;
  const std::string& digits = daemon.port();
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const auto running = config::find_running(port);
  if (!running) return std::string();
  return io::read_text(running->state / "token", kLargestTokenFile)
      .map(first_line)
      .or_else([](const Error&) -> Result<std::string> { return std::string(); });
}

int create_token(const CreateTokenOptions& options, const CommonOptions& common) {
  Json body{{"name", options.name}, {"role", options.role}};
  if (options.days > 0) body["days"] = options.days;
  auto created =
      connect(common).and_then([&](const ApiClient& api) { return api.post("/tokens", body); });
  if (!created) return report(created.error(), common);
  if (common.json) {
    print_json(*created);
  } else {
    print(text(*created, "token") + "\n");
    std::fprintf(stderr, "This is the only time the token is shown.\n");
  }
  return kSuccess;
}

int list_tokens(const CommonOptions& common) {
  auto list = connect(common).and_then([](const ApiClient& api) { return api.get("/tokens"); });
  if (!list) return report(list.error(), common);
  if (common.json) {
    print_json(*list);
    return kSuccess;
  }
  Table table({{"ID"}, {"NAME"}, {"ROLE"}, {"CREATED"}, {"EXPIRES"}, {"STATE"}});
  for (const Json& token : list->value("items", Json::array())) {
    table.add({text(token, "id"), text(token, "name"), text(token, "role"),
               time_cell(token, "created_at", "-"), time_cell(token, "expires_at", "never"),
               token_state(token)});
  }
  print(table.text());
  return kSuccess;
}

int revoke_token(const std::string& id_or_name, const CommonOptions& common) {
  auto revoked = connect(common).and_then([&](const ApiClient& api) {
    return api.post("/tokens/" + encode_component(id_or_name) + "/revoke", Json());
  });
  if (!revoked) return report(revoked.error(), common);
  if (common.json) {
    print_json(*revoked);
  } else {
    print("revoked " + text(*revoked, "id") + " (" + text(*revoked, "name") + ")\n");
  }
  return kSuccess;
}

int print_page(const CommonOptions& common) {
  auto http = daemon_client(common);
  if (!http) return report(http.error(), common);
  auto token = find_token(common, *http);
  if (!token) return report(token.error(), common);
  const std::string url = http->url() + "/" + (token->empty() ? "" : "#token=" + *token);
  if (common.json) {
    print_json(Json{{"url", url}});
  } else {
    print(url + "\n");
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
