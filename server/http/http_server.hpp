#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/access/token_book.hpp"
#include "server/http/router.hpp"

namespace crucible::server::http {

// One finished request, for the log and for metrics.
struct AccessRecord {
  std::string remote;
  std::string method;
  std::string target;
  std::string pattern;  // of the route, "" when none matched: a bounded label
  int status = 0;
  std::uint64_t bytes = 0;
  double seconds = 0;
  std::string request_id;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 7345;  // 0 = any free one
  int listener = -1;          // a listening socket to take over; the two above only describe it
  unsigned io_threads = 2;
  unsigned handler_threads = 8;
  // Names accepted in Host. Empty: on a loopback address localhost, 127.0.0.1 and [::1]; else any.
  std::vector<std::string> allowed_hosts;
  access::TokenBook* tokens = nullptr;  // outlives the server; nullptr: everybody may everything
  std::size_t max_connections = 1024;
  std::size_t max_streams = 256;             // open event streams
  std::size_t max_queued_requests = 256;     // waiting for a handler thread; more are answered 503
  std::size_t body_memory_bytes = 64 << 20;  // of all bodies being read at once
  std::size_t header_bytes = 8 << 10;
  std::size_t header_fields = 64;
  std::chrono::milliseconds header_time{5'000};  // absolute, from the first byte
  std::chrono::milliseconds idle_time{60'000};   // between requests
  std::chrono::milliseconds body_time{10'000};   // absolute, plus size / body_bytes_per_second
  std::chrono::milliseconds write_time{10'000};  // the same for the answer
  std::size_t bytes_per_second = 16 << 10;       // slowest peer that is waited for
  std::chrono::milliseconds stream_poll{100};
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds stop_time{5'000};          // for running requests, at stop
  std::function<void(const AccessRecord&)> on_access;  // from any thread; must not block
};

// Serves a Router over HTTP/1.1. Handlers run on their own threads, never on I/O threads.
class HttpServer {
 public:
  HttpServer(ServerOptions options, Router router);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and listens, returns the port. Errors: kConflict (address in use), kPermission, kIo,
  // kInvalidArgument (address). Once.
  Result<std::uint16_t> start();
  // Accepts nothing new, lets running requests end (at most stop_time), ends event streams. Blocks.
  void stop();

  struct Counts {
    std::uint64_t connections = 0;  // open now
    std::uint64_t streams = 0;      // open now
    std::uint64_t accepted = 0;     // ever
    std::uint64_t rejected = 0;     // by policy, limits or overload
  };
  Counts counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace crucible::server::http
