#include "server/search/variable.hpp"

#include <algorithm>

#include "merger/recipe/text.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

constexpr int kMostRounds = 4;  // of choices whose texts hold placeholders themselves

std::vector<std::size_t> members(const Variable& variable, const double* coordinates) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < variable.texts.size(); ++i) {
    if (coordinates[i] > 0.5) chosen.push_back(i);
  }
  for (std::size_t i = 0; i < variable.texts.size() && chosen.size() < variable.at_least; ++i) {
    if (std::ranges::find(chosen, i) == chosen.end()) chosen.push_back(i);
  }
  std::ranges::sort(chosen);
  return chosen;
}

// A number, or the list over the layers.
json curve(const double* coordinates, std::size_t knots) {
  if (knots == 1) return coordinates[0];
  return std::vector<double>(coordinates, coordinates + knots);
}

std::string number_list(const json& value) {
  if (value.is_number()) return recipe::number_text(value.get<double>());
  std::string text = "[";
  for (const json& number : value) {
    text += (text.size() > 1 ? ", " : "") + recipe::number_text(number.get<double>());
  }
  return text + "]";
}

std::string curve_text(const Variable& variable, const double* coordinates) {
  if (variable.filters.empty()) return number_list(curve(coordinates, variable.knots));
  std::string text = "[";
  for (std::size_t f = 0; f < variable.filters.size(); ++f) {
    text += f > 0 ? ", {" : "{";
    if (!variable.filters[f].empty()) text += "filter: " + json(variable.filters[f]).dump() + ", ";
    text += "value: " + number_list(curve(coordinates + f * variable.knots, variable.knots)) + "}";
  }
  return text + "]";
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace

std::string text_of(const Variable& variable, const double* coordinates) {
  switch (variable.kind) {
    case Variable::Kind::kNumber:
      return recipe::number_text(coordinates[0]);
    case Variable::Kind::kCurve:
      return curve_text(variable, coordinates);
    case Variable::Kind::kChoice:
      return variable.texts[static_cast<std::size_t>(coordinates[0])];
    case Variable::Kind::kSubset:
      break;
  }
  std::string text = "[";
  for (const std::size_t i : members(variable, coordinates)) {
    text += (text.size() > 1 ? ", " : "") + variable.texts[i];
  }
  return text + "]";
}

json value_of(const Variable& variable, const double* coordinates) {
  if (variable.kind == Variable::Kind::kNumber) return coordinates[0];
  // The texts are JSON, which is YAML in flow style too.
  const auto parsed = [&](std::size_t i) { return json::parse(variable.texts[i], nullptr, false); };
  if (variable.kind == Variable::Kind::kChoice) {
    return parsed(static_cast<std::size_t>(coordinates[0]));
  }
  if (variable.kind == Variable::Kind::kSubset) {
    json chosen = json::array();
    for (const std::size_t i : members(variable, coordinates)) chosen.push_back(parsed(i));
    return chosen;
  }
  if (variable.filters.empty()) return curve(coordinates, variable.knots);
  json by_filter = json::object();
  for (std::size_t f = 0; f < variable.filters.size(); ++f) {
    const std::string key = variable.filters[f].empty() ? "*" : variable.filters[f];
    by_filter[key] = curve(coordinates + f * variable.knots, variable.knots);
  }
  return by_filter;
}

bool has_placeholder(std::string_view text, std::string_view name) {
  return text.find("${" + std::string(name) + "}") != std::string_view::npos;
}

std::string fill_in(std::string text,
                    const std::vector<std::pair<std::string, std::string>>& texts) {
  for (int round = 0; round < kMostRounds; ++round) {
    const std::string before = text;
    for (const auto& [name, value] : texts) {
      const std::string mark = "${" + name + "}";
      replace(text, "\"" + mark + "\"", value);
      replace(text, "'" + mark + "'", value);
      replace(text, mark, value);
    }
    if (text == before) break;
  }
  return text;
}

}  // namespace crucible::server::search
