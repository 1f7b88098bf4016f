#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "nlohmann/json.hpp"
#include "server/sampler/space.hpp"

// The names of a search: each stands in the recipe as `${name}`, or is itself a path such as
// `parameters.t`, and takes one or more dimensions of the sampler's space.
namespace crucible::server::search {

struct Variable {
  enum class Kind {
    kNumber,  // one number
    kCurve,   // numbers over the layers (knots) and by tensor filters, as a recipe's gradient
    kChoice,  // one of several texts
    kSubset   // some of several texts, as a list
  };
  std::string name;
  Kind kind = Kind::kNumber;
  bool is_path = false;   // no placeholder: the number at this path of the recipe
  std::size_t first = 0;  // its first dimension
  std::size_t dimensions = 1;
  std::size_t knots = 1;             // kCurve
  std::vector<std::string> filters;  // kCurve: "" = all other tensors; empty = no filters
  std::vector<std::string> texts;    // kChoice, kSubset: JSON, which is YAML in flow style
  std::size_t at_least = 1;          // kSubset
};

// What stands in the recipe for these coordinates, which hold the variable's dimensions only. A
// subset with fewer members than it needs is filled up in its own order.
std::string text_of(const Variable& variable, const double* coordinates);
// The same for people and exports: a number, a list, a map by filter, a text or a list of texts.
nlohmann::json value_of(const Variable& variable, const double* coordinates);

// `${name}`, also where it stands alone in quotes, becomes the text. Text that a choice brings in
// is looked through again, a few times.
std::string fill_in(std::string text,
                    const std::vector<std::pair<std::string, std::string>>& texts);
bool has_placeholder(std::string_view text, std::string_view name);

}  // namespace crucible::server::search
