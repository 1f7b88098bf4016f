#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/recipe/yaml_tree.hpp"
#include "nlohmann/json.hpp"

// Reads a document's fields and collects every fault with its path.
namespace crucible::server::search {

// Scalars that look like numbers or booleans become these unless they stand in quotes.
nlohmann::json json_of(const recipe::YamlNode& node);

class Fields {
 public:
  Fields(const nlohmann::json& object, std::string path, std::vector<Fault>& faults)
      : object_(object), path_(std::move(path)), faults_(faults) {}

  const nlohmann::json* find(std::string_view key) const;  // nullptr: absent or null
  std::string path_of(std::string_view key) const;
  void fault(std::string path, std::string message, std::string suggestion = {}) const;
  // Keys other than these are faults, with the nearest known one.
  void only(std::initializer_list<std::string_view> known) const;

  // Each leaves the default where the key is absent and notes a fault where the type is another.
  double number(std::string_view key, double fallback, double low, double high) const;
  std::uint64_t whole(std::string_view key, std::uint64_t fallback, std::uint64_t most) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::string text(std::string_view key, std::string fallback = {}) const;
  std::vector<std::string> texts(std::string_view key) const;
  // [low, high], finite, low < high.
  std::optional<std::pair<double, double>> range(std::string_view key) const;
  Fields map(std::string_view key) const;  // empty where absent or no map

 private:
  const nlohmann::json& object_;
  std::string path_;
  std::vector<Fault>& faults_;
};

}  // namespace crucible::server::search
