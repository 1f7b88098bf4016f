#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace crucible::server::cli {

enum class Align { kLeft, kRight };

// Text in aligned columns, two blanks apart, no trailing blanks. Control characters in cells are
// replaced: names come from elsewhere and must not drive the terminal.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);  // as many as columns
  std::string text() const;
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Code points of UTF-8 text: its width but for wide and combining characters.
std::size_t display_width(std::string_view text);

// "0.512 ± 0.031"; "0.512" without an error, "-" without a value. Both to the same three decimals.
std::string score_text(std::optional<double> value, std::optional<double> standard_error);
// "7.24 B" parameters, "1.1 M", "386,624" below a million.
std::string parameter_text(std::uint64_t count);
// "3.2 s", "4 min 10 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace crucible::server::cli
