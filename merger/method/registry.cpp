#include <utility>

#include "merger/method/method.hpp"

namespace crucible::method {
namespace {

using Make = const MergeMethod& (*)();
constexpr std::pair<std::string_view, Make> kMethods[] = {
    {"arcee_fusion", arcee_fusion},
    {"breadcrumbs", breadcrumbs},
    {"breadcrumbs_ties", breadcrumbs_ties},
    {"consensus_ta", consensus_ta},
    {"dare_linear", dare_linear},
    {"dare_ties", dare_ties},
    {"della", della},
    {"della_linear", della_linear},
    {"karcher", karcher},
    {"linear", linear},
    {"model_stock", model_stock},
    {"multislerp", multislerp},
    {"nearswap", nearswap},
    {"nuslerp", nuslerp},
    {"passthrough", passthrough},
    {"ram", ram},
    {"ramplus_tl", ramplus_tl},
    {"sce", sce},
    {"slerp", slerp},
    {"task_arithmetic", task_arithmetic},
    {"ties", ties},
};

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
