#pragma once

#include <string>

#include "server/cli/api_client.hpp"
#include "server/cli/exit_codes.hpp"

namespace crucible::server::cli {

// What every command takes.
struct CommonOptions {
  std::string server;      // "" = $CRUCIBLE_SERVER, else http://127.0.0.1:7345
  std::string token_file;  // "" = see find_token
  bool json = false;       // raw JSON on stdout instead of text
};

// Prints the error to stderr (as JSON too when asked) and gives its exit code.
int report(const Error& error, const CommonOptions& options);
void print(const std::string& text);  // stdout
void print_json(const Json& json);    // stdout, indented
bool is_terminal(std::FILE* stream);
// The daemon at the address that the options, or the environment, name; no connection is made.
Result<HttpClient> daemon_client(const CommonOptions& options);
// The same with the token that it wants.
Result<ApiClient> connect(const CommonOptions& options);

}  // namespace crucible::server::cli
