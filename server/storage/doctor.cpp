#include "server/storage/doctor.hpp"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"
#include "server/pipeline/artefact.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/storage/seal.hpp"
#include "server/store/migrator.hpp"

namespace crucible::server::storage {
namespace {

using Path = std::filesystem::path;

constexpr const char* kRestore = "restore a backup (`crucible restore`)";
constexpr const char* kCollect = "`crucible gc --apply` removes it";
constexpr std::uint64_t kLittleSpace = 64 << 20;

class Doctor {
 public:
  explicit Doctor(const pipeline::StateFolder& state) : state_(state) {}

  Result<Examination> examine() {
    look_at_permissions();
    look_at_space();
    look_at_seal();
    if (auto status = look_at_database(); !status) {
      find("the database cannot be read: " + status.error().message, state_.database().string(),
           kRestore);
    }
    out_.sqlite = sqlite3_libversion();
    out_.landlock = sandbox::landlock_version();
    if (out_.landlock == 0) {
      find("workers cannot be confined", "kernel", "use a kernel with Landlock, or `sandbox: off`");
    }
    return std::move(out_);
  }

 private:
  void find(std::string what, std::string where, std::string advice) {
    out_.findings.push_back({std::move(what), std::move(where), std::move(advice)});
  }

  void look_at_permissions() {
    for (const Path& path : {state_.root(), state_.database(), state_.root() / "token"}) {
      struct stat facts{};
      if (::stat(path.c_str(), &facts) != 0) continue;
      if ((facts.st_mode & 077U) == 0) continue;
      find("others on this machine may read it", path.string(),
           fmt::format("chmod go-rwx {}", path.string()));
    }
  }

  void look_at_space() {
    const auto free = io::free_bytes(state_.root());
    if (free && *free < kLittleSpace) {
      find("the disk is almost full", state_.root().string(),
           "make room; `crucible gc` says where");
    }
  }

  void look_at_seal() {
    if (check_seal(state_.database()) != SealVerdict::kBroken) return;
    find("it is not as the daemon left it: a bit flipped, or something else wrote to it",
         state_.database().string(), kRestore);
  }

  Status look_at_database() {
    std::error_code error;
    if (!std::filesystem::exists(state_.database(), error)) {
      return fail(ErrorCode::kNotFound, "there is none");
    }
    // As a writer: it reads a log that a killed daemon left, which a reader may not.
    auto database = store::Database::open(state_.database(), store::OpenMode::kWriter);
    if (!database) return fail(std::move(database).error());
    if (auto status = look_at_structure(*database); !status) return status;
    if (auto status = look_at_schema(*database); !status) return status;
    if (auto status = look_at_recipes(*database); !status) return status;
    if (auto status = look_at_artefacts(*database); !status) return status;
    if (auto status = look_at_rows(*database); !status) return status;
    return look_at_folders(*database);
  }

  Status look_at_structure(store::Database& database) {
    auto faults = database.query("PRAGMA integrity_check", {},
                                 [](const store::Row& row) { return row.text(0); });
    if (!faults) return fail(std::move(faults).error());
    for (const std::string& fault : *faults) {
      if (fault != "ok") find("damaged: " + fault, state_.database().string(), kRestore);
    }
    auto orphans = database.query("PRAGMA foreign_key_check", {}, [](const store::Row& row) {
      return fmt::format("{} row {}", row.text(0), row.text(1));
    });
    if (!orphans) return fail(std::move(orphans).error());
    for (const std::string& orphan : *orphans) {
      find("it refers to a row that does not exist", orphan, kRestore);
    }
    return {};
  }

  Status look_at_schema(store::Database& database) {
    auto version = database.query_one("PRAGMA user_version", {},
                                      [](const store::Row& row) { return row.integer(0); });
    if (!version) return fail(std::move(version).error());
    const auto known = static_cast<std::int64_t>(store::compiled_migrations().size());
    out_.schema = fmt::format("{} of {}", version->value_or(0), known);
    if (version->value_or(0) > known) {
      return fail(ErrorCode::kConflict, "it was written by a newer program; use that one");
    }
    if (version->value_or(0) < known) {
      return fail(ErrorCode::kConflict,
                  fmt::format("its schema is {}; start the daemon once to bring it up to date",
                              out_.schema));
    }
    return {};
  }

  // A recipe's digest is of its canonical form, a model's recipe is its job's: so a flip in one of
  // the texts shows.
  Status look_at_recipes(store::Database& database) {
    auto differing = database.query(
        "SELECT models.name FROM models JOIN jobs ON jobs.id = models.job_id "
        "WHERE models.recipe IS NOT jobs.recipe",
        {}, [](const store::Row& row) { return row.text(0); });
    if (!differing) return fail(std::move(differing).error());
    for (const std::string& name : *differing) {
      find("its recipe is not the one that its job ran", "model " + name, kRestore);
    }
    return {};
  }

  Status look_at_artefacts(store::Database& database) {
    auto files = store::artefact_files(database);
    if (!files) return fail(std::move(files).error());
    auto removed = database.query("SELECT 'models/' || digest FROM models WHERE removed_at NOTNULL",
                                  {}, [](const store::Row& row) { return row.text(0); });
    if (!removed) return fail(std::move(removed).error());
    const std::set<std::string> gone(removed->begin(), removed->end());
    std::map<std::string, std::set<std::string>> known;
    for (const store::ArtefactFile& file : *files) {
      if (gone.contains(file.folder)) continue;
      known[file.folder].insert(file.name);
      look_at_file(file);
    }
    for (const auto& [folder, names] : known) look_for_strangers(folder, names);
    return {};
  }

  void look_at_file(const store::ArtefactFile& file) {
    const Path path = state_.root() / file.folder / file.name;
    const std::string advice = file.folder.starts_with("models/")
                                   ? "submit the model's recipe again, or restore a backup"
                                   : "evaluate the model again, or restore a backup";
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      return find("a published file is missing", path.string(), advice);
    }
    auto digest = pipeline::hash_file(path);
    if (!digest) return find("unreadable: " + digest.error().message, path.string(), advice);
    ++out_.files;
    out_.bytes += file.bytes;
    if (*digest != file.digest) {
      find("it is not the file that was published", path.string(), advice);
    }
  }

  void look_for_strangers(const std::string& folder, const std::set<std::string>& names) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(state_.root() / folder, error), end;
         !error && entry != end; entry.increment(error)) {
      if (names.contains(entry->path().filename().string())) continue;
      find("nobody published it", entry->path().string(), "remove it by hand");
    }
  }

  Status look_at_rows(store::Database& database) {
    auto models = database.query(
        "SELECT name, path FROM models WHERE removed_at IS NULL AND path NOT LIKE 'endpoint:%'", {},
        [](const store::Row& row) { return std::pair(row.text(0), row.text(1)); });
    if (!models) return fail(std::move(models).error());
    std::error_code error;
    for (const auto& [name, path] : *models) {
      if (std::filesystem::is_directory(path, error) ||
          std::filesystem::is_regular_file(path, error)) {
        continue;
      }
      find("the folder of model " + name + " is missing", path,
           "bring it back, or run the model's recipe again");
    }
    auto samples =
        database.query("SELECT suite, samples_path FROM evaluations", {},
                       [](const store::Row& row) { return std::pair(row.text(0), row.text(1)); });
    if (!samples) return fail(std::move(samples).error());
    for (const auto& [suite, path] : *samples) {
      if (!std::filesystem::exists(path, error)) {
        find("the samples of an evaluation on " + suite + " are missing", path,
             "evaluate the model again, or restore a backup");
      }
    }
    return look_at_leases(database);
  }

  Status look_at_leases(store::Database& database) {
    auto open = database.query(
        "SELECT id, state FROM jobs WHERE state IN ('leased', 'running', 'publishing')", {},
        [](const store::Row& row) {
          return fmt::format("job {} ({})", row.integer(0), row.text(1));
        });
    if (!open) return fail(std::move(open).error());
    for (const std::string& job : *open) {
      find("nobody works on it any more", job, "start the daemon: it is queued again by itself");
    }
    return {};
  }

  Status look_at_folders(store::Database& database) {
    auto models = database.query("SELECT digest FROM models WHERE origin = 'merged'", {},
                                 [](const store::Row& row) { return row.text(0); });
    if (!models) return fail(std::move(models).error());
    auto keys = database.query("SELECT work_key FROM evaluations", {},
                               [](const store::Row& row) { return row.text(0); });
    if (!keys) return fail(std::move(keys).error());
    find_orphans(state_.models(), {models->begin(), models->end()});
    find_orphans(state_.evaluations(), {keys->begin(), keys->end()});
    find_orphans(state_.staging(), {});
    return {};
  }

  void find_orphans(const Path& folder, const std::set<std::string>& known) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      if (known.contains(entry->path().filename().string())) continue;
      find("no row refers to it", entry->path().string(), kCollect);
    }
  }

  const pipeline::StateFolder& state_;
  Examination out_;
};

}  // namespace

Result<Examination> examine(const pipeline::StateFolder& state) { return Doctor(state).examine(); }

}  // namespace crucible::server::storage
