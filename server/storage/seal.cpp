#include "server/storage/seal.hpp"

#include <cerrno>

#include "merger/base/io.hpp"
#include "server/pipeline/artefact.hpp"

namespace crucible::server::storage {
namespace {

std::filesystem::path file_of(const std::filesystem::path& database) {
  return database.string() + ".sha256";
}

bool has_log(const std::filesystem::path& database) {
  std::error_code error;
  const auto size = std::filesystem::file_size(database.string() + "-wal", error);
  return !error && size > 0;
}

}  // namespace

Status seal(const std::filesystem::path& database) {
  if (has_log(database)) return {};  // it was not closed in order
  auto digest = pipeline::hash_file(database);
  if (!digest) return fail(std::move(digest).error());
  return io::replace_file(file_of(database), *digest + "\n");
}

Status unseal(const std::filesystem::path& database) {
  const auto file = file_of(database);
  if (io::system().unlink(file.c_str()) == 0) return io::sync_folder(database.parent_path());
  if (errno == ENOENT) return {};
  return fail(from_errno(errno, "cannot remove " + file.string()));
}

SealVerdict check_seal(const std::filesystem::path& database) {
  const auto kept = io::read_text(file_of(database), 1024);
  if (!kept) return SealVerdict::kNone;
  if (has_log(database)) return SealVerdict::kBroken;  // written to since
  const auto digest = pipeline::hash_file(database);
  return digest && *digest + "\n" == *kept ? SealVerdict::kHolds : SealVerdict::kBroken;
}

}  // namespace crucible::server::storage
