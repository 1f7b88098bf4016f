#include <map>
#include <mutex>

#include "merger/base/digest.hpp"
#include "server/api/request_reader.hpp"
#include "server/api/resources.hpp"
#include "server/http/problem.hpp"

namespace crucible::server::api {
namespace {

constexpr std::size_t kMostKept = 32;  // boards, each of another query

struct Rendered {
  std::string body;
  std::string etag;
};

// Boards as they were sent, for as long as nothing that they are made of changes. Thread-safe.
class BoardCache {
 public:
  std::shared_ptr<const Rendered> find(const std::string& version, const std::string& query) {
    const std::lock_guard lock(mutex_);
    if (version != version_) return nullptr;
    const auto found = boards_.find(query);
    return found == boards_.end() ? nullptr : found->second;
  }
  void keep(const std::string& version, const std::string& query,
            std::shared_ptr<const Rendered> board) {
    const std::lock_guard lock(mutex_);
    if (version != version_ || boards_.size() >= kMostKept) boards_.clear();
    version_ = version;
    boards_[query] = std::move(board);
  }

 private:
  std::mutex mutex_;
  std::string version_;
  std::map<std::string, std::shared_ptr<const Rendered>> boards_;
};

http::Response response_of(const Rendered& board) {
  http::Response response;
  response.content_type = "application/json";
  response.body = board.body;
  response.set("ETag", board.etag);
  response.set("Cache-Control", "no-cache");
  return response;
}

http::Response leaderboard(Service& service, BoardCache& cache, const http::Request& request) {
  QueryReader query(request);
  LeaderboardQuery wanted;
  const std::string sort = query.text("sort");
  if (!sort.empty()) wanted.sort = sort;
  // Scores fall by default, names rise.
  const std::string order = query.choice("order", {"asc", "desc"});
  wanted.descending = order.empty() ? wanted.sort != "name" : order == "desc";
  wanted.merge_method = query.text("method");
  wanted.suites = query.list("suites");
  if (auto refusal = query.finish()) return std::move(*refusal);
  // Read before the board: what changes in between makes the kept board newer than its version,
  // never older.
  const auto version = service.board_version();
  if (!version) return http::problem(version.error());
  if (const auto kept = cache.find(*version, request.target)) return response_of(*kept);
  const auto board = service.leaderboard(wanted);
  if (!board) return http::request_problem(board.error());
  auto rendered = std::make_shared<Rendered>();
  rendered->body = dump(to_json(*board));
  rendered->etag = "\"" + sha256(rendered->body).hex().substr(0, 32) + "\"";
  cache.keep(*version, request.target, rendered);
  return response_of(*rendered);
}

}  // namespace

void add_leaderboard(http::Router& router, Service& service) {
  router.add("GET", path_of("/leaderboard"), http::Role::kRead,
             [&service, cache = std::make_shared<BoardCache>()](const http::Request& request) {
               return leaderboard(service, *cache, request);
             });
}

}  // namespace crucible::server::api
