#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "server/http/shared.hpp"

namespace crucible::server::http {

// One TCP connection: reads requests one after another, hands them to handler threads, writes
// answers.
class Connection {
 public:
  virtual ~Connection() = default;
  // Ends an idle connection now, a busy one after its present request. Any thread.
  virtual void stop() = 0;
};

// Starts serving `socket` on its executor; `on_end` is called once when it is closed.
std::shared_ptr<Connection> serve_connection(boost::asio::ip::tcp::socket socket, Shared& shared,
                                             std::function<void(Connection*)> on_end);
// Answers 503 and closes: there are too many connections.
void refuse_connection(boost::asio::ip::tcp::socket socket, Shared& shared,
                       std::function<void()> on_end);

}  // namespace crucible::server::http
