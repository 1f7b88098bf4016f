#include "server/pipeline/artefact.hpp"

#include <algorithm>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

namespace crucible::server::pipeline {
namespace {

constexpr std::size_t kChunk = 4 << 20;

}  // namespace

Result<std::string> hash_file(const std::filesystem::path& path) {
  auto file = io::File::open_read(path);
  if (!file) return fail(std::move(file).error());
  auto size = file->size();
  if (!size) return fail(std::move(size).error());
  Sha256 hash;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(kChunk, *size));
  for (std::uint64_t at = 0; at < *size;) {
    const auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), *size - at));
    if (auto status = file->pread(part, at); !status) return fail(std::move(status).error());
    hash.update(part);
    at += part.size();
  }
  return hash.finish().hex();
}

Result<std::vector<store::ArtefactFile>> hash_files(const std::filesystem::path& folder,
                                                    const std::string& name) {
  std::vector<store::ArtefactFile> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (!entry->is_regular_file(unreadable) || entry->is_symlink(unreadable)) continue;
    auto digest = hash_file(entry->path());
    if (!digest) return fail(std::move(digest).error());
    files.push_back({name, entry->path().filename().string(), entry->file_size(unreadable),
                     std::move(*digest)});
  }
  if (error) return fail(from_errno(error.value(), folder.string()));
  std::ranges::sort(files, {}, &store::ArtefactFile::name);
  return files;
}

nlohmann::json told_files(const std::vector<store::ArtefactFile>& files) {
  nlohmann::json told = nlohmann::json::object();
  for (const store::ArtefactFile& file : files) told[file.name] = file.digest;
  return told;
}

Status check_told(const nlohmann::json& result, const std::vector<store::ArtefactFile>& files) {
  if (result.value("files", nlohmann::json()) == told_files(files)) return {};
  return fail(ErrorCode::kUnavailable,
              "the result's files are not those that the worker wrote; it is made again");
}

Status sync_published(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code unreadable;
    if (!entry->is_regular_file(unreadable)) continue;
    auto file = io::File::open_read(entry->path());
    if (!file) return fail(std::move(file).error());
    if (auto status = file->sync(); !status) return status;
  }
  if (error) return fail(from_errno(error.value(), folder.string()));
  if (auto status = io::sync_folder(folder); !status) return status;
  return io::sync_folder(folder.parent_path());
}

}  // namespace crucible::server::pipeline
