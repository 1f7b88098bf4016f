#include "server/app/serve.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "merger/base/io.hpp"
#include "server/api/routes.hpp"
#include "server/app/core.hpp"
#include "server/app/service_manager.hpp"
#include "server/app/webhook.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/config/running_daemon.hpp"
#include "server/http/http_server.hpp"
#include "server/log/fields.hpp"
#include "server/log/json_log.hpp"
#include "server/web/assets.hpp"

namespace crucible::server::app {
namespace {

void set_up_log(const config::Options& options) {
  auto logger =
      options.log_format == "json" ? log::json_logger() : spdlog::stderr_color_mt("crucible");
  logger->set_level(spdlog::level::from_str(options.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

// No core file and no debugger of another process gets at the tokens in memory.
void keep_secrets_inside() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// The signal that asked to stop, 0 when the store failed.
int wait_for_stop(const Core& core) {
  const sigset_t signals = stop_signals();
  const timespec interval{1, 0};
  while (core.healthy()) {
    const int number = sigtimedwait(&signals, nullptr, &interval);
    if (number > 0) return number;
  }
  return 0;
}

http::ServerOptions http_options(const config::Options& options, int listener, Core& core) {
  http::ServerOptions edge;
  edge.tokens = core.tokens();
  edge.listener = listener;
  edge.address = options.address;
  edge.port = options.port;
  edge.allowed_hosts = options.allowed_hosts;
  edge.stop_time = std::chrono::milliseconds(3'000);
  edge.on_access = [&metrics = core.metrics()](const http::AccessRecord& access) {
    metrics.request_ended(access.method, access.pattern, access.status, access.seconds);
    const log::Scope scope(nlohmann::json{{"request_id", access.request_id},
                                          {"remote", access.remote},
                                          {"method", access.method},
                                          {"route", access.pattern},
                                          {"status", access.status},
                                          {"seconds", access.seconds}});
    spdlog::debug("{} {} {} {} {:.3f} s", access.remote, access.method, access.target,
                  access.status, access.seconds);
  };
  return edge;
}

std::string url_of(const std::string& address, std::uint16_t port) {
  const bool is_v6 = address.find(':') != std::string::npos;
  return is_v6 ? fmt::format("http://[{}]:{}", address, port)
               : fmt::format("http://{}:{}", address, port);
}

int report(const Error& error) {
  spdlog::critical("{}", crucible::describe(error));
  return cli::exit_code_of(error.code);
}

// None where the operator named no address.
Result<std::unique_ptr<Webhook>> start_webhook(Core& core, const config::Options& options) {
  if (options.webhook.empty()) return nullptr;
  auto url = endpoint::parse_url(options.webhook);
  if (!url) return fail(std::move(url).error().with_context("webhook"));
  auto webhook = std::make_unique<Webhook>(core.service(), std::move(*url),
                                           core.state().root() / "webhook.last");
  if (auto status = webhook->start(); !status) return fail(std::move(status).error());
  return webhook;
}

int run(Core& core, const config::Options& options, int listener) {
  http::Router router;
  api::register_routes(router, core.service());
  api::register_assets(router, web::embedded_assets());
  http::HttpServer server(http_options(options, listener, core), std::move(router));
  auto port = server.start();
  if (!port) return report(port.error());
  const std::string url = url_of(options.address, *port);
  const auto note = core.state().root() / "daemon.json";
  const nlohmann::json facts = {{"pid", ::getpid()}, {"url", url}};
  if (auto status = io::replace_file(note, facts.dump() + "\n"); !status) {
    return report(status.error());
  }
  if (auto status = config::announce({::getpid(), url, core.state().root()}, *port); !status) {
    spdlog::warn("commands will need --token-file: {}", status.error().message);
  }
  auto webhook = start_webhook(core, options);
  if (!webhook) return report(webhook.error());
  spdlog::info("listening on {}; state in {}", url, core.state().root().string());
  tell_ready("listening on " + url);
  int number = 0;
  {
    const Watchdog watchdog(options.address, *port);
    number = wait_for_stop(core);
  }
  tell_stopping();
  spdlog::info("stopping: {}", number == 0 ? "the store failed" : ::strsignal(number));
  server.stop();
  webhook->reset();
  core.stop();
  (void)io::system().unlink(note.c_str());
  config::withdraw(*port);
  return number == 0 ? cli::kNoSpaceOrIo : cli::kSuccess;
}

}  // namespace

int serve(config::Options options) {
  set_up_log(options);
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  keep_secrets_inside();
  // Before any thread exists: all of them inherit the mask, only wait_for_stop takes the signals.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto socket = take_inherited_socket();
  if (!socket) return report(socket.error());
  if (*socket) {
    options.address = (*socket)->address;
    options.port = (*socket)->port;
  }
  auto core = Core::start(options);
  if (!core) return report(core.error());
  const int code = run(**core, options, *socket ? (*socket)->descriptor : -1);
  spdlog::info("stopped");
  return code;
}

}  // namespace crucible::server::app
