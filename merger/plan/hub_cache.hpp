#pragma once

#include <filesystem>
#include <vector>

#include "merger/plan/merge.hpp"

// Models that were downloaded with huggingface_hub: `models--ORG--NAME/refs/REVISION` holds a
// commit, `snapshots/COMMIT` the files (links into `blobs`). Nothing is downloaded here.
namespace crucible::plan {

// Where this user's cache lies: $HF_HUB_CACHE, else $HF_HOME/hub, else
// $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub. Empty when none of these can be
// told.
std::filesystem::path hub_cache_folder();

// A resolver that asks `local` first. What is not there and looks like a name of the hub (`NAME` or
// `ORG/NAME`) is looked up in `cache`; the revision is a branch, a tag or a full commit, "" is
// `main`. kNotFound says where was looked and how to download it.
ModelResolver with_hub_cache(ModelResolver local, std::filesystem::path cache);

// What a command on this machine means by a model: a folder beneath one of `folders`, else a model
// of this user's cache.
ModelResolver resolve_locally(std::vector<std::filesystem::path> folders);

}  // namespace crucible::plan
