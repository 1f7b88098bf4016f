#include "server/app/core.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>

#include "evaluator/task/folder_datasets.hpp"
#include "merger/base/io.hpp"
#include "merger/base/read_roots.hpp"
#include "server/sandbox/sandbox.hpp"
#include "server/storage/seal.hpp"

namespace crucible::server::app {
namespace {

const Clock& system_clock() {
  static const SystemClock clock;  // stateless
  return clock;
}

std::vector<std::filesystem::path> datasets_of(const config::Options& options) {
  return options.datasets.empty() ? task::FolderDatasets::default_roots() : options.datasets;
}

pipeline::WorkerLimits limits_of(const config::Options& options) {
  std::filesystem::path cache = options.evaluation_cache;
  if (cache.empty()) cache = options.state / "cache" / "evaluations";
  if (options.evaluation_cache == "none") cache.clear();
  return {options.threads, options.memory_bytes, options.shard_bytes, datasets_of(options), cache};
}

std::vector<pipeline::JudgeSpec> judges_of(const pipeline::ModelSources& sources) {
  std::vector<pipeline::JudgeSpec> judges;
  for (const auto& [name, source] : sources.judges) {
    judges.push_back({name, source, {}});
    const auto found = sources.endpoints.find(source.endpoint);
    if (found != sources.endpoints.end()) judges.back().endpoint = found->second;
  }
  return judges;
}

// What this machine, or the control group this process is in, has; 0 = unknown.
std::uint64_t usable_memory() {
  const auto pages = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  std::uint64_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (const char* limit :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::uint64_t value = 0;
    if (std::ifstream(limit) >> value && value > 0) bytes = std::min(bytes, value);
  }
  return bytes / 10 * 9;
}

queue::RetryPolicy policy_of(const config::Options& options) {
  queue::RetryPolicy policy;
  policy.max_attempts = options.max_attempts;
  policy.first_delay = options.retry_delay_ms;
  return policy;
}

// Folders of the operator, which the rules for models of strangers are not for.
std::vector<std::string> own_folders(const config::Options& options,
                                     const pipeline::StateFolder& state) {
  std::vector<std::string> folders = {state.root().string()};
  for (const auto& folder : options.suites) folders.push_back(folder.string());
  const pipeline::WorkerLimits limits = limits_of(options);
  for (const auto& folder : limits.datasets) folders.push_back(folder.string());
  if (!limits.evaluation_cache.empty()) folders.push_back(limits.evaluation_cache.string());
  return folders;
}

// Said at the start and not by the first job: jobs that cannot run would only fail one by one.
Status check_sandbox(const config::Options& options) {
  if (options.sandbox == "required") return sandbox::check();
  spdlog::warn("sandbox: off; whoever makes a model file that breaks its reader acts as this user");
  return {};
}

worker::PoolOptions pool_of(const config::Options& options, worker::PoolOptions pool) {
  pool.most = {{JobKind::kMerge, options.max_merges},
               {JobKind::kEvaluation, options.max_evaluations},
               {JobKind::kSweep, options.max_sweeps}};
  pool.grace = std::chrono::milliseconds(options.stop_grace_ms);
  pool.memory_budget = options.memory_budget > 0 ? options.memory_budget : usable_memory();
  pool.disk_floor = options.disk_floor;
  pool.sandbox = options.sandbox == "required";
  return pool;
}

}  // namespace

Core::Core(pipeline::StateFolder state, std::unique_ptr<store::Store> store,
           pipeline::ModelCatalog models, std::vector<pipeline::JudgeSpec> judges,
           const config::Options& options, worker::PoolOptions pool)
    : state_(std::move(state)),
      seal_{state_.database()},
      store_(std::move(store)),
      queue_(*store_, system_clock(), random_, policy_of(options), &metrics_),
      models_(std::move(models)),
      suites_(options.suites, datasets_of(options), std::move(judges)),
      merge_stage_(*store_, queue_, state_, models_, suites_, limits_of(options)),
      evaluation_stage_(*store_, queue_, state_, models_, suites_, limits_of(options)),
      sweep_stage_(*store_, queue_, state_, models_, suites_, limits_of(options),
                   options.max_attempts),
      workers_(*store_, queue_, system_clock(), state_,
               {{JobKind::kMerge, &merge_stage_},
                {JobKind::kEvaluation, &evaluation_stage_},
                {JobKind::kSweep, &sweep_stage_}},
               pool_of(options, std::move(pool))),
      service_({*store_, queue_, workers_, models_, suites_, state_, metrics_, system_clock(),
                limits_of(options), options.max_attempts, tokens_, options.max_open_jobs}) {}

Core::~Core() {
  stop();
  seal_.wanted = store_->healthy();
}

Core::SealAtTheEnd::~SealAtTheEnd() {
  if (!wanted) return;
  if (auto status = storage::seal(database); !status) spdlog::warn("{}", status.error().message);
}

void Core::stop() { workers_.stop(); }

Result<std::unique_ptr<Core>> Core::start(const config::Options& options,
                                          worker::PoolOptions pool) {
  auto state = pipeline::StateFolder::open(options.state);
  if (!state) return fail(std::move(state).error());
  if (auto status = storage::unseal(state->database()); !status) {
    return fail(std::move(status).error());
  }
  auto store = store::Store::open(state->database());
  if (!store) return fail(std::move(store).error());
  auto sources = pipeline::read_model_sources(options.endpoints);
  if (!sources) return fail(std::move(sources).error());
  auto judges = judges_of(*sources);
  auto models = pipeline::ModelCatalog::open(**store, system_clock(), options.allow_roots,
                                             options.threads, std::move(sources->endpoints));
  if (!models) return fail(std::move(models).error());
  if (auto status = check_sandbox(options); !status) return fail(std::move(status).error());
  pool.trusted_folders = own_folders(options, *state);
  for (const std::string& folder : pool.trusted_folders) io::add_trusted_folder(folder);
  for (const auto& root : models->roots()) pool.read_roots.push_back(root.string());
  std::unique_ptr<Core> core(new Core(std::move(*state), std::move(*store), std::move(*models),
                                      std::move(judges), options, std::move(pool)));
  core->metrics_.set_sandbox(options.sandbox == "required" ? sandbox::landlock_version() : 0);
  if (auto status = core->open_tokens(options); !status) return fail(std::move(status).error());
  if (auto status = core->workers_.start(); !status) return fail(std::move(status).error());
  return core;
}

Status Core::open_tokens(const config::Options& options) {
  tokens_are_asked_ = options.access == "tokens";
  if (!tokens_are_asked_) {
    const auto address = boost::asio::ip::make_address(options.address);
    if (!address.is_loopback()) {
      return fail(ErrorCode::kInvalidArgument,
                  "access: open would let anybody in; it is for loopback addresses only");
    }
    spdlog::warn("access is open: whoever reaches this port may do everything");
    return {};
  }
  auto known = service_.tokens();
  if (!known) return fail(std::move(known).error());
  tokens_.load(*known);
  const auto file = state_.root() / "token";
  const auto kept = io::read_text(file, 1024);
  const auto text = kept ? kept->substr(0, kept->find('\n')) : std::string();
  if (tokens_.check("Bearer " + text, "", access::Role::kAdmin, system_clock().now())) return {};
  std::string name = "owner";
  for (int number = 2;
       std::ranges::any_of(*known, [&](const access::Token& token) { return token.name == name; });
       ++number) {
    name = fmt::format("owner-{}", number);
  }
  auto created = service_.create_token({name, access::Role::kAdmin, std::nullopt});
  if (!created) return fail(std::move(created).error());
  spdlog::info("the token of \"{}\" (admin) is in {}", name, file.string());
  return io::replace_file(file, created->text + "\n");
}

}  // namespace crucible::server::app
