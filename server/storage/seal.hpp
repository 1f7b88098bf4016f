#pragma once

#include <filesystem>

#include "merger/base/error.hpp"

// SQLite's pages carry no checksums, so a flipped bit inside a value passes its checks. A daemon
// that ends in order leaves the SHA-256 of its database beside it, which covers every bit until the
// next start; one that was killed leaves none.
namespace crucible::server::storage {

// With the database closed and nobody else at work.
Status seal(const std::filesystem::path& database);
// Before the database is opened for writing.
Status unseal(const std::filesystem::path& database);

enum class SealVerdict { kNone, kHolds, kBroken };
SealVerdict check_seal(const std::filesystem::path& database);

}  // namespace crucible::server::storage
