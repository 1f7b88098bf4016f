#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "server/pipeline/state_folder.hpp"
#include "server/service/storage_records.hpp"
#include "server/store/store.hpp"

// What of a state folder may go, and its removal. Never touched: what a pin, a job that is not
// over, or a row refers to, other than through a rule that names it.
namespace crucible::server::storage {

// What the rules select now; nothing is changed. Under `live`, a daemon works in the folder: what
// is younger than an hour may be on its way in and is left alone.
Result<std::vector<GarbageItem>> find_garbage(store::Store& store,
                                              const pipeline::StateFolder& state,
                                              const GarbageRules& rules, bool live, TimeMs now);

// Removes what find_garbage gives. A model is marked in the same transaction that makes sure of it
// that nothing needs it; then its folder is moved to trash/ and deleted, so that a kill leaves
// either all of it or a marked row and trash that the next collection takes. Returns what went.
Result<std::vector<GarbageItem>> collect_garbage(store::Store& store,
                                                 const pipeline::StateFolder& state,
                                                 const GarbageRules& rules, bool live, TimeMs now);

// Bytes by area. Reads the folder, not the database.
StorageUsage usage(const pipeline::StateFolder& state);

}  // namespace crucible::server::storage
