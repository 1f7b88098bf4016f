#include "server/app/service_manager.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace crucible::server::app {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::chrono::milliseconds kLongestAnswer{5'000};

// The daemon's own address as one that can be connected to.
asio::ip::address reachable(const std::string& text) {
  boost::system::error_code error;
  const auto address = asio::ip::make_address(text, error);
  if (error) return asio::ip::address_v4::loopback();
  if (!address.is_unspecified()) return address;
  if (address.is_v4()) return asio::ip::address_v4::loopback();
  return asio::ip::address_v6::loopback();
}

}  // namespace

Result<std::optional<InheritedSocket>> take_inherited_socket() {
  const int count = ::sd_listen_fds(1);
  if (count < 0) return fail(from_errno(-count, "the sockets that were handed over"));
  if (count == 0) return std::nullopt;
  const auto wrong = [](const char* why) {
    return fail(ErrorCode::kInvalidArgument, std::string("socket activation: ") + why +
                                                 "; deploy/crucible.socket shows what is expected");
  };
  if (count > 1) return wrong("more than one socket was handed over");
  const int descriptor = SD_LISTEN_FDS_START;
  if (::sd_is_socket(descriptor, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
    return wrong("what was handed over is no listening TCP socket");
  }
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return fail(from_errno(errno, "the socket that was handed over"));
  }
  if (storage.ss_family != AF_INET && storage.ss_family != AF_INET6) {
    return wrong("the socket is not a TCP one");
  }
  tcp::endpoint place;
  place.resize(size);
  std::memcpy(place.data(), &storage, size);
  return InheritedSocket{descriptor, place.address().to_string(), place.port()};
}

void tell_ready(const std::string& status) {
  (void)::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str());
}

void tell_stopping() { (void)::sd_notify(0, "STOPPING=1"); }

bool answers(const std::string& address, std::uint16_t port, std::chrono::milliseconds time) {
  asio::io_context io;
  tcp::socket socket(io);
  const std::string request =
      "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  std::string answer(1, '\0');
  bool answered = false;
  socket.async_connect({reachable(address), port}, [&](const boost::system::error_code& refused) {
    if (refused) return;
    asio::async_write(socket, asio::buffer(request), [&](const auto& unsent, std::size_t) {
      if (unsent) return;
      asio::async_read(socket, asio::buffer(answer), [&](const auto& unread, std::size_t) {
        // A connection above the cap is closed without a word: also a sign of life.
        answered = !unread || unread == asio::error::eof;
      });
    });
  });
  io.run_for(time);
  return answered;
}

Watchdog::Watchdog(std::string address, std::uint16_t port)
    : address_(std::move(address)), port_(port) {
  std::uint64_t interval = 0;
  if (::sd_watchdog_enabled(1, &interval) <= 0) return;
  const std::chrono::microseconds pause(interval / 2);
  thread_ = std::jthread([this, pause](const std::stop_token& stop) { watch(stop, pause); });
}

Watchdog::~Watchdog() = default;

void Watchdog::watch(const std::stop_token& stop, std::chrono::microseconds pause) {
  const auto most = std::min<std::chrono::milliseconds>(
      kLongestAnswer, std::chrono::duration_cast<std::chrono::milliseconds>(pause));
  while (!stop.stop_requested()) {
    if (answers(address_, port_, most)) {
      (void)::sd_notify(0, "WATCHDOG=1");
    } else {
      spdlog::error("the daemon does not answer itself within {} ms", most.count());
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, pause, [] { return false; });
  }
}

}  // namespace crucible::server::app
