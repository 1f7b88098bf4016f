#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <random>
#include <string>
#include <string_view>

#include "server/http/http_server.hpp"
#include "server/http/policy.hpp"

namespace crucible::server::http {

// What all connections of one server share. Outlives them.
struct Shared {
  static std::string random_name() {
    std::random_device random;
    constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
    std::string name;
    for (int i = 0; i < 8; ++i) name += kDigits[random() % kDigits.size()];
    return name;
  }

  Shared(ServerOptions the_options, Router the_router)
      : options(std::move(the_options)),
        router(std::move(the_router)),
        handlers(std::make_unique<boost::asio::thread_pool>(options.handler_threads)) {}

  ServerOptions options;
  Router router;
  PolicyOptions policy;
  std::unique_ptr<boost::asio::thread_pool> handlers;
  // Unlike those of other runs of the program, and in order.
  std::string next_request_id() { return run_id + "-" + std::to_string(++requests); }
  const std::string run_id = random_name();
  std::atomic<std::uint64_t> requests{0};

  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> streams{0};
  std::atomic<std::size_t> queued{0};      // requests at or waiting for a handler thread
  std::atomic<std::size_t> body_bytes{0};  // reserved for bodies being read
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> rejected{0};
};

// Takes part of a shared budget for a scope; `held` says whether there was enough.
class Reservation {
 public:
  Reservation(std::atomic<std::size_t>& used, std::size_t amount, std::size_t limit)
      : used_(used), amount_(amount) {
    held_ = used_.fetch_add(amount) + amount <= limit;
    if (!held_) used_.fetch_sub(amount);
  }
  ~Reservation() {
    if (held_) used_.fetch_sub(amount_);
  }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  bool held() const { return held_; }

 private:
  std::atomic<std::size_t>& used_;
  std::size_t amount_;
  bool held_ = false;
};

}  // namespace crucible::server::http
