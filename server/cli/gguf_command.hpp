#pragma once

#include <string>
#include <vector>

#include "server/cli/output.hpp"

namespace crucible::server::cli {

// `crucible export-gguf`; the fields mean what engine::GgufExportOptions says.
struct ExportGgufOptions {
  std::string model;
  std::string out;
  std::string type = "f16";
  std::string name;
  unsigned threads = 0;
};
std::vector<std::string> gguf_type_names();
// The model is a folder, or a name in the local Hugging Face cache, with @REVISION where needed.
int export_gguf(const ExportGgufOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
