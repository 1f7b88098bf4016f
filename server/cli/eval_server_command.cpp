#include "server/cli/eval_server_command.hpp"

#include <CLI/CLI.hpp>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include "evaluator/endpoint/url.hpp"
#include "server/cli/interrupt.hpp"
#include "server/evalserver/eval_server.hpp"

namespace crucible::server::cli {
namespace {

std::string default_name(const std::string& model) {
  const auto path = std::filesystem::path(model).lexically_normal();
  const auto name = path.filename().empty() ? path.parent_path().filename() : path.filename();
  return name.empty() || name == "." ? std::filesystem::absolute(path).filename().string()
                                     : name.string();
}

Result<evalserver::EvalServerOptions> server_options(const EvalServerCommandOptions& options) {
  evalserver::EvalServerOptions out;
  out.address = options.address;
  out.port = options.port;
  out.waiting = options.waiting;
  out.model_name = options.name.empty() ? default_name(options.model.model) : options.name;
  if (options.waiting < 1 || options.waiting > 1024) {
    return fail(ErrorCode::kInvalidArgument, "--max-waiting must be 1 to 1024");
  }
  if (!options.key_env.empty()) {
    const char* key = std::getenv(options.key_env.c_str());
    if (key == nullptr || *key == '\0') {
      return fail(ErrorCode::kNotFound, "the environment variable of --key-env is not set");
    }
    out.api_key = key;
  } else if (!endpoint::is_loopback_address(options.address) && options.address != "localhost") {
    return fail(ErrorCode::kInvalidArgument,
                "beyond this machine the server wants a key: name the variable that holds one "
                "with --key-env");
  }
  return out;
}

void wait_for(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait(lock, stop, [] { return false; });
}

}  // namespace

int eval_server(const EvalServerCommandOptions& options, const CommonOptions& common) {
  const InterruptGuard interrupt;
  const auto settings = server_options(options);
  if (!settings) return report(settings.error(), common);
  auto model = load_model(options.model, interrupt.token());
  if (!model) return report(model.error(), common);
  auto server = evalserver::EvalServer::create(**model, *settings);
  if (!server) return report(server.error(), common);
  const auto port = (*server)->start();
  if (!port) return report(port.error(), common);
  const bool is_v6 = options.address.find(':') != std::string::npos;
  const std::string url = "http://" + (is_v6 ? "[" + options.address + "]" : options.address) +
                          ":" + std::to_string(*port) + "/v1";
  if (common.json) {
    print_json(Json{{"url", url}, {"model", settings->model_name}});
  } else {
    print("serving " + settings->model_name + " at " + url + "\n");
  }
  std::fflush(stdout);
  wait_for(interrupt.token());
  (*server)->stop();
  return kSuccess;
}

void add_eval_server_command(CLI::App& app, Action& action) {
  struct Parsed {
    EvalServerCommandOptions options;
    CommonOptions common;
  };
  auto parsed = std::make_shared<Parsed>();
  EvalServerCommandOptions& options = parsed->options;
  CLI::App& command = *app.add_subcommand(
      "eval-server", "serve a model to evaluators: completions with log-probabilities");
  command.add_option("MODEL", options.model.model, "model folder or GGUF file")->required();
  command.add_option("--name", options.name, "what requests call it (default: the folder's name)");
  command.add_option("--address", options.address, "where to listen")->capture_default_str();
  command.add_option("--port", options.port, "0 = any free one")->capture_default_str();
  command.add_option("--max-waiting", options.waiting, "requests that may wait; more get a 429")
      ->capture_default_str();
  command.add_option("--key-env", options.key_env,
                     "environment variable with the key that requests must carry");
  add_local_options(command, options.model);
  command.add_flag("--json", parsed->common.json, "raw JSON on standard output");
  command.footer(
      "Example: crucible eval-server merged/, then\n"
      "lm_eval --model local-completions --tasks TASK --model_args\n"
      "model=merged,base_url=http://127.0.0.1:7346/v1/completions,tokenizer=merged/");
  command.callback([parsed, &action] {
    action = [parsed] { return eval_server(parsed->options, parsed->common); };
  });
}

}  // namespace crucible::server::cli
