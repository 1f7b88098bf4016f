#pragma once

#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of artefact_files: names, sizes and SHA-256 of every file that was published.
namespace crucible::server::store {

struct ArtefactFile {
  std::string folder;  // below the state folder
  std::string name;
  std::uint64_t bytes = 0;
  std::string digest;  // hex
};

// Replaces what is known of the folder.
Status keep_artefact(Database& database, std::string_view folder,
                     const std::vector<ArtefactFile>& files);
Status forget_artefact(Database& database, std::string_view folder);
Result<std::vector<ArtefactFile>> artefact_files(Database& database);  // by folder and name

}  // namespace crucible::server::store
