#include "server/cli/watch.hpp"

#include <cstdio>
#include <deque>
#include <set>

#include "server/cli/progress_line.hpp"
#include "server/cli/views.hpp"

namespace crucible::server::cli {
namespace {

std::string label_of(const Json& job) {
  return "job " + std::to_string(job.value("id", std::int64_t{0})) + " (" + job.value("kind", "") +
         " " + job.value("name", "") + ")";
}

// Shows one job until its end; gives it as it ended.
Result<Json> follow_one(const ApiClient& api, std::int64_t id) {
  auto job = api.get("/jobs/" + std::to_string(id));
  if (!job) return job;
  ProgressLine line(stderr, is_terminal(stderr), label_of(*job));
  std::string last_note;
  std::int64_t after = 0;
  return api.follow(id, after, [&](const Json& event) {
    const std::string note = event_note(event);
    if (event.value("type", "") == "state" && note != last_note) line.note(note);
    if (event.value("type", "") == "state") last_note = note;
    const Progress progress = progress_of(event);
    if (event.value("type", "") == "progress" && !progress.stage.empty()) line.show(progress);
  });
}

}  // namespace

int watch_jobs(const std::vector<std::int64_t>& jobs, const CommonOptions& common) {
  const auto api = connect(common);
  if (!api) return report(api.error(), common);
  std::deque<std::int64_t> waiting(jobs.begin(), jobs.end());
  std::set<std::int64_t> seen(jobs.begin(), jobs.end());
  Json ended = Json::array();
  bool all_good = true;
  while (!waiting.empty()) {
    auto job = follow_one(*api, waiting.front());
    waiting.pop_front();
    if (!job) return report(job.error(), common);
    all_good = all_good && job->value("state", "") == "succeeded";
    for (const Json& child : job->value("children", Json::array())) {
      if (child.is_number_integer() && seen.insert(child.get<std::int64_t>()).second) {
        waiting.push_back(child.get<std::int64_t>());
      }
    }
    if (!common.json && job->value("state", "") != "succeeded") print(job_view(*job));
    ended.push_back(std::move(*job));
  }
  if (common.json) {
    print_json(Json{{"items", std::move(ended)}});
  } else {
    print(jobs_view(ended));
  }
  return all_good ? kSuccess : kJobFailed;
}

}  // namespace crucible::server::cli
