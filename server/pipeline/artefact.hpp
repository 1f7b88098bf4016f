#pragma once

#include <filesystem>
#include <vector>

#include "server/store/artefacts.hpp"

// Folders of results as they are published.
namespace crucible::server::pipeline {

// SHA-256 of every regular file directly in `folder`; `name` is what the store calls the folder.
Result<std::vector<store::ArtefactFile>> hash_files(const std::filesystem::path& folder,
                                                    const std::string& name);
Result<std::string> hash_file(const std::filesystem::path& file);

}  // namespace crucible::server::pipeline
