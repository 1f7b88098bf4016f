#pragma once

#include <string>

#include "server/cli/output.hpp"

// Which token a command sends, and the commands about tokens.
namespace crucible::server::cli {

// From --token-file, else $CRUCIBLE_TOKEN, else the `token` file of the daemon that this user runs
// on this machine at that address; "" when there is none. Error when a file that was named is
// unusable.
Result<std::string> find_token(const CommonOptions& options, const HttpClient& daemon);

struct CreateTokenOptions {
  std::string name;
  std::string role = "read";
  unsigned days = 0;  // 0 = for ever
};
int create_token(const CreateTokenOptions& options, const CommonOptions& common);
int list_tokens(const CommonOptions& common);
int revoke_token(const std::string& id_or_name, const CommonOptions& common);

// Prints the page's address with the token in its fragment, which browsers do not send.
int print_page(const CommonOptions& common);

}  // namespace crucible::server::cli
