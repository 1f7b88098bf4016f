#include "server/log/json_log.hpp"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "server/log/fields.hpp"

namespace crucible::server::log {
namespace {

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since = message.time.time_since_epoch();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
    const auto seconds = spdlog::log_clock::to_time_t(message.time);
    const auto level = spdlog::level::to_string_view(message.level);
    nlohmann::json line = current_fields();
    line.update(
        nlohmann::json{{"at", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms)},
                       {"level", std::string(level.data(), level.size())},
                       {"message", std::string(message.payload.data(), message.payload.size())}});
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

std::shared_ptr<spdlog::logger> json_logger() {
  auto logger = spdlog::stderr_logger_mt("crucible-json");
  logger->set_formatter(std::make_unique<JsonFormatter>());
  return logger;
}

}  // namespace crucible::server::log
