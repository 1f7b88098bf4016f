#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/service/records.hpp"
#include "server/store/sqlite.hpp"

// Rows of models, model_parents and merge_results. Models are never deleted; what they
// compute never changes.
namespace crucible::server::store {

// Before an endpoint's name, where other models have their folder.
inline constexpr std::string_view kEndpointPath = "endpoint:";

struct NewModel {
  Model model;              // id, parents and children are ignored
  std::string fingerprint;  // of the folder's files when they were hashed
  std::vector<ModelId> parents;
};

struct StoredModel {
  Model model;
  std::string fingerprint;
};

Result<ModelId> insert_model(Database& database, const NewModel& model);
Result<std::optional<StoredModel>> find_model(Database& database, ModelId id);
Result<std::optional<StoredModel>> find_model_by_name(Database& database, std::string_view name);
Result<std::optional<StoredModel>> find_model_by_path(Database& database, std::string_view path);
// The oldest model with this content.
Result<std::optional<StoredModel>> find_model_by_digest(Database& database,
                                                        std::string_view digest);
// By id when the text is a number of an existing model, else by name; kNotFound names near misses.
Result<StoredModel> get_model(Database& database, std::string_view id_or_name);
Result<StoredModel> get_model(Database& database, ModelId id);
Result<std::vector<Model>> list_models(Database& database);  // by id
Result<std::vector<std::string>> model_names(Database& database);
// `wanted`, or the first of wanted-2, wanted-3, … that no model bears.
Result<std::string> free_model_name(Database& database, const std::string& wanted);

// The same content with other file times (copied, touched): trust it under its new fingerprint.
Status refresh_fingerprint(Database& database, ModelId id, std::string_view fingerprint);

// Pinned models are never garbage; again is fine.
Status pin_model(Database& database, ModelId id, std::optional<TimeMs> at);  // none = unpin
// Its files are about to be deleted; the row stays.
Status mark_removed(Database& database, ModelId id, TimeMs at);
// Its files were made again.
Status restore_model(Database& database, ModelId id, std::string_view path,
                     std::string_view fingerprint);
Status keep_merge_result(Database& database, std::string_view work_key, ModelId model);
Result<std::optional<ModelId>> merge_result(Database& database, std::string_view work_key);

}  // namespace crucible::server::store
