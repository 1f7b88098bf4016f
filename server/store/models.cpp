#include "server/store/models.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>

#include "merger/base/json_text.hpp"
#include "nlohmann/json.hpp"
#include "server/store/near.hpp"

namespace crucible::server::store {
namespace {

constexpr std::string_view kColumns =
    "id, name, origin, digest, path, architecture, dtype, parameters, weight_bytes, created_at, "
    "merge_method, recipe, job_id, sweep_id, fingerprint, pinned_at, removed_at";

// An endpoint's fingerprint is what it was found to answer.
std::optional<EndpointModel> endpoint_from(const std::string& path, const std::string& found) {
  if (!path.starts_with(kEndpointPath)) return std::nullopt;
  const auto can = parse_untrusted_json<nlohmann::json>(found);
  EndpointModel endpoint{path.substr(kEndpointPath.size())};
  if (!can.is_object()) return endpoint;
  endpoint.prompt_logprobs = can.value("prompt_logprobs", false);
  endpoint.generation = can.value("generation", false);
  endpoint.chat = can.value("chat", false);
  return endpoint;
}

StoredModel model_from(const Row& row) {
  StoredModel stored;
  Model& model = stored.model;
  model.id = row.integer(0);
  model.name = row.text(1);
  model.origin = row.text(2);
  model.digest = row.text(3);
  model.path = row.text(4);
  model.architecture = row.text(5);
  model.dtype = row.text(6);
  model.parameters = row.unsigned_integer(7);
  model.weight_bytes = row.unsigned_integer(8);
  model.created_at = row.integer(9);
  model.merge_method = row.text(10);
  model.recipe = row.optional_text(11);
  model.job_id = row.optional_integer(12);
  model.sweep_id = row.optional_integer(13);
  stored.fingerprint = row.text(14);
  model.pinned_at = row.optional_integer(15);
  model.removed_at = row.optional_integer(16);
  model.endpoint = endpoint_from(model.path, stored.fingerprint);
  return stored;
}

ModelSummary summary_from(const Row& row) { return {row.integer(0), row.text(1)}; }

Status add_relatives(Database& database, Model& model) {
  auto parents = database.query(
      "SELECT models.id, models.name FROM model_parents JOIN models ON models.id = parent_id "
      "WHERE model_id = ? ORDER BY position",
      {model.id}, summary_from);
  if (!parents) return fail(std::move(parents).error());
  auto children = database.query(
      "SELECT models.id, models.name FROM model_parents JOIN models ON models.id = model_id "
      "WHERE parent_id = ? ORDER BY models.id",
      {model.id}, summary_from);
  if (!children) return fail(std::move(children).error());
  model.parents = std::move(*parents);
  model.children = std::move(*children);
  return {};
}

Result<std::optional<StoredModel>> find_where(Database& database, std::string_view condition,
                                              Value value) {
  auto found = database.query_one(
      fmt::format("SELECT {} FROM models WHERE {} ORDER BY id LIMIT 1", kColumns, condition),
      {std::move(value)}, model_from);
  if (found && *found) {
    if (auto status = add_relatives(database, (*found)->model); !status) {
      return fail(std::move(status).error());
    }
  }
  return found;
}

}  // namespace

Result<ModelId> insert_model(Database& database, const NewModel& added) {
  const Model& model = added.model;
  auto status = database.execute(
      "INSERT INTO models (name, origin, digest, path, fingerprint, architecture, dtype, "
      "parameters, "
      "weight_bytes, created_at, merge_method, recipe, job_id, sweep_id) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {model.name, model.origin, model.digest, model.path, added.fingerprint, model.architecture,
       model.dtype, model.parameters, model.weight_bytes, model.created_at, model.merge_method,
       model.recipe, model.job_id, model.sweep_id});
  if (!status) return fail(std::move(status).error());
  const ModelId id = database.last_insert_id();
  std::set<ModelId> seen;
  for (const ModelId parent : added.parents) {
    if (!seen.insert(parent).second) continue;
    auto linked = database.execute(
        "INSERT INTO model_parents (model_id, position, parent_id) VALUES (?, ?, ?)",
        {id, seen.size() - 1, parent});
    if (!linked) return fail(std::move(linked).error());
  }
  return id;
}

Result<std::optional<StoredModel>> find_model(Database& database, ModelId id) {
  return find_where(database, "id = ?", id);
}
Result<std::optional<StoredModel>> find_model_by_name(Database& database, std::string_view name) {
  return find_where(database, "name = ?", name);
}
Result<std::optional<StoredModel>> find_model_by_path(Database& database, std::string_view path) {
  return find_where(database, "path = ?", path);
}
Result<std::optional<StoredModel>> find_model_by_digest(Database& database,
                                                        std::string_view digest) {
  return find_where(database, "digest = ?", digest);
}

Result<StoredModel> get_model(Database& database, ModelId id) {
  auto found = find_model(database, id);
  if (!found) return fail(std::move(found).error());
  if (!*found) return fail(ErrorCode::kNotFound, fmt::format("there is no model {}", id));
  return std::move(**found);
}

Result<StoredModel> get_model(Database& database, std::string_view id_or_name) {
  ModelId id = 0;
  const auto [end, error] =
      std::from_chars(id_or_name.data(), id_or_name.data() + id_or_name.size(), id);
  if (error == std::errc{} && end == id_or_name.data() + id_or_name.size()) {
    auto found = find_model(database, id);
    if (!found || *found)
      return found ? Result<StoredModel>(std::move(**found)) : fail(found.error());
  }
  auto found = find_model_by_name(database, id_or_name);
  if (!found) return fail(std::move(found).error());
  if (*found) return std::move(**found);
  auto names = model_names(database);
  if (!names) return fail(std::move(names).error());
  return fail(ErrorCode::kNotFound, fmt::format("there is no model \"{}\"{}", id_or_name,
                                                did_you_mean(id_or_name, *names)));
}

Result<std::vector<Model>> list_models(Database& database) {
  auto stored =
      database.query(fmt::format("SELECT {} FROM models ORDER BY id", kColumns), {}, model_from);
  if (!stored) return fail(std::move(stored).error());
  struct Link {
    ModelId child;
    ModelId parent;
  };
  auto links =
      database.query("SELECT model_id, parent_id FROM model_parents ORDER BY model_id, position",
                     {}, [](const Row& row) { return Link{row.integer(0), row.integer(1)}; });
  if (!links) return fail(std::move(links).error());
  std::vector<Model> models;
  std::map<ModelId, std::size_t> place;
  for (StoredModel& entry : *stored) {
    place[entry.model.id] = models.size();
    models.push_back(std::move(entry.model));
  }
  for (const Link& link : *links) {
    Model& child = models[place.at(link.child)];
    Model& parent = models[place.at(link.parent)];
    child.parents.push_back({parent.id, parent.name});
    parent.children.push_back({child.id, child.name});
  }
  return models;
}

Result<std::vector<std::string>> model_names(Database& database) {
  return database.query("SELECT name FROM models ORDER BY name", {},
                        [](const Row& row) { return row.text(0); });
}

Result<std::string> free_model_name(Database& database, const std::string& wanted) {
  std::string name = wanted;
  for (int suffix = 2;; ++suffix) {
    auto taken = find_model_by_name(database, name);
    if (!taken) return fail(std::move(taken).error());
    if (!*taken) return name;
    name = fmt::format("{}-{}", wanted, suffix);
  }
}

Status refresh_fingerprint(Database& database, ModelId id, std::string_view fingerprint) {
  return database.execute("UPDATE models SET fingerprint = ? WHERE id = ?", {fingerprint, id});
}

Status pin_model(Database& database, ModelId id, std::optional<TimeMs> at) {
  return database.execute("UPDATE models SET pinned_at = ? WHERE id = ?", {at, id});
}

Status mark_removed(Database& database, ModelId id, TimeMs at) {
  return database.execute("UPDATE models SET removed_at = ? WHERE id = ?", {at, id});
}

Status restore_model(Database& database, ModelId id, std::string_view path,
                     std::string_view fingerprint) {
  return database.execute(
      "UPDATE models SET removed_at = NULL, path = ?, fingerprint = ? WHERE id = ?",
      {path, fingerprint, id});
}

Status keep_merge_result(Database& database, std::string_view work_key, ModelId model) {
  return database.execute(
      "INSERT INTO merge_results (work_key, model_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
      {work_key, model});
}

Result<std::optional<ModelId>> merge_result(Database& database, std::string_view work_key) {
  return database.query_one("SELECT model_id FROM merge_results WHERE work_key = ?", {work_key},
                            [](const Row& row) { return row.integer(0); });
}

}  // namespace crucible::server::store
