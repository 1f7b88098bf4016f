#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "server/store/artefacts.hpp"

// Folders of results as they are published.
namespace crucible::server::pipeline {

// SHA-256 of every regular file directly in `folder`; `name` is what the store calls the folder.
Result<std::vector<store::ArtefactFile>> hash_files(const std::filesystem::path& folder,
                                                    const std::string& name);
Result<std::string> hash_file(const std::filesystem::path& file);

// The files of a folder by name and SHA-256, as a worker tells them with its result.
nlohmann::json told_files(const std::vector<store::ArtefactFile>& files);
// kUnavailable when `files` are not those told: something else wrote to the folder.
Status check_told(const nlohmann::json& result, const std::vector<store::ArtefactFile>& files);

// Makes durable a folder found under its last name, which whoever put it there may not have done:
// its files, itself and its parent.
Status sync_published(const std::filesystem::path& folder);

}  // namespace crucible::server::pipeline
