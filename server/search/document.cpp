#include "server/search/document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "merger/recipe/substitute.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"
#include "server/search/space_reading.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;

constexpr std::uint64_t kMany = 1'000'000'000;
constexpr std::uint64_t kMostTrials = 100'000;

std::string recipe_text(const recipe::YamlNode& root, std::vector<Fault>& faults) {
  const recipe::YamlNode* node = root.find("recipe");
  if (node != nullptr && node->is_map()) return recipe::emit_yaml(*node);
  if (node != nullptr && node->is_scalar() && !node->scalar.empty()) return node->scalar;
  faults.push_back({"recipe", "must be a merge recipe: a map, or its text", ""});
  return "";
}

void read_racing(const Fields& document, Racing& racing) {
  const json* given = document.find("racing");
  if (given != nullptr && given->is_boolean()) {
    racing.enabled = given->get<bool>();
    return;
  }
  const Fields fields = document.map("racing");
  fields.only({"enabled", "alpha", "rungs", "indifference"});
  racing.enabled = fields.boolean("enabled", true);
  racing.alpha = fields.number("alpha", racing.alpha, 1e-6, 0.5);
  racing.indifference = fields.number("indifference", 0, 0, 1);
  const json* rungs = fields.find("rungs");
  if (rungs == nullptr) return;
  std::size_t last = 0;
  bool usable = rungs->is_array() && !rungs->empty() && rungs->size() <= 64;
  for (std::size_t i = 0; usable && i < rungs->size(); ++i) {
    usable = (*rungs)[i].is_number_unsigned() && (*rungs)[i] > last && (*rungs)[i] < kMany;
    if (usable) racing.rungs.push_back(last = (*rungs)[i].get<std::size_t>());
  }
  if (!usable) fields.fault(fields.path_of("rungs"), "must be ascending numbers of items");
}

void read_budget(const Fields& document, Budget& budget) {
  const Fields fields = document.map("budget");
  fields.only({"trials", "merges", "items", "tokens", "minutes"});
  const auto trials = fields.whole("trials", 0, kMostTrials);
  const auto merges = fields.whole("merges", 0, kMostTrials);
  // One merge a trial: a candidate that is asked again later comes from the same plan.
  budget.trials = trials == 0 || merges == 0 ? std::max(trials, merges) : std::min(trials, merges);
  budget.items = fields.whole("items", 0, kMany);
  budget.tokens = fields.whole("tokens", 0, kMany * 1'000);
  budget.minutes = fields.number("minutes", 0, 0, 1e6);
}

void read_suites(const Fields& fields, Document& document) {
  document.suites = fields.texts("suites");
  if (document.suites.empty()) fields.fault("suites", "must name at least one suite");
  const std::set<std::string> names(document.suites.begin(), document.suites.end());
  if (names.size() < document.suites.size()) fields.fault("suites", "names a suite twice");
  const std::string objectives = fields.text("objectives", "mean");
  document.objective_per_suite = objectives == "suites";
  if (objectives != "mean" && objectives != "suites") {
    fields.fault("objectives", "must be mean or suites");
  }
  if (document.objective_per_suite && document.suites.size() < 2) {
    fields.fault("objectives", "one objective a suite needs two suites or more");
  }
}

void read_keep(const Fields& fields, Document& document) {
  const std::string keep = fields.text("keep", "winner");
  if (keep == "none") document.keep = Keep::kNone;
  if (keep == "all") document.keep = Keep::kAll;
  if (keep != "none" && keep != "all" && keep != "winner") {
    fields.fault("keep", "must be winner, all or none");
  }
}

// Samplers that never end by themselves need an end.
void bound_trials(Document& document) {
  const std::string_view method = sampler::method_name(document.sampler.method);
  if (document.budget.trials == 0 && method != "grid" && method != "adaptive") {
    document.budget.trials = method == "nsga2" ? 200 : 50;
    document.sampler.budget = document.budget.trials;
  }
}

// Both ends of the space, its default and every choice must make recipes.
void check_recipes(const Document& document, std::vector<Fault>& faults) {
  for (const sampler::Point& point : probe_points(document)) {
    const auto text = render(document, point);
    const auto read = text ? recipe::read_recipe(*text) : Result<recipe::Recipe>();
    if (text && read) continue;
    const Error& error = text ? read.error() : text.error();
    const std::string where = fmt::format(" (at {})", values_at(document, point).dump());
    for (const Fault& fault : error.faults) {
      faults.push_back(
          {fault.path.starts_with("space") ? fault.path : "recipe" + ("." + fault.path),
           fault.message + where, fault.suggestion});
    }
    if (error.faults.empty()) faults.push_back({"recipe", error.message + where, ""});
    return;
  }
}

}  // namespace

Result<Document> read_document(std::string_view text) {
  auto yaml = recipe::parse_yaml(text);
  if (!yaml) return fail(std::move(yaml).error().with_context("the sweep document is"));
  std::vector<Fault> faults = std::move(yaml->faults);
  const json root = json_of(yaml->root);
  Document document;
  if (!root.is_object()) {
    return fail(Error{ErrorCode::kInvalidArgument,
                      "the sweep document must be a map",
                      {{"", "must be a map with recipe, space and suites", ""}}});
  }
  const Fields fields(root, "", faults);
  fields.only({"name", "recipe", "space", "constraints", "sampler", "suites", "objectives",
               "racing", "budget", "tune_share", "seed", "keep"});
  document.name = fields.text("name");
  document.recipe = recipe_text(yaml->root, faults);
  document.seed = fields.whole("seed", 0, UINT64_MAX);
  document.tune_share = fields.number("tune_share", 0.5, 0.05, 0.95);
  read_budget(fields, document.budget);
  read_racing(fields, document.racing);
  read_suites(fields, document);
  read_keep(fields, document);
  read_space(fields, document, faults);
  read_sampler(fields, document, faults);
  if (faults.empty()) {
    bound_trials(document);
    check_recipes(document, faults);
  }
  if (faults.empty()) return document;
  return fail(
      Error{ErrorCode::kInvalidArgument, "the sweep document cannot be used", std::move(faults)});
}

std::vector<sampler::Point> probe_points(const Document& document) {
  const sampler::SearchSpace& space = document.sampler.space;
  std::vector<sampler::Point> points = {document.standard};
  for (const double end : {0.0, 1.0}) {
    points.push_back(space.decode(std::vector<double>(space.size(), end)));
  }
  for (std::size_t d = 0; d < space.size(); ++d) {
    if (space.dimensions()[d].kind != sampler::Dimension::Kind::kChoice) continue;
    for (std::size_t value = 0; value < space.dimensions()[d].choices; ++value) {
      points.push_back(document.standard);
      points.back()[d] = static_cast<double>(value);
    }
  }
  return points;
}

Result<std::string> render(const Document& document, const sampler::Point& point) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const Variable& variable : document.variables) {
    if (!variable.is_path) {
      texts.emplace_back(variable.name, text_of(variable, point.data() + variable.first));
    }
  }
  std::string text = fill_in(document.recipe, texts);
  for (const Variable& variable : document.variables) {
    if (!variable.is_path) continue;
    auto set = recipe::substitute(text, variable.name, point[variable.first]);
    if (!set) {
      Error error = std::move(set).error();
      for (Fault& fault : error.faults) fault.path = recipe::child_path("space", variable.name);
      return fail(std::move(error));
    }
    text = std::move(*set);
  }
  return text;
}

json values_at(const Document& document, const sampler::Point& point) {
  json values = json::object();
  for (const Variable& variable : document.variables) {
    values[variable.name] = value_of(variable, point.data() + variable.first);
  }
  return values;
}

}  // namespace crucible::server::search
