#pragma once

#include <cstdint>
#include <string>

#include "server/cli/output.hpp"

namespace crucible::server::cli {

// `crucible extract-lora`; the fields mean what lora::ExtractOptions says.
struct ExtractLoraOptions {
  std::string base;
  std::string model;
  std::string out;
  std::uint64_t max_rank = 32;
  double energy = 0.99;
  bool exact = false;
  std::string include;
  std::string exclude;
  bool save_modules = false;
  std::string dtype = "float32";
  std::uint64_t seed = 0;
  unsigned threads = 0;
};
// Models are folders, or names in the local Hugging Face cache, with @REVISION where needed.
int extract_lora(const ExtractLoraOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
