#include "server/http/http_server.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "server/http/connection.hpp"

namespace crucible::server::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Beyond the cap this many more are told so; further ones are just closed.
constexpr std::size_t kRefusals = 64;

Error bind_error(const boost::system::error_code& error, const ServerOptions& options) {
  const std::string where = options.address + " port " + std::to_string(options.port);
  if (error == asio::error::address_in_use) {
    return {ErrorCode::kConflict, where + " is in use by another process", {}};
  }
  return from_errno(error.value(), "listening on " + where);
}

bool is_exhaustion(const boost::system::error_code& error) {
  return error == boost::system::errc::too_many_files_open ||
         error == boost::system::errc::too_many_files_open_in_system ||
         error == boost::system::errc::no_buffer_space ||
         error == boost::system::errc::not_enough_memory;
}

}  // namespace

struct HttpServer::Impl {
  Impl(ServerOptions options, Router router)
      : shared(std::move(options), std::move(router)), acceptor(asio::make_strand(io)) {}

  Result<std::uint16_t> start();
  void listen(const tcp::endpoint& endpoint, boost::system::error_code& error);
  void stop();
  asio::awaitable<void> accept();
  void admit(tcp::socket socket);
  void forget(Connection* connection);

  Shared shared;
  std::mutex mutex;
  std::condition_variable ended;
  std::unordered_set<Connection*> open;  // under mutex
  bool started = false;
  // Destroyed first: coroutines still suspended in it refer to the members above.
  asio::io_context io;
  tcp::acceptor acceptor;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::vector<std::thread> threads;
};

Result<std::uint16_t> HttpServer::Impl::start() {
  boost::system::error_code error;
  const ServerOptions& options = shared.options;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument, "`" + options.address + "` is not an IP address");
  }
  shared.policy.max_fields = options.header_fields;
  shared.policy.allowed_hosts = options.allowed_hosts;
  if (address.is_loopback() && options.allowed_hosts.empty()) {
    shared.policy.allowed_hosts = {"localhost", "127.0.0.1", "[::1]"};
  }
  const tcp::endpoint endpoint(address, options.port);
  if (options.listener >= 0) {
    acceptor.assign(endpoint.protocol(), options.listener, error);
  } else {
    listen(endpoint, error);
  }
  if (error) return fail(bind_error(error, options));
  started = true;
  work.emplace(io.get_executor());
  asio::co_spawn(acceptor.get_executor(), accept(), [](const std::exception_ptr&) {});
  for (unsigned i = 0; i < std::max(1U, options.io_threads); ++i) {
    threads.emplace_back([this] { io.run(); });
  }
  return acceptor.local_endpoint(error).port();
}

void HttpServer::Impl::listen(const tcp::endpoint& endpoint, boost::system::error_code& error) {
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
}

asio::awaitable<void> HttpServer::Impl::accept() {
  constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
  asio::steady_timer pause(acceptor.get_executor());
  while (!shared.stopping) {
    auto [error, socket] =
        co_await acceptor.async_accept(asio::any_io_executor(asio::make_strand(io)), kToken);
    if (shared.stopping) co_return;
    if (!error) {
      admit(std::move(socket));
      continue;
    }
    // Out of descriptors: the pending connection stays in the backlog, so trying at once would
    // spin.
    const bool wait = is_exhaustion(error);
    pause.expires_after(std::chrono::milliseconds(wait ? 100 : 1));
    co_await pause.async_wait(kToken);
  }
}

void HttpServer::Impl::admit(tcp::socket socket) {
  ++shared.accepted;
  const std::size_t count = ++shared.connections;
  if (count > shared.options.max_connections) {
    if (count > shared.options.max_connections + kRefusals) {
      --shared.connections;
      ++shared.rejected;
      return;
    }
    refuse_connection(std::move(socket), shared, [this] { --shared.connections; });
    return;
  }
  const std::lock_guard lock(mutex);
  const auto connection = serve_connection(std::move(socket), shared,
                                           [this](Connection* ended_one) { forget(ended_one); });
  open.insert(connection.get());
}

void HttpServer::Impl::forget(Connection* connection) {
  {
    const std::lock_guard lock(mutex);
    open.erase(connection);
  }
  --shared.connections;
  ended.notify_all();
}

void HttpServer::Impl::stop() {
  if (!started) return;
  started = false;
  shared.stopping = true;
  asio::post(acceptor.get_executor(), [this] {
    boost::system::error_code ignored;
    acceptor.close(ignored);
  });
  {
    std::unique_lock lock(mutex);
    for (Connection* connection : open) connection->stop();
    ended.wait_for(lock, shared.options.stop_time, [this] { return open.empty(); });
  }
  shared.handlers->stop();  // those that run end; those that wait are dropped
  shared.handlers->join();
  work.reset();
  io.stop();
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  shared.handlers.reset();  // what was dropped refers to `io`
}

HttpServer::HttpServer(ServerOptions options, Router router)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(router))) {}
HttpServer::~HttpServer() { stop(); }

Result<std::uint16_t> HttpServer::start() { return impl_->start(); }
void HttpServer::stop() { impl_->stop(); }

HttpServer::Counts HttpServer::counts() const {
  return {impl_->shared.connections, impl_->shared.streams, impl_->shared.accepted,
          impl_->shared.rejected};
}

}  // namespace crucible::server::http
