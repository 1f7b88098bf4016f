#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/cli/output.hpp"

// Commands that need no daemon. Each takes its parsed options and returns the exit code.
namespace crucible::server::cli {

struct MergeCommandOptions {
  std::string recipe;
  std::string out;  // check: unused
  std::uint64_t seed = 0;
  unsigned threads = 0;
  std::string memory = "1GiB";
  std::string shard_size = "5GB";
};
// Relative model paths are looked up in the recipe's folder, then in the working directory.
int check(const MergeCommandOptions& options, const CommonOptions& common);
int merge(const MergeCommandOptions& options, const CommonOptions& common);

struct EvalCommandOptions {
  std::string model;
  std::vector<std::string> suites;         // files, or names in the suite folders
  std::vector<std::string> suite_folders;  // empty: $CRUCIBLE_SUITES, else ./suites
  std::string out;                         // "" = no report files
  std::string dtype = "f32";               // f32, bf16, f16, q8_0
  unsigned threads = 0;
  bool bos = false;
};
int eval(const EvalCommandOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
