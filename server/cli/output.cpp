#include "server/cli/output.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "server/api/json.hpp"
#include "server/cli/access.hpp"

namespace crucible::server::cli {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const Json& json) {
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

int report(const Error& error, const CommonOptions& options) {
  if (options.json) print_json(Json{{"error", api::to_json(error)}});
  std::fprintf(stderr, "crucible: %s\n", describe(error).c_str());
  return exit_code_of(error.code);
}

Result<HttpClient> daemon_client(const CommonOptions& options) {
  std::string url = options.server;
  const char* environment = std::getenv("CRUCIBLE_SERVER");
  if (url.empty() && environment != nullptr) url = environment;
  if (url.empty()) url = "http://127.0.0.1:7345";
  return HttpClient::create(url);
}

Result<ApiClient> connect(const CommonOptions& options) {
  auto http = daemon_client(options);
  if (!http) return fail(std::move(http).error());
  auto token = find_token(options, *http);
  if (!token) return fail(std::move(token).error());
  if (!token->empty()) http->authorize(*token);
  return ApiClient(std::move(*http));
}

}  // namespace crucible::server::cli
