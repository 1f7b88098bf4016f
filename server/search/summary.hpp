#pragma once

#include <string>
#include <vector>

#include "merger/base/error.hpp"
#include "nlohmann/json.hpp"
#include "server/search/document.hpp"

namespace crucible::server::search {

// The models of a search's recipes, base included: what each merge is measured against. Those of
// the default point, in order of first mention, without adapters.
Result<std::vector<std::string>> parents_of(const Document& document);

// A document for a recipe and `PATH=LOW:HIGH:POINTS` settings: a grid over all of them.
// kInvalidArgument names the setting that has another form.
Result<std::string> document_of_vary(const std::string& recipe,
                                     const std::vector<std::string>& vary,
                                     const std::vector<std::string>& suites);

// An event as a line for people; "" for those that say little.
std::string line_of(const nlohmann::json& event);
// A search's result as text.
std::string summary(const nlohmann::json& report);

}  // namespace crucible::server::search
