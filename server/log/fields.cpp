#include "server/log/fields.hpp"

#include <utility>

namespace crucible::server::log {
namespace {

nlohmann::json& fields() {
  thread_local nlohmann::json own = nlohmann::json::object();
  return own;
}

}  // namespace

Scope::Scope(const nlohmann::json& added) : outer_(fields()) { fields().update(added); }
Scope::~Scope() { fields() = std::move(outer_); }

const nlohmann::json& current_fields() { return fields(); }

}  // namespace crucible::server::log
