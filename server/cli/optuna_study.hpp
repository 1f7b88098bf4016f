#pragma once

#include <filesystem>
#include <string>

#include "server/cli/api_client.hpp"

namespace crucible::server::cli {

// Writes a search's trials as a study in a new SQLite file in the form of Optuna's storage (schema
// 12, written by Optuna 4 and 5), which optuna.load_study and optuna-dashboard read. A dimension a
// parameter: curves have one a knot, choices are categorical, subsets a flag a member. Trials that
// the race stopped are PRUNED with their last estimate as an intermediate value. `document` is the
// sweep document, `trials` as the API lists them. kConflict when the file exists.
Status write_optuna_study(const std::string& name, const std::string& document, const Json& trials,
                          const std::filesystem::path& file);

}  // namespace crucible::server::cli
