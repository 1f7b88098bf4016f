#pragma once

#include <filesystem>

#include "merger/base/error.hpp"

// Folders whose files strangers may place: what is read in them must also lie in them, whatever
// links say and whatever is swapped between a check and the opening. Process-wide, for
// io::system(), so that no reader of a model file can be forgotten. Thread-safe.
namespace crucible::io {

// From now on io::system() opens every path that begins with this folder's (by its text) beneath
// it: the kernel refuses (EACCES) `..`, absolute links and links that lead out, and links of /proc.
// Relative links inside stay allowed: snapshots in the Hugging Face cache are made of them, so the
// root must be the cache, not a snapshot. The folder must exist; adding it twice is harmless.
// kUnsupported where the kernel has no openat2 (before Linux 5.6).
Status add_read_root(const std::filesystem::path& folder);

// The operator's own folder, which may lie below a root: opened plainly. A folder that is both
// stays a root.
void add_trusted_folder(const std::filesystem::path& folder);

// ::open, but beneath the root that the path begins with, if there is one.
int open_below_roots(const char* path, int flags, unsigned mode);

}  // namespace crucible::io
