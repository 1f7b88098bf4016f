#include "server/access/role.hpp"

#include <array>
#include <utility>

namespace crucible::server::access {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 4> kNames{{{Role::kPublic, "public"},
                                                                   {Role::kRead, "read"},
                                                                   {Role::kSubmit, "submit"},
                                                                   {Role::kAdmin, "admin"}}};

}  // namespace

std::string_view to_string(Role role) {
  for (const auto& [value, name] : kNames) {
    if (value == role) return name;
  }
  return "public";
}

std::optional<Role> role_from(std::string_view name) {
  for (const auto& [value, own] : kNames) {
    if (own == name) return value;
  }
  return std::nullopt;
}

}  // namespace crucible::server::access
