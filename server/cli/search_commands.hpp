#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli/output.hpp"

namespace CLI {
class App;
}

// Sweeps that search, as a client of the daemon.
namespace crucible::server::cli {

struct SubmitSearchOptions {
  std::string document;  // a file, - = standard input; with vary a recipe
  std::vector<std::string> vary;
  std::vector<std::string> suites;
  std::string name;
  int priority = 0;
  std::string idempotency_key;
  bool watch = false;
};
int submit_search(const SubmitSearchOptions& options, const CommonOptions& common);

int pause_sweep(std::int64_t id, const CommonOptions& common);

struct ResumeOptions {
  std::int64_t id = 0;
  std::vector<std::string> budget;  // "items=20000"
};
int resume_sweep(const ResumeOptions& options, const CommonOptions& common);

struct ForkOptions {
  std::int64_t id = 0;
  std::int64_t trial = 0;
};
int fork_sweep(const ForkOptions& options, const CommonOptions& common);

struct TrialsOptions {
  std::int64_t id = 0;
  std::string format = "table";  // table, csv, json, optuna
  std::string out;               // "" = standard output
};
int list_trials(const TrialsOptions& options, const CommonOptions& common);

// A search with its result, as text.
std::string search_view(const Json& sweep);

}  // namespace crucible::server::cli
