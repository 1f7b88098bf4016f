#pragma once

#include <filesystem>
#include <optional>

#include "merger/base/io.hpp"
#include "server/search/search.hpp"

namespace crucible::server::search {

// What a search without a daemon has come to, in a folder: journal.jsonl holds its events, one a
// line, synced one by one; a line that a kill left torn is cut. One process at a time.
class Journal {
 public:
  // Makes the folder, or reads the journal that is there. "" keeps nothing. kConflict when another
  // process writes to it.
  static Result<Journal> open(const std::filesystem::path& folder);

  const Kept& kept() const { return kept_; }
  // Scores and failures are kept, the others need no keeping.
  Status add(const nlohmann::json& event);
  // result.json and winner.yml.
  Status finish(const nlohmann::json& report);

 private:
  Status read_back();

  std::filesystem::path folder_;
  std::optional<io::File> file_;
  std::uint64_t end_ = 0;
  Kept kept_;
};

}  // namespace crucible::server::search
