#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "merger/plan/merge.hpp"
#include "merger/recipe/documents.hpp"

// Files with several recipes, where later ones merge the results of earlier ones.
namespace crucible::plan {

struct DocumentPreflight {
  std::string name;  // "" for the final one without a name
  // nullopt: it needs results that are not there yet; that its other models open was checked.
  std::optional<Preflight> preflight;
};
// Checks every document as far as its inputs exist. Results of earlier documents lie in
// `intermediate`/NAME. Error kInvalidArgument with the faults of all documents.
Result<std::vector<DocumentPreflight>> preflight_documents(
    const recipe::RecipeFile& file, const ModelResolver& resolver, const MergeOptions& options,
    const std::filesystem::path& intermediate, const std::filesystem::path& out_parent);

struct DocumentReport {
  std::string name;
  std::filesystem::path folder;
  std::optional<MergeReport> report;  // nullopt: the folder was finished before and is used again
};
// Merges every document in order: intermediate ones into `intermediate`/NAME, the final one into
// `out`, which must not exist. A finished folder of the same recipe text is used again; of another
// one it is an error (kConflict). Unless `keep` is set, `intermediate` is removed after success;
// after a failure it stays, so that a second run goes on. `progress` gets the document's name in
// its stage.
Result<std::vector<DocumentReport>> merge_documents(
    const recipe::RecipeFile& file, const ModelResolver& resolver, const MergeOptions& options,
    const std::filesystem::path& intermediate, bool keep, const std::filesystem::path& out,
    const ProgressSink& progress, std::stop_token stop);

}  // namespace crucible::plan
