#pragma once

#include <string>
#include <vector>

#include "server/pipeline/state_folder.hpp"
#include "server/store/sqlite.hpp"

// Finds what is wrong with a state folder, and says what to do about it.
namespace crucible::server::storage {

struct Finding {
  std::string what;   // "a file is not the one that was published"
  std::string where;  // path, or a row
  std::string advice;
};

struct Examination {
  std::vector<Finding> findings;
  std::uint64_t files = 0;  // compared with their digests
  std::uint64_t bytes = 0;
  std::string schema;  // "6 of 6"
  std::string sqlite;  // version of the library
  int landlock = 0;    // 0 = this kernel cannot confine workers
};

// Looks at everything: the database's structure, references and schema; every published file
// against its SHA-256; rows without files and files without rows; what a dead daemon left;
// permissions. Reads only. The caller holds the state folder. After a stop in order every bit of
// the database is covered (see seal.hpp); after a kill, flips inside values are beyond it and need
// a backup to compare with.
Result<Examination> examine(const pipeline::StateFolder& state);

}  // namespace crucible::server::storage
