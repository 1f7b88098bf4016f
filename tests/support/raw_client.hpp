#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

// A socket that sends exactly the bytes it is told to: for requests no well-behaved client makes.
namespace crucible::test {

class RawClient {
 public:
  RawClient() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {}
  explicit RawClient(std::uint16_t port) : RawClient() { connect(port); }
  ~RawClient() { ::close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void connect(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }

  // Reads until `stop` is in the text, the peer closes, or the time is over.
  std::string read_until(std::string_view stop, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    std::string& text = rest_;
    while (stop.empty() || text.find(stop) == std::string::npos) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      pollfd wait{fd_, POLLIN, 0};
      if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) break;
      char buffer[8192];
      const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) {
        closed_ = true;
        break;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
    const std::size_t at = stop.empty() ? std::string::npos : text.find(stop);
    const std::size_t size = at == std::string::npos ? text.size() : at + stop.size();
    std::string out = text.substr(0, size);
    text.erase(0, size);
    return out;
  }
  std::string read_to_end(std::chrono::milliseconds time = std::chrono::seconds(5)) {
    return read_until("", time);
  }
  bool closed() const { return closed_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
  std::string rest_;
};

}  // namespace crucible::test
