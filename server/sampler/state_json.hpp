#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

// Reading numbers of a stored state with nothing taken on trust. A double's shortest decimal form,
// which nlohmann writes, reads back as the same double.
namespace crucible::server::sampler {

// A list of exactly `size` finite numbers.
inline std::optional<std::vector<double>> read_numbers(const nlohmann::json& json,
                                                       std::size_t size) {
  if (!json.is_array() || json.size() != size) return std::nullopt;
  std::vector<double> values;
  values.reserve(size);
  for (const nlohmann::json& entry : json) {
    if (!entry.is_number() || !std::isfinite(entry.get<double>())) return std::nullopt;
    values.push_back(entry.get<double>());
  }
  return values;
}

// A whole number from 0 to `most`.
inline std::optional<std::size_t> read_count(
    const nlohmann::json& json, std::size_t most = std::numeric_limits<std::size_t>::max()) {
  if (!json.is_number_integer()) return std::nullopt;
  if (!json.is_number_unsigned() && json.get<std::int64_t>() < 0) return std::nullopt;
  const auto count = json.get<std::size_t>();
  if (count > most) return std::nullopt;
  return count;
}

// A list of lists, each of exactly `size` finite numbers.
inline std::optional<std::vector<std::vector<double>>> read_rows(const nlohmann::json& json,
                                                                 std::size_t size) {
  if (!json.is_array()) return std::nullopt;
  std::vector<std::vector<double>> rows;
  for (const nlohmann::json& entry : json) {
    auto row = read_numbers(entry, size);
    if (!row) return std::nullopt;
    rows.push_back(*std::move(row));
  }
  return rows;
}

}  // namespace crucible::server::sampler
