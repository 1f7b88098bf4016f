#include "evaluator/task/csv_values.hpp"

#include <charconv>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

#include "evaluator/text/strings.hpp"

namespace crucible::task {
namespace {

bool is_missing(std::string_view cell) {
  static const std::set<std::string_view> kMissing = {
      "",     "#N/A",   "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN",
      "-nan", "1.#IND", "1.#QNAN",  "<NA>", "N/A",     "NA",       "NULL",
      "NaN",  "None",   "n/a",      "nan",  "null"};
  return kMissing.contains(cell);
}

std::optional<Json> as_integer(std::string_view cell) {
  std::string_view digits = text::strip(cell);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  std::int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || stop != end || error != std::errc()) return std::nullopt;
  return Json(value);
}

std::optional<Json> as_float(std::string_view cell) {
  double value = 0;
  if (cell.find('_') != std::string_view::npos || !text::parse_float(cell, value))
    return std::nullopt;
  return Json(value);
}

std::optional<Json> as_truth(std::string_view cell) {
  if (cell == "True" || cell == "TRUE" || cell == "true") return Json(true);
  if (cell == "False" || cell == "FALSE" || cell == "false") return Json(false);
  return std::nullopt;
}

using Reading = std::optional<Json> (*)(std::string_view);

// All cells by one reading; nothing where one does not fit.
std::optional<std::vector<Json>> read_all(const std::vector<std::string>& cells, Reading reading,
                                          bool missing_allowed) {
  std::vector<Json> values;
  values.reserve(cells.size());
  for (const std::string& cell : cells) {
    if (is_missing(cell)) {
      if (!missing_allowed) return std::nullopt;
      values.emplace_back();
      continue;
    }
    auto value = reading(cell);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace

std::vector<Json> typed_column(std::vector<std::string> cells) {
  if (auto values = read_all(cells, as_integer, false)) return std::move(*values);
  if (auto values = read_all(cells, as_float, true)) return std::move(*values);
  if (auto values = read_all(cells, as_truth, true)) return std::move(*values);
  std::vector<Json> values;
  values.reserve(cells.size());
  for (std::string& cell : cells) {
    if (is_missing(cell)) {
      values.emplace_back();
    } else {
      values.emplace_back(std::move(cell));
    }
  }
  return values;
}

}  // namespace crucible::task
