#include "evaluator/judge/verdict.hpp"

#include <array>
#include <charconv>

namespace crucible::judge {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits, then optionally a point and digits; how many characters that is, 0 for none.
std::size_t number_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == 0) return 0;
  if (length < text.size() && text[length] == '.') ++length;
  while (length < text.size() && is_digit(text[length])) ++length;
  return length;
}

std::optional<double> first_number(std::string_view text, std::string_view open,
                                   std::string_view close) {
  for (std::size_t at = text.find(open); at != std::string_view::npos;
       at = text.find(open, at + 1)) {
    const std::string_view rest = text.substr(at + open.size());
    const std::size_t length = number_length(rest);
    if (length == 0 || !rest.substr(length).starts_with(close)) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + length, value);
    if (error == std::errc()) return value;
  }
  return std::nullopt;
}

constexpr std::array<std::pair<Winner, std::string_view>, 4> kNames = {
    {{Winner::kModel1, "model_1"},
     {Winner::kModel2, "model_2"},
     {Winner::kTie, "tie"},
     {Winner::kError, "error"}}};

}  // namespace

std::optional<double> parse_rating(std::string_view judgment) {
  if (const auto rating = first_number(judgment, "[[", "]]")) return rating;
  return first_number(judgment, "[", "]");
}

std::string_view to_string(Winner winner) {
  for (const auto& [value, name] : kNames) {
    if (value == winner) return name;
  }
  return "error";
}

std::optional<Winner> winner_from(std::string_view text) {
  for (const auto& [value, name] : kNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

Winner parse_preference(std::string_view judgment, bool swapped) {
  const auto has = [&](std::string_view mark) {
    return judgment.find(mark) != std::string_view::npos;
  };
  if (has("[[A]]")) return swapped ? Winner::kModel2 : Winner::kModel1;
  if (has("[[B]]")) return swapped ? Winner::kModel1 : Winner::kModel2;
  return has("[[C]]") ? Winner::kTie : Winner::kError;
}

Winner agreed(Winner first_order, Winner second_order) {
  if (first_order == Winner::kError || second_order == Winner::kError) return Winner::kError;
  return first_order == second_order ? first_order : Winner::kTie;
}

std::string_view without_reasoning(std::string_view judgment) {
  constexpr std::string_view kEnd = "</think>";
  const std::size_t at = judgment.rfind(kEnd);
  return at == std::string_view::npos ? judgment : judgment.substr(at + kEnd.size());
}

}  // namespace crucible::judge
