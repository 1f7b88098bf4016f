#include <utility>

#include "server/service/daemon_service.hpp"
#include "server/storage/backup.hpp"
#include "server/storage/garbage.hpp"

// The state folder: what is in it, what may go, copies of it.
namespace crucible::server {

Result<Model> DaemonService::pin_model(const std::string& id_or_name, bool pinned) {
  return parts_.store.write([&](store::Database& database) -> Result<Model> {
    auto stored = store::get_model(database, id_or_name);
    if (!stored) return fail(std::move(stored).error());
    const ModelId id = stored->model.id;
    if (pinned != stored->model.pinned_at.has_value()) {
      auto status =
          store::pin_model(database, id, pinned ? std::optional(parts_.clock.now()) : std::nullopt);
      if (!status) return fail(std::move(status).error());
    }
    auto after = store::get_model(database, id);
    if (!after) return fail(std::move(after).error());
    return std::move(after->model);
  });
}

Result<StorageUsage> DaemonService::storage() { return storage::usage(parts_.state); }

Result<std::vector<GarbageItem>> DaemonService::garbage(const GarbageRules& rules, bool apply) {
  const auto collect = apply ? storage::collect_garbage : storage::find_garbage;
  return collect(parts_.store, parts_.state, rules, true, parts_.clock.now());
}

Result<BackupInfo> DaemonService::back_up(const std::string& folder, bool with_models) {
  if (!std::filesystem::path(folder).is_absolute()) {
    Error error{ErrorCode::kInvalidArgument, "the backup cannot be made", {}};
    error.faults.push_back({"folder", "must be an absolute path on the daemon's machine", ""});
    return fail(std::move(error));
  }
  auto report = storage::back_up(parts_.store, parts_.state.root(), folder, with_models);
  if (!report) return fail(std::move(report).error());
  return BackupInfo{report->folder.string(), report->files, report->bytes, report->last_event};
}

}  // namespace crucible::server
