#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

// An HTTP server that does exactly what a test says, faults included: late, cut off, not HTTP.
namespace crucible::test {

struct FakeRequest {
  std::string method;
  std::string target;
  std::string head;  // header block as received
  std::string body;
};

struct FakeReply {
  int status = 200;
  std::string body;
  std::string headers;                 // further ones, each with its CRLF
  std::chrono::milliseconds delay{0};  // before anything is sent
  std::size_t cut_after = SIZE_MAX;    // bytes of head and body that are sent before closing
  std::string raw;                     // sent as it is instead of all above
};

class FakeHttpServer {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;

  explicit FakeHttpServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 64);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
  }
  ~FakeHttpServer() {
    acceptor_.request_stop();
    acceptor_.join();
    connections_.clear();
    ::close(listener_);
  }
  FakeHttpServer(const FakeHttpServer&) = delete;
  FakeHttpServer& operator=(const FakeHttpServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::vector<FakeRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t count(std::string_view target) const {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const FakeRequest& request : requests_) count += request.target == target ? 1 : 0;
    return count;
  }
  int most_at_once() const { return most_at_once_; }

 private:
  static bool readable(int fd, int milliseconds) {
    pollfd wait{fd, POLLIN, 0};
    return ::poll(&wait, 1, milliseconds) > 0;
  }

  void accept_all(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (!readable(listener_, 20)) continue;
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      connections_.emplace_back([this, fd](const std::stop_token& end) {
        serve(fd, end);
        ::close(fd);
      });
    }
  }

  // Reads one request; false at the end of the connection.
  static bool read_request(int fd, std::string& rest, FakeRequest& request,
                           const std::stop_token& stop) {
    const auto more = [&] {
      char buffer[65536];
      while (!readable(fd, 20)) {
        if (stop.stop_requested()) return false;
      }
      const auto got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      rest.append(buffer, static_cast<std::size_t>(got));
      return true;
    };
    std::size_t end = std::string::npos;
    while ((end = rest.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return false;
    }
    request.head = rest.substr(0, end + 2);
    request.method = request.head.substr(0, request.head.find(' '));
    const std::size_t target = request.method.size() + 1;
    request.target = request.head.substr(target, request.head.find(' ', target) - target);
    std::size_t length = 0;
    const std::size_t field = request.head.find("Content-Length: ");
    if (field != std::string::npos) length = std::stoul(request.head.substr(field + 16));
    while (rest.size() < end + 4 + length) {
      if (!more()) return false;
    }
    request.body = rest.substr(end + 4, length);
    rest.erase(0, end + 4 + length);
    return true;
  }

  void serve(int fd, const std::stop_token& stop) {
    std::string rest;
    for (FakeRequest request; read_request(fd, rest, request, stop); request = {}) {
      const int now = ++at_once_;
      for (int most = most_at_once_;
           now > most && !most_at_once_.compare_exchange_weak(most, now);) {
      }
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const FakeReply reply = handler_(request);
      const auto due = std::chrono::steady_clock::now() + reply.delay;
      while (std::chrono::steady_clock::now() < due && !stop.stop_requested()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      std::string text = reply.raw;
      if (text.empty()) {
        text = "HTTP/1.1 " + std::to_string(reply.status) +
               " x\r\nContent-Type: application/json\r\n" + reply.headers +
               "Content-Length: " + std::to_string(reply.body.size()) + "\r\n\r\n" + reply.body;
      }
      --at_once_;
      const bool cut = reply.cut_after < text.size() || !reply.raw.empty();
      text.resize(std::min(text.size(), reply.cut_after));
      std::string_view left = text;
      while (!left.empty()) {
        const auto sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;
        left.remove_prefix(static_cast<std::size_t>(sent));
      }
      if (cut) return;
    }
  }

  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<FakeRequest> requests_;
  std::atomic<int> at_once_{0};
  std::atomic<int> most_at_once_{0};
  std::list<std::jthread> connections_;  // touched by the acceptor, then by the destructor
  std::jthread acceptor_;
};

}  // namespace crucible::test
