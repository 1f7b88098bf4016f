#pragma once

#include <string>

#include "server/cli/output.hpp"

namespace CLI {
class App;
}

namespace crucible::server::cli {

// `crucible compare`: two models on the same items. Folders are read here; names are asked of the
// daemon.
struct CompareOptions {
  std::string a;
  std::string b;
  std::string suite;  // of a daemon's models; "" = the only one that both have
};
void add_options(CLI::App& command, CompareOptions& options);
int compare(const CompareOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
