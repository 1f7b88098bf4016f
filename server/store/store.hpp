#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <type_traits>
#include <vector>

#include "server/store/sqlite.hpp"
#include "server/store/writer.hpp"

// The daemon's durable state: one writer, a few readers that each see one consistent snapshot.
namespace crucible::server::store {

// Read-only connections, lent one caller at a time.
class ReaderPool {
 public:
  static Result<std::unique_ptr<ReaderPool>> open(const std::filesystem::path& file,
                                                  std::size_t connections);
  // Runs `work` inside a read transaction.
  Status run(const std::function<Status(Database&)>& work);

 private:
  std::unique_ptr<Database> take();
  void give_back(std::unique_ptr<Database> database);

  std::mutex mutex_;
  std::condition_variable free_;
  std::vector<std::unique_ptr<Database>> idle_;
};

// Thread-safe.
class Store {
 public:
  // Opens or creates the file, checks it (quick_check, foreign_key_check), brings its schema up to
  // date. kCorrupt when the check finds damage.
  static Result<std::unique_ptr<Store>> open(const std::filesystem::path& file,
                                             std::size_t readers = 4);

  // `work` is called with a Database& and returns Result<T>; write() returns after the commit.
  template <typename Work>
  auto write(Work&& work) -> std::invoke_result_t<Work, Database&> {
    return through([this](auto step) { return writer_->run(std::move(step)); },
                   std::forward<Work>(work));
  }
  template <typename Work>
  auto read(Work&& work) -> std::invoke_result_t<Work, Database&> {
    return through([this](const auto& step) { return readers_->run(step); },
                   std::forward<Work>(work));
  }

  std::uint64_t event_sequence() const { return writer_->event_sequence(); }
  bool healthy() const { return writer_->healthy(); }
  std::uint64_t commits() const { return writer_->commits(); }

 private:
  Store() = default;

  // Carries a Result<T> through a runner that only knows Status.
  template <typename Runner, typename Work>
  static auto through(Runner&& runner, Work&& work) -> std::invoke_result_t<Work, Database&> {
    using Outcome = std::invoke_result_t<Work, Database&>;
    if constexpr (std::is_same_v<Outcome, Status>) {
      return runner(std::function<Status(Database&)>(std::ref(work)));
    } else {
      Outcome outcome = fail(ErrorCode::kInternal, "the store did not run the request");
      const Status status =
          runner(std::function<Status(Database&)>([&](Database& database) -> Status {
            outcome = work(database);
            if (!outcome) return fail(outcome.error());
            return {};
          }));
      if (!status) return fail(status.error());
      return outcome;
    }
  }

  std::unique_ptr<Writer> writer_;  // closed last: its close is the final checkpoint
  std::unique_ptr<ReaderPool> readers_;
};

}  // namespace crucible::server::store
