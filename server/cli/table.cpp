#include "server/cli/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "merger/recipe/text.hpp"

namespace crucible::server::cli {
namespace {

template <typename... Args>
std::string format(const char* pattern, Args... args) {
  std::array<char, 128> text{};
  const int size = std::snprintf(text.data(), text.size(), pattern, args...);
  return std::string(text.data(), std::min(text.size() - 1, static_cast<std::size_t>(size)));
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = recipe::printable(cell, 200);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<std::string> titles;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = display_width(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[c]));
    widths.push_back(width);
    titles.push_back(columns_[c].title);
  }
  std::string out;
  const auto put = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string blanks(widths[c] - display_width(cells[c]), ' ');
      if (c > 0) line += "  ";
      line += columns_[c].align == Align::kRight ? blanks + cells[c] : cells[c] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  put(titles);
  for (const auto& row : rows_) put(row);
  return out;
}

std::string score_text(std::optional<double> value, std::optional<double> standard_error) {
  if (!value || !std::isfinite(*value)) return "-";
  if (!standard_error || !std::isfinite(*standard_error)) return format("%.3f", *value);
  return format("%.3f ± %.3f", *value, *standard_error);
}

std::string parameter_text(std::uint64_t count) {
  const double number = static_cast<double>(count);
  if (count >= 1'000'000'000) return format("%.2f B", number / 1e9);
  if (count >= 1'000'000) return format("%.1f M", number / 1e6);
  return grouped(count);
}

std::string duration_text(double seconds) {
  if (!(seconds >= 0)) return "-";
  if (seconds < 60) return format("%.1f s", seconds);
  const auto whole = static_cast<long>(seconds);
  if (whole < 3600) return format("%ld min %ld s", whole / 60, whole % 60);
  return format("%ld h %ld min", whole / 3600, whole % 3600 / 60);
}

}  // namespace crucible::server::cli
