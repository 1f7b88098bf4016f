#include "server/cli/client_commands.hpp"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "merger/base/io.hpp"
#include "server/cli/json_fields.hpp"
#include "server/cli/search_commands.hpp"
#include "server/cli/views.hpp"
#include "server/cli/watch.hpp"

namespace crucible::server::cli {
namespace {

constexpr std::size_t kRecipeLimit = 1 << 20;

// Runs `ask` with a client and shows its answer, as JSON or by `view`.
template <typename Ask, typename View>
int ask_and_show(const CommonOptions& common, Ask ask, View view) {
  auto answer = connect(common).and_then(ask);
  if (!answer) return report(answer.error(), common);
  if (common.json) {
    print_json(*answer);
  } else {
    print(view(*answer));
  }
  return kSuccess;
}

template <typename View>
auto items_of(View view) {
  return [view](const Json& list) { return view(list.value("items", Json::array())); };
}

std::string query_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string out;
  for (const auto& [key, value] : pairs) {
    if (!value.empty()) out += (out.empty() ? "?" : "&") + key + "=" + encode_component(value);
  }
  return out;
}

std::string comma_list(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string job_path(std::int64_t id, const std::string& rest = {}) {
  return "/jobs/" + std::to_string(id) + rest;
}

template <typename Options>
void add_merge_options(Json& body, const Options& options) {
  body["seed"] = options.seed;
  body["compatibility"] = options.compatibility;
  body["allow_nonfinite"] = options.allow_nonfinite;
  body["priority"] = options.priority;
}

Json merge_body(const SubmitOptions& options, const std::string& recipe) {
  Json body{{"recipe", recipe}, {"suites", options.suites}};
  add_merge_options(body, options);
  if (!options.name.empty()) body["name"] = options.name;
  return body;
}

std::vector<std::int64_t> job_ids(const Json& list) {
  std::vector<std::int64_t> ids;
  for (const Json& job : list.value("items", Json::array())) ids.push_back(job.value("id", 0));
  return ids;
}

int print_text(const CommonOptions& common, const std::string& path) {
  auto text = connect(common).and_then([&](const ApiClient& api) { return api.get_text(path); });
  if (!text) return report(text.error(), common);
  if (common.json) {
    print_json(Json{{"text", *text}});
  } else {
    print(*text);
  }
  return kSuccess;
}

}  // namespace

Result<std::string> read_recipe_text(const std::string& file) {
  if (file != "-") return io::read_text(file, kRecipeLimit);
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0) return fail(from_errno(errno, "reading the recipe from standard input"));
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kRecipeLimit) {
      return fail(ErrorCode::kInvalidArgument, "the recipe on standard input is larger than 1 MiB");
    }
  }
}

int submit(const SubmitOptions& options, const CommonOptions& common) {
  const auto recipe = read_recipe_text(options.recipe);
  if (!recipe) return report(recipe.error(), common);
  if (options.check) {
    return ask_and_show(
        common,
        [&](const ApiClient& api) {
          return api.post("/merges/preflight", merge_body(options, *recipe));
        },
        preflight_view);
  }
  auto job = connect(common).and_then([&](const ApiClient& api) {
    return api.post("/merges", merge_body(options, *recipe), options.idempotency_key);
  });
  if (!job) return report(job.error(), common);
  const std::int64_t id = job->value("id", std::int64_t{0});
  if (options.watch) return watch(id, common);
  if (common.json) {
    print_json(*job);
  } else {
    print("job " + std::to_string(id) + " is " + job->value("state", "") +
          "; follow it with: crucible watch " + std::to_string(id) + "\n");
  }
  return kSuccess;
}

int list_jobs(const JobsOptions& options, const CommonOptions& common) {
  const std::string query = query_of(
      {{"state", options.state}, {"kind", options.kind}, {"limit", std::to_string(options.limit)}});
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.get("/jobs" + query); }, items_of(jobs_view));
}

int show_job(std::int64_t id, const CommonOptions& common) {
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.get(job_path(id)); }, job_view);
}

int cancel_job(std::int64_t id, const CommonOptions& common) {
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.post(job_path(id, "/cancel"), nullptr); },
      job_view);
}

int retry_job(std::int64_t id, const CommonOptions& common) {
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.post(job_path(id, "/retry"), nullptr); },
      job_view);
}

int show_log(std::int64_t id, const CommonOptions& common) {
  return print_text(common, job_path(id, "/log"));
}

int watch(std::int64_t id, const CommonOptions& common) { return watch_jobs({id}, common); }

int list_models(const CommonOptions& common) {
  return ask_and_show(
      common, [](const ApiClient& api) { return api.get("/models"); }, items_of(models_view));
}

int add_model(const std::string& path, const std::string& endpoint, const std::string& name,
              const CommonOptions& common) {
  Json body = Json::object();
  if (!endpoint.empty()) body["endpoint"] = endpoint;
  if (!path.empty()) {
    std::error_code ignored;
    body["path"] = std::filesystem::absolute(path, ignored).lexically_normal().string();
  }
  if (!name.empty()) body["name"] = name;
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.post("/models", body); }, model_view);
}

int show_model(const std::string& id_or_name, const CommonOptions& common) {
  return ask_and_show(
      common,
      [&](const ApiClient& api) { return api.get("/models/" + encode_component(id_or_name)); },
      model_view);
}

int pin_model(const std::string& id_or_name, const CommonOptions& common) {
  return ask_and_show(
      common,
      [&](const ApiClient& api) {
        return api.post("/models/" + encode_component(id_or_name) + "/pin", nullptr);
      },
      model_view);
}

int unpin_model(const std::string& id_or_name, const CommonOptions& common) {
  return ask_and_show(
      common,
      [&](const ApiClient& api) {
        return api.post("/models/" + encode_component(id_or_name) + "/unpin", nullptr);
      },
      model_view);
}

int show_model_recipe(const std::string& id_or_name, const CommonOptions& common) {
  return print_text(common, "/models/" + encode_component(id_or_name) + "/recipe");
}

int list_suites(const CommonOptions& common) {
  return ask_and_show(
      common, [](const ApiClient& api) { return api.get("/suites"); }, items_of(suites_view));
}

int leaderboard(const LeaderboardOptions& options, const CommonOptions& common) {
  const std::string query = query_of({{"sort", options.sort},
                                      {"order", options.order},
                                      {"method", options.method},
                                      {"suites", comma_list(options.suites)}});
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.get("/leaderboard" + query); },
      leaderboard_view);
}

int submit_sweep(const SweepOptions& options, const CommonOptions& common) {
  const auto recipe = read_recipe_text(options.recipe);
  if (!recipe) return report(recipe.error(), common);
  Json body{{"recipe", *recipe}, {"parameter", options.parameter}, {"suites", options.suites}};
  add_merge_options(body, options);
  if (!options.name.empty()) body["name"] = options.name;
  if (options.from && options.to) {
    body["values"] = {{"from", *options.from}, {"to", *options.to}, {"points", options.points}};
  } else {
    body["values"] = options.values;
  }
  auto sweep = connect(common).and_then(
      [&](const ApiClient& api) { return api.post("/sweeps", body, options.idempotency_key); });
  if (!sweep) return report(sweep.error(), common);
  const std::int64_t id = sweep->value("id", std::int64_t{0});
  if (options.watch) {
    std::vector<std::int64_t> jobs;
    for (const Json& trial : sweep->value("trials", Json::array())) {
      jobs.push_back(trial.value("job_id", std::int64_t{0}));
    }
    CommonOptions quiet = common;
    quiet.json = false;
    const int code = watch_jobs(jobs, quiet);
    const int shown = show_sweep(id, common);
    return code != kSuccess ? code : shown;
  }
  if (common.json) {
    print_json(*sweep);
  } else {
    print(sweep_view(*sweep));
  }
  return kSuccess;
}

int list_sweeps(const CommonOptions& common) {
  return ask_and_show(
      common, [](const ApiClient& api) { return api.get("/sweeps"); }, items_of(sweeps_view));
}

int show_sweep(std::int64_t id, const CommonOptions& common) {
  return ask_and_show(
      common, [&](const ApiClient& api) { return api.get("/sweeps/" + std::to_string(id)); },
      [](const Json& sweep) {
        return member(sweep, "search").is_null() ? sweep_view(sweep) : search_view(sweep);
      });
}

int cancel_sweep(std::int64_t id, const CommonOptions& common) {
  return ask_and_show(
      common,
      [&](const ApiClient& api) {
        return api.post("/sweeps/" + std::to_string(id) + "/cancel", nullptr);
      },
      sweep_view);
}

int evaluate_remote(const EvaluateOptions& options, const CommonOptions& common) {
  const Json body{
      {"model", options.model}, {"suites", options.suites}, {"priority", options.priority}};
  auto jobs = connect(common).and_then([&](const ApiClient& api) {
    return api.post("/evaluations", body, options.idempotency_key);
  });
  if (!jobs) return report(jobs.error(), common);
  if (options.watch) return watch_jobs(job_ids(*jobs), common);
  if (common.json) {
    print_json(*jobs);
  } else {
    print(jobs_view(jobs->value("items", Json::array())));
  }
  return kSuccess;
}

}  // namespace crucible::server::cli
