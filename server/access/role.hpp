#pragma once

#include <optional>
#include <string>
#include <string_view>

// Who may do what. Each role may do all that the ones before it may.
namespace crucible::server::access {

enum class Role {
  kPublic,  // nobody is asked who they are: the page's files, health
  kRead,    // sees everything
  kSubmit,  // queues work, and cancels or retries its own
  kAdmin    // everything, tokens and storage included
};

std::string_view to_string(Role role);  // "public", "read", "submit", "admin"
std::optional<Role> role_from(std::string_view name);

// On whose behalf a request runs.
struct Principal {
  std::string token;         // name of the token; "" where none was asked for
  Role role = Role::kAdmin;  // without tokens everybody may everything
  bool may(Role needed) const { return static_cast<int>(role) >= static_cast<int>(needed); }
};

}  // namespace crucible::server::access
