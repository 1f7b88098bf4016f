#include "server/search/space_reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "merger/recipe/text.hpp"

namespace crucible::server::search {
namespace {

using nlohmann::json;
using sampler::Dimension;

constexpr std::size_t kMostKnots = 64;
constexpr std::size_t kMostChoices = 256;

// One entry of `space`.
class EntryReader {
 public:
  EntryReader(const json& entry, std::string path, std::vector<Fault>& faults)
      : faults_(faults), fields_(as_map(entry, holder_), std::move(path), faults) {}

  // The variable with its dimensions and their default values, appended; false after a fault.
  bool read(Variable& variable, std::vector<Dimension>& dimensions, sampler::Point& standard) {
    const std::size_t before = faults_.size();
    fields_.only({"float", "int", "choice", "subset", "values", "log", "knots", "filters",
                  "at_least", "default"});
    int kinds = 0;
    for (const char* kind : {"float", "int", "choice", "subset", "values"}) {
      kinds += fields_.find(kind) != nullptr;
    }
    if (kinds != 1) {
      fields_.fault(fields_.path_of(""), "must have one of float, int, choice, subset, values",
                    "such as {float: [0, 1]}");
      return false;
    }
    if (fields_.find("float") != nullptr || fields_.find("int") != nullptr) {
      read_numbers(variable, dimensions, standard);
    } else {
      read_texts(variable, dimensions, standard);
    }
    return faults_.size() == before;
  }

 private:
  // [0, 1] is short for {float: [0, 1]}.
  static const json& as_map(const json& entry, json& holder) {
    if (entry.is_object()) return entry;
    holder = entry.is_array() ? json{{"float", entry}} : json::object();
    return holder;
  }

  void read_numbers(Variable& variable, std::vector<Dimension>& dimensions,
                    sampler::Point& standard) {
    const bool whole = fields_.find("int") != nullptr;
    const auto range = fields_.range(whole ? "int" : "float");
    if (!range) return;
    Dimension dimension;
    dimension.kind = whole ? Dimension::Kind::kInt : Dimension::Kind::kFloat;
    std::tie(dimension.low, dimension.high) = *range;
    dimension.log = fields_.boolean("log", false);
    if (dimension.log && dimension.low <= 0) {
      fields_.fault(fields_.path_of("log"), "a logarithmic range must begin above 0");
    }
    variable.knots = static_cast<std::size_t>(fields_.whole("knots", 1, kMostKnots));
    variable.filters = fields_.texts("filters");
    for (std::string& filter : variable.filters) {
      if (filter == "*") filter.clear();
    }
    if (variable.knots == 0) fields_.fault(fields_.path_of("knots"), "must be at least 1");
    if (variable.knots > 1 || !variable.filters.empty()) variable.kind = Variable::Kind::kCurve;
    variable.dimensions = std::max<std::size_t>(variable.knots, 1) *
                          std::max<std::size_t>(variable.filters.size(), 1);
    const double middle = (dimension.low + dimension.high) / 2;
    const double fallback = whole ? std::floor(middle) : middle;
    const double value = fields_.number("default", fallback, dimension.low, dimension.high);
    for (std::size_t i = 0; i < variable.dimensions; ++i) {
      dimension.name =
          variable.dimensions == 1 ? variable.name : fmt::format("{}[{}]", variable.name, i);
      dimensions.push_back(dimension);
      standard.push_back(value);
    }
  }

  void read_texts(Variable& variable, std::vector<Dimension>& dimensions,
                  sampler::Point& standard) {
    const bool subset = fields_.find("subset") != nullptr;
    const char* key = subset ? "subset" : fields_.find("values") != nullptr ? "values" : "choice";
    const json& values = *fields_.find(key);
    if (!values.is_array() || values.empty() || values.size() > kMostChoices) {
      return fields_.fault(fields_.path_of(key),
                           fmt::format("must be a list of 1 to {} values", kMostChoices));
    }
    for (const json& value : values) variable.texts.push_back(value.dump());
    Dimension dimension;
    dimension.kind = Dimension::Kind::kChoice;
    variable.kind = subset ? Variable::Kind::kSubset : Variable::Kind::kChoice;
    if (!subset) {
      dimension.name = variable.name;
      dimension.choices = values.size();
      dimensions.push_back(dimension);
      return standard.push_back(default_choice(values));
    }
    variable.dimensions = values.size();
    variable.at_least = static_cast<std::size_t>(fields_.whole("at_least", 1, values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      dimension.name = fmt::format("{}[{}]", variable.name, i);
      dimension.choices = 2;
      dimensions.push_back(dimension);
      standard.push_back(1);
    }
  }

  double default_choice(const json& values) {
    const json* wanted = fields_.find("default");
    if (wanted == nullptr) return 0;
    const auto found = std::ranges::find(values, *wanted);
    if (found == values.end()) {
      fields_.fault(fields_.path_of("default"), "is none of the values");
      return 0;
    }
    return static_cast<double>(found - values.begin());
  }

  json holder_;
  std::vector<Fault>& faults_;
  Fields fields_;
};

bool is_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// Whether the recipe, or a choice's text, has the name.
bool is_used(const Document& document, const json& space, const std::string& name) {
  return has_placeholder(document.recipe, name) || has_placeholder(space.dump(), name);
}

void read_entry(const std::string& name, const json& entry, const json& space, Document& document,
                std::vector<Dimension>& dimensions, std::vector<Fault>& faults) {
  const std::string path = recipe::child_path("space", name);
  Variable variable;
  variable.name = name;
  variable.first = dimensions.size();
  variable.is_path = name.find_first_of(".[") != std::string::npos;
  if (!variable.is_path && !is_name(name)) {
    faults.push_back({path, "a name has letters, digits and _ only",
                      "a path such as parameters.t is possible too"});
    return;
  }
  if (!variable.is_path && !is_used(document, space, name)) {
    faults.push_back({path, fmt::format("the recipe has no placeholder ${{{}}}", name),
                      fmt::format("write ${{{}}} where its value goes", name)});
    return;
  }
  if (!EntryReader(entry, path, faults).read(variable, dimensions, document.standard)) return;
  if (variable.is_path && variable.kind != Variable::Kind::kNumber) {
    faults.push_back({path, "at a path only single numbers can be varied",
                      "use a placeholder ${NAME} in the recipe"});
    return;
  }
  document.variables.push_back(std::move(variable));
}

// The names' dimensions sum to the total; those of curves do so knot by knot.
void add_constraint(const json& entry, const std::string& path, const Document& document,
                    std::vector<sampler::SumConstraint>& constraints, std::vector<Fault>& faults) {
  std::vector<const Variable*> members;
  for (const json& name : entry["sum"]) {
    const auto found = std::ranges::find_if(
        document.variables, [&](const Variable& variable) { return name == variable.name; });
    if (found == document.variables.end()) {
      faults.push_back(
          {path + ".sum", fmt::format("{} is not a name of the space", name.dump()), ""});
      return;
    }
    members.push_back(&*found);
  }
  const std::size_t each = members.empty() ? 0 : members[0]->dimensions;
  if (std::ranges::any_of(members, [&](auto* member) { return member->dimensions != each; })) {
    faults.push_back({path + ".sum", "the names must have equally many knots and filters", ""});
    return;
  }
  for (std::size_t i = 0; i < each; ++i) {
    sampler::SumConstraint constraint;
    constraint.total = entry.value("total", 1.0);
    for (const Variable* member : members) {
      constraint.names.push_back(each == 1 ? member->name : fmt::format("{}[{}]", member->name, i));
    }
    constraints.push_back(std::move(constraint));
  }
}

std::vector<sampler::SumConstraint> read_constraints(const Fields& fields, const Document& document,
                                                     std::vector<Fault>& faults) {
  std::vector<sampler::SumConstraint> constraints;
  const json* list = fields.find("constraints");
  if (list == nullptr) return constraints;
  if (!list->is_array()) {
    fields.fault("constraints", "must be a list", "such as [{sum: [a, b], total: 1}]");
    return constraints;
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = recipe::child_path("constraints", i);
    const json& entry = (*list)[i];
    const bool usable = entry.is_object() && entry.contains("sum") && entry["sum"].is_array() &&
                        entry.value("total", json(1)).is_number();
    if (usable) {
      add_constraint(entry, path, document, constraints, faults);
    } else {
      fields.fault(path, "must be {sum: [names], total: number}");
    }
  }
  return constraints;
}

}  // namespace

void read_space(const Fields& fields, Document& document, std::vector<Fault>& faults) {
  const json* space = fields.find("space");
  if (space == nullptr || !space->is_object() || space->empty()) {
    return fields.fault("space", "must name what is varied", "such as {t: {float: [0, 1]}}");
  }
  const std::size_t before = faults.size();
  std::vector<Dimension> dimensions;
  for (const auto& [name, entry] : space->items()) {
    read_entry(name, entry, *space, document, dimensions, faults);
  }
  auto constraints = read_constraints(fields, document, faults);
  if (faults.size() > before) return;
  auto made = sampler::SearchSpace::create(std::move(dimensions), std::move(constraints));
  if (made) {
    document.sampler.space = std::move(*made);
    // What takes part as the default obeys the constraints too.
    document.standard =
        document.sampler.space.decode(document.sampler.space.encode(document.standard));
    return;
  }
  for (Fault& fault : made.error().faults) faults.push_back(std::move(fault));
  if (made.error().faults.empty()) faults.push_back({"space", made.error().message, ""});
}

namespace {

std::string default_method(const Document& document) {
  const auto& dimensions = document.sampler.space.dimensions();
  const bool numbers = std::ranges::all_of(
      dimensions, [](const Dimension& d) { return d.kind == Dimension::Kind::kFloat; });
  if (document.objective_per_suite) return "nsga2";
  if (dimensions.size() == 1 && dimensions[0].kind != Dimension::Kind::kChoice) return "adaptive";
  return numbers ? "cma_es" : "tpe";
}

// `points: 5` of a grid is short for as many of every number and all of every choice.
void expand_points(json& method, const Document& document) {
  if (!method.contains("points")) return;
  json counts = json::array();
  for (const Dimension& d : document.sampler.space.dimensions()) {
    counts.push_back(d.kind == Dimension::Kind::kChoice ? json(0) : method["points"]);
  }
  method.erase("points");
  method["counts"] = std::move(counts);
}

}  // namespace

void read_sampler(const Fields& fields, Document& document, std::vector<Fault>& faults) {
  if (document.sampler.space.size() == 0) return;
  json method = {{"name", default_method(document)}};
  if (const json* given = fields.find("sampler")) {
    if (given->is_string()) method["name"] = *given;
    if (given->is_object()) method.update(*given);
    if (!given->is_string() && !given->is_object()) {
      return fields.fault("sampler", "must be a name or a map with one",
                          "grid, random, sobol, adaptive, cma_es, tpe or nsga2");
    }
  }
  if (method["name"] == "grid" && !method.contains("counts") && !method.contains("points")) {
    method["points"] = 5;
  }
  if (method["name"] == "nsga2" && !method.contains("objectives")) {
    method["objectives"] = document.suites.size();
  }
  expand_points(method, document);
  const json specification = {{"space", document.sampler.space.to_json()},
                              {"method", std::move(method)},
                              {"seed", document.seed},
                              {"budget", document.budget.trials}};
  auto read = sampler::specification_from_json(specification);
  Status checked = read ? sampler::check(*read) : Status();
  if (read && checked) {
    document.sampler = std::move(*read);
    return;
  }
  const Error error = read ? checked.error() : read.error();
  for (Fault fault : error.faults) {
    if (fault.path.starts_with("method")) fault.path.replace(0, 6, "sampler");
    faults.push_back(std::move(fault));
  }
  if (error.faults.empty()) faults.push_back({"sampler", error.message, ""});
}

}  // namespace crucible::server::search
