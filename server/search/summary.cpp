#include "server/search/summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "merger/recipe/text.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

std::string number(const json& value) {
  return value.is_number() ? fmt::format("{:.3f}", value.get<double>()) : std::string("-");
}

std::string score(const json& report) {
  return fmt::format("{} [{}, {}]", number(report["score"]), number(report["low"]),
                     number(report["high"]));
}

Result<json> dimension_of(const std::string& range, const std::string& setting) {
  std::vector<double> numbers;
  std::size_t at = 0;
  while (at <= range.size()) {
    const std::size_t end = std::min(range.find(':', at), range.size());
    const auto value = recipe::parse_number(range.substr(at, end - at));
    if (!value) break;
    numbers.push_back(*value);
    at = end + 1;
  }
  const bool usable = at > range.size() && numbers.size() == 3 && numbers[0] < numbers[1] &&
                      numbers[2] >= 2 && numbers[2] <= 1000 &&
                      numbers[2] == static_cast<int>(numbers[2]);
  if (usable) return json(numbers);
  return fail(Error{ErrorCode::kInvalidArgument,
                    "`" + setting + "` cannot be varied",
                    {{"vary", "must be PATH=LOW:HIGH:POINTS", "such as parameters.t=0:1:5"}}});
}

}  // namespace

Result<std::vector<std::string>> parents_of(const Document& document) {
  auto text = render(document, document.standard);
  if (!text) return fail(std::move(text).error());
  auto recipe = recipe::read_recipe(*text);
  if (!recipe) return fail(std::move(recipe).error());
  std::vector<std::string> parents;
  for (const recipe::ModelReference& reference : recipe->referenced_models()) {
    if (std::ranges::find(parents, reference.path) == parents.end()) {
      parents.push_back(reference.path);
    }
  }
  return parents;
}

Result<std::string> document_of_vary(const std::string& recipe,
                                     const std::vector<std::string>& vary,
                                     const std::vector<std::string>& suites) {
  json document = {{"recipe", recipe}, {"suites", suites}};
  json counts = json::array();
  std::vector<std::pair<std::string, double>> points;
  for (const std::string& setting : vary) {
    const std::size_t sign = setting.find('=');
    auto range = dimension_of(sign == std::string::npos ? "" : setting.substr(sign + 1), setting);
    if (!range) return fail(std::move(range).error());
    const std::string name = setting.substr(0, sign);
    document["space"][name] = {{"float", {(*range)[0], (*range)[1]}}};
    points.emplace_back(name, (*range)[2].get<double>());
  }
  std::ranges::sort(points);  // the space is read in the order of its names
  for (const auto& [name, count] : points) counts.push_back(static_cast<std::size_t>(count));
  document["sampler"] = {{"name", "grid"}, {"counts", counts}};
  return document.dump(1);
}

std::string line_of(const json& event) {
  if (event["event"] == "failed") {
    return fmt::format("{}: {}", event["name"].get<std::string>(),
                       event["message"].get<std::string>());
  }
  if (event["event"] != "standing" || event["seen"] == 0) return "";
  return fmt::format("{:<16} {} on {} items, {}", event["name"].get<std::string>(),
                     number(event["estimate"]), event["seen"].get<std::size_t>(),
                     event["standing"].get<std::string>());
}

std::string summary(const json& report) {
  std::string text = report["verdict"].get<std::string>() + "\n";
  const json& race = report["race"];
  if (!report["winner"].is_null()) {
    const json& winner = report["winner"];
    text += fmt::format(
        "\nvalues    {}\ntune      {} on {} items (of the best of {}: about {} of "
        "it is luck)\nreport    {} on {} items\n",
        winner["values"].dump(), number(winner["tune"]["score"]),
        winner["tune"]["items"].get<std::size_t>(),
        report["inflation"]["candidates"].get<std::size_t>(),
        number(report["inflation"]["expected"]), score(winner["report"]),
        winner["report"]["items"].get<std::size_t>());
  }
  for (const json& reference : report["references"]) {
    text += fmt::format("{:<20} {}  difference {} [{}, {}], better with probability {}: {}\n",
                        reference["name"].get<std::string>(), score(reference["report"]),
                        number(reference["difference"]), number(reference["low"]),
                        number(reference["high"]), number(reference["probability_better"]),
                        reference["verdict"].get<std::string>());
  }
  const auto asked = race["evaluations"].get<double>();
  const auto all = race["exhaustive"].get<double>();
  text += fmt::format(
      "\n{} trials, {} eliminated, {} failed; {} of {} answers asked for ({:.0f} %); {}\n",
      race["trials"].get<std::size_t>(), race["eliminated"].get<std::size_t>(),
      race["failed"].get<std::size_t>(), asked, all, all > 0 ? 100 * asked / all : 0.0,
      race["stopped"].get<std::string>());
  return text;
}

}  // namespace crucible::server::search
