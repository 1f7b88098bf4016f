#include "server/storage/backup.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"
#include "server/pipeline/artefact.hpp"
#include "server/store/migrator.hpp"
#include "server/store/models.hpp"

namespace crucible::server::storage {
namespace {

using nlohmann::json;
using Path = std::filesystem::path;

constexpr int kFormat = 1;
constexpr std::uint64_t kLargestManifest = 256 << 20;
constexpr const char* kDatabase = "crucible.db";

Status from(const std::error_code& error, const Path& path) {
  return fail(from_errno(error.value(), path.string()));
}

// A copy that is on disk when this returns.
Status copy_durably(const Path& source, const Path& target) {
  std::error_code error;
  std::filesystem::copy_file(source, target, error);
  if (error) return from(error, target);
  auto file = io::File::open_write(target);
  if (!file) return fail(std::move(file).error());
  if (auto status = file->sync(); !status) return status;
  return file->close();
}

// What lies in the folder of one backup or restore until it is whole; removed if it never is.
class Unfinished {
 public:
  explicit Unfinished(const Path& target)
      : target_(target), path_(fmt::format("{}.partial-{}", target.string(), ::getpid())) {}
  ~Unfinished() {
    std::error_code ignored;
    if (!done_) std::filesystem::remove_all(path_, ignored);
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  const Path& path() const { return path_; }
  Status publish() {
    if (auto status = sync_folders(); !status) return status;
    auto status = io::publish_folder(path_, target_);
    done_ = status.has_value();
    return status;
  }

 private:
  Status sync_folders() const {
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator entry(path_, error), end;
         !error && entry != end; entry.increment(error)) {
      if (!entry->is_directory(error)) continue;
      if (auto status = io::sync_folder(entry->path()); !status) return status;
    }
    if (error) return from(error, path_);
    return io::sync_folder(path_);
  }

  Path target_;
  Path path_;
  bool done_ = false;
};

struct Snapshot {
  std::vector<store::ArtefactFile> artefacts;
  std::int64_t last_event = 0;
  std::int64_t schema = 0;
};

Result<std::int64_t> number(store::Database& database, std::string_view sql) {
  auto value = database.query_one(sql, {}, [](const store::Row& row) { return row.integer(0); });
  if (!value) return fail(std::move(value).error());
  return value->value_or(0);
}

Status check_copy(store::Database& database) {
  auto verdict = database.query_one("PRAGMA integrity_check(1)", {},
                                    [](const store::Row& row) { return row.text(0); });
  if (!verdict) return fail(std::move(verdict).error());
  if (verdict->value_or("") == "ok") return {};
  return fail(ErrorCode::kCorrupt, "the database's copy is damaged: " + verdict->value_or("?"));
}

// Opens the copy, checks it, reads what it names, and leaves no log beside it.
Result<Snapshot> examine_copy(const Path& file) {
  auto copy = store::Database::open(file, store::OpenMode::kWriter);
  if (!copy) return fail(std::move(copy).error());
  if (auto status = check_copy(*copy); !status) return fail(std::move(status).error());
  Snapshot snapshot;
  auto artefacts = store::artefact_files(*copy);
  if (!artefacts) return fail(std::move(artefacts).error());
  snapshot.artefacts = std::move(*artefacts);
  auto event = number(*copy, "SELECT coalesce(max(id), 0) FROM job_events");
  if (!event) return fail(std::move(event).error());
  snapshot.last_event = *event;
  auto schema = number(*copy, "PRAGMA user_version");
  if (!schema) return fail(std::move(schema).error());
  snapshot.schema = *schema;
  if (auto status = copy->execute_script("PRAGMA journal_mode=DELETE;"); !status) {
    return fail(std::move(status).error());
  }
  return snapshot;
}

json entry_of(const std::string& name, std::uint64_t bytes, const std::string& digest) {
  return {{"path", name}, {"bytes", bytes}, {"sha256", digest}};
}

Status copy_artefacts(const Path& state, const Path& target, const Snapshot& snapshot,
                      bool with_models, json& files) {
  std::set<std::string> folders;
  for (const store::ArtefactFile& file : snapshot.artefacts) {
    if (!with_models && file.folder.starts_with("models/")) continue;
    if (folders.insert(file.folder).second) {
      if (auto status = io::make_folders(target / file.folder); !status) return status;
    }
    const Path source = state / file.folder / file.name;
    std::error_code error;
    if (!std::filesystem::exists(source, error)) continue;  // removed since: restore says so
    const Path copy = target / file.folder / file.name;
    if (auto status = copy_durably(source, copy); !status) return status;
    auto digest = pipeline::hash_file(copy);
    if (!digest) return fail(std::move(digest).error());
    if (*digest != file.digest) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("{} is not the file that was published; run `crucible doctor`",
                              source.string()));
    }
    files.push_back(entry_of(file.folder + "/" + file.name, file.bytes, file.digest));
  }
  return {};
}

Result<json> read_manifest(const Path& backup) {
  auto text = io::read_text(backup / "manifest.json", kLargestManifest);
  if (!text) return fail(std::move(text).error().with_context("this is no backup"));
  auto manifest = parse_untrusted_json<json>(*text);
  const auto is_file = [](const json& file) {
    return file.is_object() && file.value("path", json()).is_string() &&
           file.value("sha256", json()).is_string();
  };
  const bool usable = manifest.is_object() && manifest.value("format", json()) == kFormat &&
                      manifest.value("schema", json()).is_number_integer() &&
                      manifest.value("files", json()).is_array() &&
                      std::ranges::all_of(manifest["files"], is_file);
  if (!usable) return fail(ErrorCode::kCorrupt, "manifest.json is not one of this program's");
  if (manifest["schema"].get<std::int64_t>() >
      static_cast<std::int64_t>(store::compiled_migrations().size())) {
    return fail(ErrorCode::kConflict,
                "the backup was made by a newer program; restore it with that one");
  }
  return manifest;
}

bool is_plain(const std::string& path) {
  const Path parts(path);
  return !path.empty() && parts.is_relative() &&
         std::ranges::none_of(parts, [](const Path& part) { return part == ".."; });
}

Status restore_file(const Path& backup, const Path& target, const json& file) {
  const std::string name = file.value("path", "");
  if (!is_plain(name)) return fail(ErrorCode::kCorrupt, "manifest.json names " + name);
  if (auto status = io::make_folders((target / name).parent_path()); !status) return status;
  if (auto status = copy_durably(backup / name, target / name); !status) return status;
  auto digest = pipeline::hash_file(target / name);
  if (!digest) return fail(std::move(digest).error());
  if (*digest == file.value("sha256", "")) return {};
  return fail(ErrorCode::kCorrupt,
              fmt::format("{} is not the file that was backed up", (backup / name).string()));
}

// Paths of artefacts are absolute in the database: they follow the state to `state`, where what
// lies in `files` will be.
Result<std::int64_t> move_paths(store::Database& database, const Path& files, const Path& state,
                                TimeMs now) {
  struct Placed {
    ModelId id;
    std::string digest;
  };
  auto merged =
      database.query("SELECT id, digest FROM models WHERE origin = 'merged'", {},
                     [](const store::Row& row) { return Placed{row.integer(0), row.text(1)}; });
  if (!merged) return fail(std::move(merged).error());
  std::int64_t missing = 0;
  for (const Placed& model : *merged) {
    const Path folder = state / "models" / model.digest;
    auto status =
        database.execute("UPDATE models SET path = ? WHERE id = ?", {folder.string(), model.id});
    if (!status) return fail(std::move(status).error());
    std::error_code error;
    if (std::filesystem::is_directory(files / "models" / model.digest, error)) {
      auto fingerprint = pipeline::folder_fingerprint(files / "models" / model.digest);
      if (!fingerprint) return fail(std::move(fingerprint).error());
      status = store::restore_model(database, model.id, folder.string(), *fingerprint);
    } else {
      ++missing;
      status = store::mark_removed(database, model.id, now);
    }
    if (!status) return fail(std::move(status).error());
  }
  auto status =
      database.execute("UPDATE evaluations SET samples_path = ? || work_key || '/samples.jsonl'",
                       {(state / "evaluations").string() + "/"});
  if (!status) return fail(std::move(status).error());
  return missing;
}

// Brings the copied database up to this program's schema and its new place.
Result<std::int64_t> adopt_database(const Path& files, const Path& state, TimeMs now) {
  auto database = store::Database::open(files / kDatabase, store::OpenMode::kWriter);
  if (!database) return fail(std::move(database).error());
  auto migrated = store::migrate(*database, store::compiled_migrations());
  if (!migrated) return fail(std::move(migrated).error());
  if (auto status = check_copy(*database); !status) return fail(std::move(status).error());
  auto transaction = store::Transaction::begin(*database);
  if (!transaction) return fail(std::move(transaction).error());
  auto missing = move_paths(*database, files, state, now);
  if (!missing) return missing;
  if (auto status = transaction->commit(); !status) return fail(std::move(status).error());
  return missing;
}

}  // namespace

Result<BackupReport> back_up(store::Store& store, const Path& state, const Path& folder,
                             bool with_models) {
  const Path target = std::filesystem::absolute(folder).lexically_normal();
  std::error_code error;
  if (std::filesystem::exists(target, error)) {
    return fail(ErrorCode::kConflict,
                target.string() + " exists; a backup goes into a folder of its own");
  }
  Unfinished work(target);
  if (auto status = io::make_folders(work.path()); !status) return fail(std::move(status).error());
  const Path copy = work.path() / kDatabase;
  auto copied = store.read([&](store::Database& database) { return database.copy_to(copy); });
  if (!copied) return fail(std::move(copied).error());
  auto snapshot = examine_copy(copy);
  if (!snapshot) return fail(std::move(snapshot).error());
  auto digest = pipeline::hash_file(copy);
  if (!digest) return fail(std::move(digest).error());
  json files = json::array({entry_of(kDatabase, std::filesystem::file_size(copy, error), *digest)});
  if (auto status = copy_artefacts(state, work.path(), *snapshot, with_models, files); !status) {
    return fail(std::move(status).error());
  }
  BackupReport report{target, files.size(), 0, snapshot->last_event};
  for (const json& file : files) report.bytes += file.at("bytes").get<std::uint64_t>();
  const json manifest = {{"format", kFormat},          {"version", CRUCIBLE_VERSION},
                         {"schema", snapshot->schema}, {"last_event", snapshot->last_event},
                         {"with_models", with_models}, {"files", std::move(files)}};
  if (auto status = io::write_new_file(work.path() / "manifest.json", manifest.dump(1) + "\n");
      !status) {
    return fail(std::move(status).error());
  }
  if (auto status = work.publish(); !status) return fail(std::move(status).error());
  return report;
}

Result<RestoreReport> restore(const Path& backup, const Path& state, TimeMs now) {
  const Path target = std::filesystem::absolute(state).lexically_normal();
  std::error_code error;
  if (std::filesystem::exists(target, error) && !std::filesystem::is_empty(target, error)) {
    return fail(ErrorCode::kConflict, target.string() + " is not empty; restore into a new folder");
  }
  auto manifest = read_manifest(backup);
  if (!manifest) return fail(std::move(manifest).error());
  Unfinished work(target);
  RestoreReport report;
  for (const json& file : (*manifest)["files"]) {
    if (auto status = restore_file(backup, work.path(), file); !status) {
      return fail(std::move(status).error());
    }
    ++report.files;
  }
  auto missing = adopt_database(work.path(), target, now);
  if (!missing) return fail(std::move(missing).error());
  std::filesystem::remove(target, error);  // an empty one
  if (auto status = work.publish(); !status) return fail(std::move(status).error());
  report.models_without_files = *missing;
  return report;
}

}  // namespace crucible::server::storage
