#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

// `crucible sweep run`: a sweep document carried out without a daemon.
namespace crucible::server::cli {

struct SearchCommandOptions {
  std::string document;                    // a file
  std::vector<std::string> vary;           // "parameters.t=0:1:5", in place of a space
  std::string recipe;                      // with vary
  std::vector<std::string> suites;         // in place of the document's
  std::vector<std::string> suite_folders;  // --suites-dir; else $CRUCIBLE_SUITES, else ./suites
  std::vector<std::string> datasets;
  std::string out;  // folder of journal, result and the winner's recipe; "" = nothing is kept
  unsigned threads = 0;
  std::string memory = "512MiB";  // of tensor buffers
  std::string kept = "1GiB";      // of merged tensors that candidates share
  bool write_winner = false;      // the merged model too, into OUT/model
  bool json = false;
};
void add_search_options(CLI::App& command, SearchCommandOptions& options);

// Exit code. Ends by itself on SIGINT; the same command with the same --out goes on.
int run_search_command(const SearchCommandOptions& options);

}  // namespace crucible::server::cli
