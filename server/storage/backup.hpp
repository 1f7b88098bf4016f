#pragma once

#include <filesystem>

#include "server/pipeline/state_folder.hpp"
#include "server/store/store.hpp"

// Copies of the state that can be brought back on any machine.
namespace crucible::server::storage {

struct BackupReport {
  std::filesystem::path folder;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::int64_t last_event = 0;  // everything up to this event is in it
};

// Copies database, evaluations and, if asked for, merged models into `folder`, which must not exist
// and appears whole or not at all. The daemon may go on meanwhile: the database is one moment's,
// and the artefacts are those that it names. manifest.json lists every file with its SHA-256.
// Errors: kConflict (folder exists), kNoSpace, kIo, kCorrupt (the copy does not pass its check).
Result<BackupReport> back_up(store::Store& store, const std::filesystem::path& state,
                             const std::filesystem::path& folder, bool with_models);

struct RestoreReport {
  std::uint64_t files = 0;
  std::int64_t models_without_files = 0;  // made again by running their recipes
};
// Verifies a backup against its manifest and makes `state` of it, which must not exist or be empty;
// it appears whole or not at all. kCorrupt names the file that is not what was backed up.
Result<RestoreReport> restore(const std::filesystem::path& backup,
                              const std::filesystem::path& state, TimeMs now);

}  // namespace crucible::server::storage
