#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "merger/base/error.hpp"

// The side of whoever started the daemon as a service: systemd, or anything that speaks its
// protocols (sd_listen_fds(3), sd_notify(3)). Without one, all of this does nothing.
namespace crucible::server::app {

// A listening socket that was handed over: the port is open before the daemon runs and while it
// restarts, and the daemon needs no right to bind.
struct InheritedSocket {
  int descriptor = -1;
  std::string address;
  std::uint16_t port = 0;
};
// None when nothing was handed over. kInvalidArgument: more than one, or not a listening TCP
// socket. Takes the variables out of the environment. Once.
Result<std::optional<InheritedSocket>> take_inherited_socket();

void tell_ready(const std::string& status);
void tell_stopping();

// Says "alive" twice in each interval that the service manager gave, as long as the daemon answers
// a request to itself; one that hangs is killed and started again by the service manager.
class Watchdog {
 public:
  // Asks http://ADDRESS:PORT/healthz; any answer counts, also a refusal under load.
  Watchdog(std::string address, std::uint16_t port);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(const std::stop_token& stop, std::chrono::microseconds pause);

  std::string address_;
  std::uint16_t port_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// Whether something accepts, reads and answers there within the time.
bool answers(const std::string& address, std::uint16_t port, std::chrono::milliseconds time);

}  // namespace crucible::server::app
