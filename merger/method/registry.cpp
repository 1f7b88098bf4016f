#include <array>
#include <utility>

#include "merger/method/method.hpp"

namespace crucible::method {
namespace {

using Make = const MergeMethod& (*)();
constexpr std::array<std::pair<std::string_view, Make>, 7> kMethods{{
    {"dare_linear", dare_linear},
    {"dare_ties", dare_ties},
    {"linear", linear},
    {"passthrough", passthrough},
    {"slerp", slerp},
    {"task_arithmetic", task_arithmetic},
    {"ties", ties},
}};

}  // namespace

const MergeMethod* find(std::string_view name) {
  for (const auto& [known, make] : kMethods) {
    if (known == name) return &make();
  }
  return nullptr;
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const auto& [name, make] : kMethods) all.push_back(name);
  return all;
}

}  // namespace crucible::method
