#include "server/app/storage_commands.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "merger/base/byte_count.hpp"
#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/output.hpp"
#include "server/cli/table.hpp"
#include "server/config/running_daemon.hpp"
#include "server/queue/clock.hpp"
#include "server/storage/backup.hpp"
#include "server/storage/doctor.hpp"
#include "server/storage/garbage.hpp"
#include "server/storage/seal.hpp"

namespace crucible::server::app {
namespace {

using cli::Json;
constexpr std::int64_t kDayMs = 86'400'000;
constexpr int kFindings = 1;

struct StorageOptions {
  std::filesystem::path state;
  std::filesystem::path folder;  // of a backup
  bool with_models = false;
  bool apply = false;
  std::vector<std::string> models;
  std::optional<unsigned> older_than_days;
  unsigned keep_best = 10;
  unsigned log_days = 30;
  std::string cache_size;
  cli::CommonOptions common;
};

std::filesystem::path state_of(const StorageOptions& options) {
  if (!options.state.empty()) return options.state;
  if (const char* state = std::getenv("CRUCIBLE_STATE"); state != nullptr && *state != '\0') {
    return state;
  }
  return config::user_state_folder([](const char* name) { return std::getenv(name); });
}

// A state folder that no daemon uses, open.
struct Offline {
  pipeline::StateFolder state;
  std::unique_ptr<store::Store> store;
};

Result<Offline> open_offline(const std::filesystem::path& state) {
  std::error_code error;
  if (!std::filesystem::exists(state / "crucible.db", error)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{} is no state folder; name one with --state", state.string()));
  }
  auto folder = pipeline::StateFolder::open(state);
  if (!folder) return fail(std::move(folder).error());
  if (auto status = storage::unseal(folder->database()); !status) {
    return fail(std::move(status).error());
  }
  auto store = store::Store::open(folder->database());
  if (!store) return fail(std::move(store).error());
  return Offline{std::move(*folder), std::move(*store)};
}

// The options of a client of the daemon that holds the state folder.
Result<cli::CommonOptions> daemon_of(const std::filesystem::path& state,
                                     cli::CommonOptions common) {
  auto text = io::read_text(state / "daemon.json", 64 << 10);
  if (!text) return fail(std::move(text).error().with_context("a daemon uses the folder"));
  const auto json = parse_untrusted_json<Json>(*text);
  if (common.server.empty()) common.server = cli::text(json, "url");
  if (common.token_file.empty()) common.token_file = (state / "token").string();
  return common;
}

// Runs `offline` on the folder, or `online` against the daemon that has it.
template <typename OfflineWork, typename OnlineWork>
Result<Json> on_state(const StorageOptions& options, OfflineWork offline, OnlineWork online) {
  const auto state = state_of(options);
  auto opened = open_offline(state);
  if (opened) return offline(*opened);
  if (opened.error().code != ErrorCode::kConflict) return fail(std::move(opened).error());
  return daemon_of(state, options.common).and_then(cli::connect).and_then(online);
}

int show(const Result<Json>& answer, const cli::CommonOptions& common,
         const std::function<std::string(const Json&)>& view) {
  if (!answer) return cli::report(answer.error(), common);
  if (common.json) {
    cli::print_json(*answer);
  } else {
    cli::print(view(*answer));
  }
  return cli::kSuccess;
}

std::string bytes_text(const Json& object, const char* key) {
  return format_byte_count(object.value(key, std::uint64_t{0}));
}

int back_up(const StorageOptions& options) {
  const auto folder = std::filesystem::absolute(options.folder).lexically_normal();
  const auto answer = on_state(
      options,
      [&](Offline& offline) -> Result<Json> {
        auto made =
            storage::back_up(*offline.store, offline.state.root(), folder, options.with_models);
        if (!made) return fail(std::move(made).error());
        return Json{{"folder", made->folder.string()},
                    {"files", made->files},
                    {"bytes", made->bytes},
                    {"last_event", made->last_event}};
      },
      [&](const cli::ApiClient& api) {
        return api.post("/storage/backup",
                        Json{{"folder", folder.string()}, {"with_models", options.with_models}});
      });
  return show(answer, options.common, [](const Json& made) {
    return fmt::format("{} files, {}, up to event {}, in {}\n", made.value("files", 0),
                       bytes_text(made, "bytes"), made.value("last_event", std::int64_t{0}),
                       made.value("folder", ""));
  });
}

int restore(const StorageOptions& options) {
  const auto restored = storage::restore(options.folder, options.state, SystemClock().now());
  if (!restored) return cli::report(restored.error(), options.common);
  const Json answer{{"state", options.state.string()},
                    {"files", restored->files},
                    {"models_without_files", restored->models_without_files}};
  return show(answer, options.common, [&](const Json&) {
    std::string out =
        fmt::format("{} files restored and verified; start the daemon with --state {}\n",
                    restored->files, options.state.string());
    if (restored->models_without_files > 0) {
      out += fmt::format(
          "{} merged models have no files: submit their recipes again where they are "
          "needed\n",
          restored->models_without_files);
    }
    return out;
  });
}

Json items_json(const std::vector<GarbageItem>& items, bool applied) {
  Json list = Json::array();
  std::uint64_t bytes = 0;
  for (const GarbageItem& item : items) {
    list.push_back({{"path", item.path}, {"bytes", item.bytes}, {"reason", item.reason}});
    bytes += item.bytes;
  }
  return Json{{"applied", applied}, {"bytes", bytes}, {"items", std::move(list)}};
}

std::string garbage_view(const Json& answer) {
  cli::Table table({{"SIZE", cli::Align::kRight}, {"WHY"}, {"WHAT"}});
  for (const Json& item : answer.value("items", Json::array())) {
    table.add({bytes_text(item, "bytes"), cli::text(item, "reason"), cli::text(item, "path")});
  }
  if (table.empty()) return "Nothing can go.\n";
  const bool applied = answer.value("applied", false);
  return table.text() + fmt::format("{} {}\n", bytes_text(answer, "bytes"),
                                    applied ? "removed" : "would go; --apply removes it");
}

int collect(const StorageOptions& options) {
  GarbageRules rules;
  rules.models = options.models;
  if (options.older_than_days) rules.older_than_ms = *options.older_than_days * kDayMs;
  rules.keep_best = options.keep_best;
  rules.log_age_ms = options.log_days * kDayMs;
  if (!options.cache_size.empty()) {
    auto bytes = parse_byte_count(options.cache_size);
    if (!bytes) return cli::report(bytes.error(), options.common);
    rules.cache_bytes = *bytes;
  }
  const auto answer = on_state(
      options,
      [&](Offline& offline) -> Result<Json> {
        const auto work = options.apply ? storage::collect_garbage : storage::find_garbage;
        auto items = work(*offline.store, offline.state, rules, false, SystemClock().now());
        if (!items) return fail(std::move(items).error());
        return items_json(*items, options.apply);
      },
      [&](const cli::ApiClient& api) {
        Json body{{"apply", options.apply},
                  {"models", options.models},
                  {"keep_best", options.keep_best},
                  {"log_days", options.log_days}};
        if (options.older_than_days) body["older_than_days"] = *options.older_than_days;
        if (rules.cache_bytes) body["cache_bytes"] = *rules.cache_bytes;
        return api.post("/storage/gc", body);
      });
  return show(answer, options.common, garbage_view);
}

Json examination_json(const storage::Examination& found) {
  Json findings = Json::array();
  for (const storage::Finding& finding : found.findings) {
    findings.push_back(
        {{"what", finding.what}, {"where", finding.where}, {"advice", finding.advice}});
  }
  return Json{{"healthy", found.findings.empty()},
              {"findings", std::move(findings)},
              {"files_checked", found.files},
              {"bytes_checked", found.bytes},
              {"schema", found.schema},
              {"sqlite", found.sqlite},
              {"landlock", found.landlock},
              {"version", CRUCIBLE_VERSION}};
}

std::string examination_view(const storage::Examination& found) {
  std::string out;
  for (const storage::Finding& finding : found.findings) {
    out += fmt::format("{}\n  {}\n  → {}\n", finding.where, finding.what, finding.advice);
  }
  out +=
      fmt::format("{} files ({}) compared with their digests; schema {}, SQLite {}, Landlock {}\n",
                  found.files, format_byte_count(found.bytes), found.schema, found.sqlite,
                  found.landlock == 0 ? "none" : std::to_string(found.landlock));
  out += found.findings.empty() ? std::string("Healthy.\n")
                                : fmt::format("{} findings.\n", found.findings.size());
  return out;
}

int examine(const StorageOptions& options) {
  const auto path = state_of(options);
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return cli::report({ErrorCode::kNotFound, path.string() + " is no state folder", {}},
                       options.common);
  }
  auto state = pipeline::StateFolder::open(path);
  if (!state) {
    Error failure = std::move(state).error();
    if (failure.code == ErrorCode::kConflict) {
      failure.message =
          "a daemon works in the folder; stop it first, or examine a backup of it, restored";
    }
    return cli::report(failure, options.common);
  }
  auto found = storage::examine(*state);
  if (!found) return cli::report(found.error(), options.common);
  const int shown = show(examination_json(*found), options.common,
                         [&](const Json&) { return examination_view(*found); });
  return shown == cli::kSuccess && !found->findings.empty() ? kFindings : shown;
}

class StorageRegistry {
 public:
  StorageRegistry(CLI::App& app, cli::Action& action) : app_(app), action_(action) {}

  void backup() {
    auto [command, options] =
        add("backup", "copy database and artefacts into a new folder", back_up);
    command.add_option("FOLDER", options.folder, "must not exist")->required();
    command.add_flag("--with-models", options.with_models, "also the files of merged models");
    add_state(command, options);
  }
  void restoring() {
    auto [command, options] = add("restore", "make a state folder of a backup", restore);
    command.add_option("FOLDER", options.folder, "a backup")
        ->required()
        ->check(CLI::ExistingDirectory);
    command.add_option("--state", options.state, "new or empty folder")->required();
    command.add_flag("--json", options.common.json, "raw JSON on standard output");
  }
  void gc() {
    auto [command, options] =
        add("gc", "say what may be removed from the state folder, and remove it", collect);
    command.add_flag("--apply", options.apply, "remove it; without this it is only listed");
    command.add_option("--model", options.models,
                       "merged model whose files go; its recipe and scores stay (repeatable)");
    command.add_option("--older-than", options.older_than_days,
                       "days; files of older merged models go, but for the best of each suite");
    command.add_option("--keep-best", options.keep_best, "how many of each suite those are")
        ->capture_default_str();
    command.add_option("--log-days", options.log_days, "logs of jobs that ended before that go")
        ->capture_default_str();
    command.add_option("--cache-size", options.cache_size,
                       "what the evaluation cache may keep, such as 10GB");
    add_state(command, options);
  }
  void doctor() {
    auto [command, options] =
        add("doctor", "look for everything that is wrong with a state folder", examine);
    command.add_option("--state", options.state, kStateMeaning);
    command.add_flag("--json", options.common.json, "raw JSON on standard output");
    command.footer("Exit code 0: healthy, 1: findings.");
  }

 private:
  static constexpr const char* kStateMeaning =
      "state folder (default: $CRUCIBLE_STATE, else ~/.local/state/crucible)";
  struct Added {
    CLI::App& command;
    StorageOptions& options;
  };

  Added add(const std::string& name, const std::string& meaning,
            int (*run)(const StorageOptions&)) {
    auto options = std::make_shared<StorageOptions>();
    CLI::App& command = *app_.add_subcommand(name, meaning);
    command.callback([&action = action_, options, run] {
      action = [options, run] {
        ::umask(077);
        auto logger = spdlog::stderr_color_mt("crucible-storage");
        logger->set_level(spdlog::level::warn);
        spdlog::set_default_logger(std::move(logger));
        return run(*options);
      };
    });
    return {command, *options};
  }
  static void add_state(CLI::App& command, StorageOptions& options) {
    command.add_option("--state", options.state, kStateMeaning);
    command.add_option("--token-file", options.common.token_file,
                       "file with an admin's token (default: that of the state folder)");
    command.add_flag("--json", options.common.json, "raw JSON on standard output");
  }

  CLI::App& app_;
  cli::Action& action_;
};

}  // namespace

void add_storage_commands(CLI::App& app, cli::Action& action) {
  StorageRegistry registry(app, action);
  registry.backup();
  registry.restoring();
  registry.gc();
  registry.doctor();
}

}  // namespace crucible::server::app
