#include "server/storage/garbage.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "merger/base/io.hpp"
#include "server/store/artefacts.hpp"
#include "server/store/models.hpp"

namespace crucible::server::storage {
namespace {

using Path = std::filesystem::path;

constexpr TimeMs kGraceMs = 3'600'000;

std::uint64_t size_of(const Path& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) return std::filesystem::file_size(path, error);
  std::uint64_t bytes = 0;
  for (std::filesystem::recursive_directory_iterator entry(path, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (entry->is_regular_file(gone) && !entry->is_symlink(gone)) bytes += entry->file_size(gone);
  }
  return bytes;
}

TimeMs changed_at(const Path& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(system).count();
}

std::vector<Path> entries(const Path& folder) {
  std::vector<Path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    found.push_back(entry->path());
  }
  std::ranges::sort(found);
  return found;
}

// What the database says must stay.
struct Known {
  std::set<std::string> model_folders;       // names below models/
  std::set<std::string> evaluation_folders;  // names below evaluations/
  std::set<std::string> open_attempts;       // names below staging/
  std::set<std::string> kept_logs;           // names below logs/
};

Result<std::set<std::string>> names(store::Database& database, std::string_view sql,
                                    std::initializer_list<store::Value> values = {}) {
  auto rows = database.query(sql, values, [](const store::Row& row) { return row.text(0); });
  if (!rows) return fail(std::move(rows).error());
  return std::set<std::string>(rows->begin(), rows->end());
}

Result<Known> read_known(store::Database& database, TimeMs logs_from) {
  Known known;
  struct Query {
    std::set<std::string>& into;
    std::string_view sql;
  };
  const std::vector<Query> queries = {
      {known.model_folders,
       "SELECT digest FROM models WHERE origin = 'merged' AND removed_at IS NULL"},
      {known.evaluation_folders, "SELECT work_key FROM evaluations"},
      {known.open_attempts,
       "SELECT id || '.' || attempt FROM jobs WHERE state IN ('leased', 'running', 'publishing')"}};
  for (const Query& query : queries) {
    auto found = names(database, query.sql);
    if (!found) return fail(std::move(found).error());
    query.into = std::move(*found);
  }
  auto logs = names(database,
                    "SELECT attempts.job_id || '.' || attempts.attempt || '.log' FROM attempts "
                    "JOIN jobs ON jobs.id = job_id WHERE jobs.finished_at IS NULL OR "
                    "jobs.finished_at >= ?",
                    {logs_from});
  if (!logs) return fail(std::move(logs).error());
  known.kept_logs = std::move(*logs);
  return known;
}

// Why the files of a model must stay; "" = they may go.
Result<std::string> needed_by(store::Database& database, const Model& model) {
  if (model.pinned_at) return "it is pinned";
  auto job = database.query_one(
      "SELECT jobs.id FROM jobs LEFT JOIN job_inputs ON job_inputs.job_id = jobs.id "
      "WHERE jobs.finished_at IS NULL AND (jobs.model_id = ? OR job_inputs.model_id = ?) LIMIT 1",
      {model.id, model.id}, [](const store::Row& row) { return row.integer(0); });
  if (!job) return fail(std::move(job).error());
  if (*job) return fmt::format("job {} uses it", **job);
  return "";
}

GarbageItem item_of(const Model& model, std::string reason) {
  return {model.path, size_of(model.path), std::move(reason), model.id};
}

// The models that the rules name. One that must stay is an error: the caller asked for it.
Result<std::vector<GarbageItem>> named_models(store::Database& database,
                                              const GarbageRules& rules) {
  std::vector<GarbageItem> items;
  Error error{ErrorCode::kConflict, "these models cannot be removed", {}};
  for (std::size_t i = 0; i < rules.models.size(); ++i) {
    const std::string path = fmt::format("models[{}]", i);
    auto stored = store::get_model(database, rules.models[i]);
    if (!stored) return fail(std::move(stored).error());
    const Model& model = stored->model;
    if (model.removed_at) continue;
    auto reason = needed_by(database, model);
    if (!reason) return fail(std::move(reason).error());
    if (model.origin != "merged") {
      error.faults.push_back({path, "was registered: its files are not Crucible's", ""});
    } else if (!reason->empty()) {
      error.faults.push_back({path, *reason, ""});
    } else {
      items.push_back(item_of(model, "named"));
    }
  }
  if (!error.faults.empty()) return fail(std::move(error));
  return items;
}

Result<std::set<std::string>> best_digests(store::Database& database, std::size_t keep) {
  return names(database,
               "SELECT DISTINCT model_digest FROM (SELECT model_digest, row_number() OVER "
               "(PARTITION BY suite ORDER BY score DESC, id) AS place FROM evaluations) "
               "WHERE place <= ?",
               {keep});
}

Result<std::vector<GarbageItem>> old_models(store::Database& database, const GarbageRules& rules,
                                            TimeMs now) {
  std::vector<GarbageItem> items;
  if (!rules.older_than_ms) return items;
  auto best = best_digests(database, rules.keep_best);
  if (!best) return fail(std::move(best).error());
  auto models = store::list_models(database);
  if (!models) return fail(std::move(models).error());
  for (const Model& model : *models) {
    const bool is_old = model.created_at <= now - *rules.older_than_ms;
    if (model.origin != "merged" || model.removed_at || !is_old || best->contains(model.digest)) {
      continue;
    }
    auto reason = needed_by(database, model);
    if (!reason) return fail(std::move(reason).error());
    if (reason->empty()) items.push_back(item_of(model, "old, and not among the best of a suite"));
  }
  return items;
}

void add_unknown(const Path& folder, const std::set<std::string>& known, TimeMs newest,
                 std::string_view reason, std::vector<GarbageItem>& items) {
  for (const Path& path : entries(folder)) {
    if (known.contains(path.filename().string()) || changed_at(path) > newest) continue;
    items.push_back({path.string(), size_of(path), std::string(reason), 0});
  }
}

// Files of the cache, the longest unused first, until it fits.
void add_cache(const Path& cache, std::uint64_t most, std::vector<GarbageItem>& items) {
  struct Kept {
    TimeMs at;
    Path path;
    std::uint64_t bytes;
  };
  std::vector<Kept> files;
  std::uint64_t total = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(cache, error), end;
       !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_regular_file(gone) || entry->is_symlink(gone)) continue;
    files.push_back({changed_at(entry->path()), entry->path(), entry->file_size(gone)});
    total += files.back().bytes;
  }
  std::ranges::sort(files, {}, &Kept::at);
  for (const Kept& file : files) {
    if (total <= most) break;
    items.push_back({file.path.string(), file.bytes, "the cache is above its quota", 0});
    total -= file.bytes;
  }
}

Result<std::vector<GarbageItem>> model_garbage(store::Database& database, const GarbageRules& rules,
                                               TimeMs now) {
  auto items = named_models(database, rules);
  if (!items) return items;
  auto old = old_models(database, rules, now);
  if (!old) return old;
  for (GarbageItem& item : *old) {
    const bool known = std::ranges::any_of(
        *items, [&](const GarbageItem& other) { return other.model_id == item.model_id; });
    if (!known) items->push_back(std::move(item));
  }
  return items;
}

Result<std::vector<GarbageItem>> loose_garbage(store::Database& database,
                                               const pipeline::StateFolder& state,
                                               const GarbageRules& rules, bool live, TimeMs now) {
  auto known = read_known(database, now - rules.log_age_ms);
  if (!known) return fail(std::move(known).error());
  const TimeMs newest = live ? now - kGraceMs : now + kGraceMs;
  std::vector<GarbageItem> items;
  add_unknown(state.models(), known->model_folders, newest, "no model has these files", items);
  add_unknown(state.evaluations(), known->evaluation_folders, newest,
              "no evaluation has these files", items);
  add_unknown(state.staging(), known->open_attempts, newest, "left by an attempt that is over",
              items);
  add_unknown(state.root() / "trash", {}, now + kGraceMs, "removed before", items);
  add_unknown(state.root() / "logs", known->kept_logs, now - rules.log_age_ms,
              "the job ended long ago", items);
  if (rules.cache_bytes) add_cache(state.root() / "cache", *rules.cache_bytes, items);
  return items;
}

// Out of sight first, by one rename; then away.
Status remove_to_trash(const pipeline::StateFolder& state, const Path& path) {
  const Path trash = state.root() / "trash";
  Path doomed = path;
  if (path.parent_path() != trash) {
    if (auto status = io::make_folders(trash); !status) return status;
    doomed = trash /
             fmt::format("{}-{}", path.parent_path().filename().string(), path.filename().string());
    std::error_code ignored;
    std::filesystem::remove_all(doomed, ignored);  // of the same name, removed before
    if (io::system().rename(path.c_str(), doomed.c_str()) != 0) {
      return errno == ENOENT ? Status() : fail(from_errno(errno, path.string()));
    }
  }
  std::error_code error;
  std::filesystem::remove_all(doomed, error);
  if (error) return fail(from_errno(error.value(), doomed.string()));
  return {};
}

}  // namespace

Result<std::vector<GarbageItem>> find_garbage(store::Store& store,
                                              const pipeline::StateFolder& state,
                                              const GarbageRules& rules, bool live, TimeMs now) {
  return store.read([&](store::Database& database) -> Result<std::vector<GarbageItem>> {
    auto items = model_garbage(database, rules, now);
    if (!items) return items;
    auto loose = loose_garbage(database, state, rules, live, now);
    if (!loose) return loose;
    std::ranges::move(*loose, std::back_inserter(*items));
    return items;
  });
}

Result<std::vector<GarbageItem>> collect_garbage(store::Store& store,
                                                 const pipeline::StateFolder& state,
                                                 const GarbageRules& rules, bool live, TimeMs now) {
  // Decided and marked in one transaction: no job can begin to use a model in between.
  auto items = store.write([&](store::Database& database) -> Result<std::vector<GarbageItem>> {
    auto models = model_garbage(database, rules, now);
    if (!models) return models;
    for (const GarbageItem& item : *models) {
      if (auto status = store::mark_removed(database, item.model_id, now); !status) {
        return fail(std::move(status).error());
      }
      const std::string folder = "models/" + Path(item.path).filename().string();
      if (auto status = store::forget_artefact(database, folder); !status) {
        return fail(std::move(status).error());
      }
    }
    return models;
  });
  if (!items) return items;
  auto loose = store.read(
      [&](store::Database& database) { return loose_garbage(database, state, rules, live, now); });
  if (!loose) return loose;
  // What was marked a moment ago is now unknown too; once is enough.
  for (GarbageItem& item : *loose) {
    const bool known = std::ranges::any_of(
        *items, [&](const GarbageItem& other) { return other.path == item.path; });
    if (!known) items->push_back(std::move(item));
  }
  for (const GarbageItem& item : *items) {
    if (auto status = remove_to_trash(state, item.path); !status) {
      return fail(std::move(status).error());
    }
    spdlog::info("removed {}: {}", item.path, item.reason);
  }
  return items;
}

StorageUsage usage(const pipeline::StateFolder& state) {
  StorageUsage found;
  for (const char* area : {"models", "evaluations", "cache", "logs", "staging", "trash"}) {
    found.areas.emplace_back(area, size_of(state.root() / area));
  }
  std::uint64_t database = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    database += size_of(state.database().string() + suffix);
  }
  found.areas.emplace_back("database", database);
  found.free_bytes = io::free_bytes(state.root()).value_or(0);
  return found;
}

}  // namespace crucible::server::storage
