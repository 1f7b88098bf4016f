#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"

namespace crucible::engine {

// Typed access to config.json that collects faults, so that all of them are told at once. What is
// impossible yields a harmless value and a fault; null counts as missing.
class ConfigReader {
 public:
  explicit ConfigReader(const nlohmann::json& config) : config_(config) {}

  const nlohmann::json* find(const std::string& key) const;
  static const nlohmann::json* find(const nlohmann::json& owner, const std::string& key);
  // nullopt without the key; 1, or `least`, and a fault for anything but an integer in range.
  std::optional<std::uint32_t> integer(const std::string& key, std::uint32_t least,
                                       std::uint32_t most);
  double positive(const nlohmann::json& owner, const std::string& key, double fallback);
  double positive(const std::string& key, double fallback) {
    return positive(config_, key, fallback);
  }
  bool flag(const std::string& key, bool fallback);
  void fault(const std::string& key, std::string message);
  std::vector<Fault>& faults() { return faults_; }
  const nlohmann::json& whole() const { return config_; }

  // A value for a message, shortened.
  static std::string shown(const nlohmann::json& value);

 private:
  const nlohmann::json& config_;
  std::vector<Fault> faults_;
};

}  // namespace crucible::engine
