#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "merger/base/io.hpp"
#include "server/service/daemon_service.hpp"
#include "server/store/attempts.hpp"

// Jobs, their events and their logs.
namespace crucible::server {
namespace {

constexpr std::size_t kMostJobs = 500;
constexpr std::size_t kMostEvents = 10'000;
constexpr std::uint64_t kLogTail = 1ULL << 20;  // bytes of log in one answer

tl::unexpected<Error> bad(const std::string& path, const std::string& message) {
  Error error{ErrorCode::kInvalidArgument, "the query cannot be used", {}};
  error.faults.push_back({path, message, ""});
  return fail(std::move(error));
}

Result<std::optional<JobId>> job_before(const std::string& cursor) {
  if (cursor.empty()) return std::nullopt;
  JobId id = 0;
  const char* last = cursor.data() + cursor.size();
  const auto [end, error] = std::from_chars(cursor.data(), last, id);
  if (error != std::errc{} || end != last || id <= 0) {
    return bad("cursor", "is not a cursor of this list");
  }
  return id;
}

// The last `limit` bytes of a file; "" when there is none.
std::string tail(const std::filesystem::path& file, std::uint64_t limit) {
  auto opened = io::File::open_read(file);
  if (!opened) return "";
  const std::uint64_t size = opened->size().value_or(0);
  const std::uint64_t first = size > limit ? size - limit : 0;
  std::string text(size - first, '\0');
  if (!opened->pread(std::as_writable_bytes(std::span(text)), first)) return "";
  return first == 0 ? text : fmt::format("[{} bytes left out]\n", first) + text;
}

}  // namespace

Result<Page<Job>> DaemonService::jobs(const JobFilter& filter) {
  if (filter.limit < 1 || filter.limit > kMostJobs) {
    return bad("limit", fmt::format("must be 1 to {}", kMostJobs));
  }
  auto before = job_before(filter.cursor);
  if (!before) return fail(std::move(before).error());
  auto found = parts_.store.read([&](store::Database& database) {
    return store::list_jobs(
        database, {filter.state, filter.kind, filter.sweep_id, *before, filter.limit + 1});
  });
  if (!found) return fail(std::move(found).error());
  Page<Job> page{std::move(*found), ""};
  if (page.items.size() > filter.limit) {
    page.items.pop_back();
    page.next_cursor = fmt::format("{}", page.items.back().id);
  }
  return page;
}

Result<Job> DaemonService::job(JobId id) {
  auto stored =
      parts_.store.read([&](store::Database& database) { return store::get_job(database, id); });
  if (!stored) return fail(std::move(stored).error());
  return std::move(stored->job);
}

Result<Job> DaemonService::cancel_job(JobId id, const access::Principal& by) {
  if (auto status = check_owner(id, by); !status) return fail(std::move(status).error());
  auto cancelled = parts_.queue.request_cancel(id);
  if (!cancelled) return cancelled;
  auto children = parts_.store.write([&](store::Database& database) -> Status {
    for (const JobId child : cancelled->children) {
      auto stored = store::get_job(database, child);
      if (!stored) return fail(std::move(stored).error());
      auto done = queue::cancel_waiting(database, stored->job, parts_.clock.now());
      if (!done) return fail(std::move(done).error());
    }
    return {};
  });
  if (!children) return fail(std::move(children).error());
  parts_.workers.wake();
  return cancelled;
}

Result<Job> DaemonService::retry_job(JobId id, const access::Principal& by) {
  if (auto status = check_owner(id, by); !status) return fail(std::move(status).error());
  auto retried = parts_.queue.retry(id);
  if (retried) parts_.workers.wake();
  return retried;
}

Result<std::string> DaemonService::job_log(JobId id) {
  auto attempts =
      parts_.store.read([&](store::Database& database) -> Result<std::vector<store::Attempt>> {
        auto stored = store::get_job(database, id);
        if (!stored) return fail(std::move(stored).error());
        return store::attempts_of(database, id);
      });
  if (!attempts) return fail(std::move(attempts).error());
  std::string log;
  for (const store::Attempt& attempt : *attempts) {
    log += fmt::format("--- attempt {}: {} ---\n", attempt.number, attempt.outcome);
    log += tail(parts_.state.root() / attempt.log_path, kLogTail / attempts->size());
    if (log.back() != '\n') log += '\n';
  }
  return log;
}

Result<std::vector<JobEvent>> DaemonService::events(JobId job, std::int64_t after,
                                                    std::size_t limit) {
  if (limit < 1 || limit > kMostEvents) {
    return bad("limit", fmt::format("must be 1 to {}", kMostEvents));
  }
  return parts_.store.read([&](store::Database& database) -> Result<std::vector<JobEvent>> {
    if (job != 0) {
      auto stored = store::get_job(database, job);
      if (!stored) return fail(std::move(stored).error());
    }
    return store::list_events(database, job, after, limit);
  });
}

Result<std::int64_t> DaemonService::last_event_id() {
  return static_cast<std::int64_t>(parts_.store.event_sequence());
}

std::uint64_t DaemonService::event_sequence() const { return parts_.store.event_sequence(); }

}  // namespace crucible::server
