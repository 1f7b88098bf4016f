#include "server/store/writer.hpp"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace crucible::server::store {
namespace {
constexpr std::size_t kLargestGroup = 64;
}

Writer::Writer(Database database) : database_(std::move(database)) {
  note_events();
  thread_ = std::thread([this] { serve(); });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Status Writer::run(Work work) {
  std::future<Status> done;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(ErrorCode::kUnavailable, "the store is closing");
    queue_.push_back({std::move(work), {}});
    done = queue_.back().done.get_future();
  }
  wake_.notify_one();
  return done.get();
}

void Writer::serve() {
  while (true) {
    std::deque<Request> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      while (!queue_.empty() && group.size() < kLargestGroup) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    commit_group(std::move(group));
  }
}

void Writer::commit_group(std::deque<Request> group) {
  std::vector<Status> outcomes;
  Status committed = healthy() ? run_group(group, outcomes)
                               : fail(ErrorCode::kIo, "the store stopped after a failed write");
  if (database_.write_failed() && healthy()) {
    healthy_ = false;
    spdlog::critical("a durable write failed; no further writes are accepted");
  }
  if (committed) {
    commits_.fetch_add(1, std::memory_order_relaxed);
    note_events();
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    group[i].done.set_value(committed ? std::move(outcomes[i]) : committed);
  }
}

Status Writer::run_group(std::deque<Request>& group, std::vector<Status>& outcomes) {
  auto transaction = Transaction::begin(database_);
  if (!transaction) return fail(std::move(transaction).error());
  for (Request& request : group) {
    Status outcome = run_one(request.work);
    // A full disk or an I/O error makes SQLite roll the whole transaction back.
    if (!database_.in_transaction()) {
      return outcome ? fail(ErrorCode::kIo, "the transaction was rolled back") : outcome;
    }
    outcomes.push_back(std::move(outcome));
  }
  return transaction->commit();
}

Status Writer::run_one(const Work& work) {
  if (auto status = database_.execute("SAVEPOINT request"); !status) return status;
  Status outcome;
  try {
    outcome = work(database_);
  } catch (const std::exception& exception) {
    outcome = fail(ErrorCode::kInternal, std::string("in a store request: ") + exception.what());
  }
  if (!database_.in_transaction()) return outcome;
  if (!outcome) (void)database_.execute("ROLLBACK TO request");
  if (auto status = database_.execute("RELEASE request"); !status) return status;
  return outcome;
}

void Writer::note_events() {
  auto last = database_.query_one("SELECT max(id) FROM job_events", {},
                                  [](const Row& row) { return row.unsigned_integer(0); });
  if (last && *last) event_sequence_.store(**last, std::memory_order_release);
}

}  // namespace crucible::server::store
