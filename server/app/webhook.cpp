#include "server/app/webhook.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <condition_variable>
#include <mutex>

#include "evaluator/endpoint/http_connection.hpp"
#include "merger/base/io.hpp"
#include "server/api/json.hpp"

namespace crucible::server::app {
namespace {

using namespace std::chrono_literals;

constexpr int kAttempts = 5;
constexpr std::size_t kPage = 200;

// False when it is time to stop.
bool wait(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  changed.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

Status Webhook::start() {
  const auto kept = io::read_text(kept_, 64);
  if (kept) std::from_chars(kept->data(), kept->data() + kept->size(), last_);
  if (!kept) {
    // The first start with an address: what is over is not news.
    auto newest = service_.last_event_id();
    if (!newest) return fail(std::move(newest).error());
    last_ = *newest;
  }
  thread_ = std::jthread([this](const std::stop_token& stop) { follow(stop); });
  return {};
}

void Webhook::follow(const std::stop_token& stop) {
  std::uint64_t seen = 0;
  bool first = true;
  while (wait(500ms, stop)) {
    const std::uint64_t sequence = service_.event_sequence();
    if (!first && sequence == seen) continue;
    first = false;
    const auto events = service_.events(0, last_, kPage);
    if (!events) continue;
    if (events->size() < kPage) seen = sequence;
    for (const JobEvent& event : *events) {
      if (event.type == "state" && is_final(event.state)) tell(event, stop);
      if (stop.stop_requested()) return;
      last_ = event.id;
    }
    if (events->empty()) continue;
    if (auto status = io::replace_file(kept_, std::to_string(last_)); !status) {
      spdlog::warn("webhook: {}", status.error().message);
    }
  }
}

void Webhook::tell(const JobEvent& event, const std::stop_token& stop) {
  const auto job = service_.job(event.job_id);
  if (!job || (job->kind != JobKind::kSweep && (job->sweep_id || job->parent_id))) return;
  api::Json body = {{"event", job->kind == JobKind::kSweep ? "sweep_finished" : "job_finished"},
                    {"job", api::to_json(*job, api::JobDetail::kSummary)}};
  if (job->kind == JobKind::kSweep) {
    const auto sweep = service_.sweep(job->sweep_id.value_or(0));
    if (sweep) body["sweep"] = api::to_json(*sweep);
  }
  const std::string text = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto status = post(text, stop);
    if (status || stop.stop_requested()) return;
    spdlog::warn("webhook: job {}: {}", job->id, status.error().message);
    if (attempt + 1 < kAttempts && !wait(1000ms * (1 << (2 * attempt)), stop)) return;
  }
}

Status Webhook::post(const std::string& body, const std::stop_token& stop) {
  endpoint::ConnectionOptions options;
  options.url = url_;
  options.allow_private = true;  // the operator named it
  options.connect_time = 5s;
  options.answer_time = 10s;
  options.largest_answer = 1 << 20;
  endpoint::HttpConnection connection(std::move(options));
  auto answer = connection.request(url_.path.empty() ? "/" : url_.path, body, stop);
  if (!answer) return fail(std::move(answer).error());
  if (answer->status / 100 == 2) return {};
  return fail(ErrorCode::kUnavailable, fmt::format("the answer was {}", answer->status));
}

}  // namespace crucible::server::app
