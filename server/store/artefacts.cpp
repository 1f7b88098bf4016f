#include "server/store/artefacts.hpp"

namespace crucible::server::store {

Status forget_artefact(Database& database, std::string_view folder) {
  return database.execute("DELETE FROM artefact_files WHERE folder = ?", {folder});
}

Status keep_artefact(Database& database, std::string_view folder,
                     const std::vector<ArtefactFile>& files) {
  if (auto status = forget_artefact(database, folder); !status) return status;
  for (const ArtefactFile& file : files) {
    auto status = database.execute(
        "INSERT INTO artefact_files (folder, name, bytes, digest) VALUES (?, ?, ?, ?)",
        {folder, file.name, file.bytes, file.digest});
    if (!status) return status;
  }
  return {};
}

Result<std::vector<ArtefactFile>> artefact_files(Database& database) {
  return database.query(
      "SELECT folder, name, bytes, digest FROM artefact_files ORDER BY folder, name", {},
      [](const Row& row) {
        return ArtefactFile{row.text(0), row.text(1), row.unsigned_integer(2), row.text(3)};
      });
}

}  // namespace crucible::server::store
