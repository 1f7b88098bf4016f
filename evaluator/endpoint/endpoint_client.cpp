#include "evaluator/endpoint/endpoint_client.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "evaluator/endpoint/api_key.hpp"
#include "evaluator/endpoint/http_connection.hpp"
#include "evaluator/endpoint/response_cache.hpp"
#include "merger/base/guarded.hpp"
#include "merger/base/json_text.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::endpoint {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kQuoted = 300;

std::uint64_t count_at(const Json& usage, const char* key, std::uint64_t otherwise) {
  const auto found = usage.find(key);
  return found != usage.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                             : otherwise;
}

// As the server counts; the most that was possible where it does not say.
Usage usage_of(const Json& answer, const Usage& most) {
  if (!answer.is_object() || !answer.contains("usage") || !answer["usage"].is_object()) return most;
  const Json& usage = answer["usage"];
  return {count_at(usage, "prompt_tokens", most.prompt_tokens),
          count_at(usage, "completion_tokens", most.completion_tokens)};
}

ErrorCode code_of_status(int status) {
  if (status == 401 || status == 403) return ErrorCode::kPermission;
  if (status == 404 || status == 405 || status == 501) return ErrorCode::kNotFound;
  if (status >= 300 && status < 400) return ErrorCode::kUnsupported;
  if (is_transient_status(status) || status >= 500) return ErrorCode::kUnavailable;
  return ErrorCode::kInvalidArgument;
}

// {"error": {"message": …}}, {"error": …}, {"message": …}, {"detail": …}, else the body.
std::string server_message(const std::string& body) {
  const Json json = parse_untrusted_json<Json>(body);
  if (!json.is_object()) return body;
  const Json* place = &json;
  if (json.contains("error")) place = &json["error"];
  for (const char* key : {"message", "detail"}) {
    if (place->is_object() && place->contains(key)) place = &(*place)[key];
  }
  if (place->is_string()) return place->get<std::string>();
  return place->dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, kQuoted * 2);
}

// Whether another try may help.
bool is_transient(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kDeadline;
}

struct Attempt {
  Result<Json> answer = fail(ErrorCode::kInternal, "not asked");
  bool transient = false;
  std::optional<milliseconds> retry_after;
};

}  // namespace

struct EndpointClient::Impl {
  Impl(const EndpointOptions& the_options, Url the_url, ApiKey the_key, ResponseCache the_cache)
      : options(the_options),
        url(std::move(the_url)),
        key(std::move(the_key)),
        budget(the_options.budget),
        cache(std::move(the_cache)),
        pause(options.pause ? options.pause : std::shared_ptr<Pause>(real_pause())),
        space(url.text()) {}

  std::unique_ptr<HttpConnection> take_connection() {
    auto kept = idle.with([](auto& connections) -> std::unique_ptr<HttpConnection> {
      if (connections.empty()) return nullptr;
      auto last = std::move(connections.back());
      connections.pop_back();
      return last;
    });
    if (kept) return kept;
    ConnectionOptions settings;
    settings.url = url;
    settings.allow_private = options.allow_private;
    settings.ca_file = options.ca_file;
    settings.authorization = key.authorization();
    settings.connect_time = options.connect_time;
    settings.answer_time = options.answer_time;
    settings.largest_answer = options.largest_answer;
    return std::make_unique<HttpConnection>(std::move(settings));
  }

  Error status_error(const HttpAnswer& answer, const std::string& path) const {
    std::string message = url.text() + " answered " + std::to_string(answer.status) + " to " + path;
    if (answer.status >= 300 && answer.status < 400) {
      message += ": redirects are not followed";
      const std::size_t end = answer.location.find_first_of("?#@");
      if (end == std::string::npos && !answer.location.empty()) {
        message += "; name the endpoint where it is: " + recipe::printable(answer.location, 200);
      }
    } else if (!answer.body.empty()) {
      message += ": " + recipe::printable(key.scrub(server_message(answer.body)), kQuoted);
    }
    return {code_of_status(answer.status), std::move(message), {}};
  }

  Attempt try_once(const Query& query, const std::string& body, const std::stop_token& stop) {
    Attempt attempt;
    auto connection = take_connection();
    auto answer = connection->request(query.path, body, stop);
    idle.with([&](auto& connections) { connections.push_back(std::move(connection)); });
    if (!answer) {
      attempt.transient = is_transient(answer.error());
      attempt.answer = fail(std::move(answer.error()));
      return attempt;
    }
    if (answer->status < 200 || answer->status >= 300) {
      attempt.transient = is_transient_status(answer->status);
      attempt.retry_after = parse_retry_after(answer->retry_after, pause->now());
      attempt.answer = fail(status_error(*answer, query.path));
      return attempt;
    }
    Json json = parse_untrusted_json<Json>(answer->body);
    if (json.is_discarded()) {
      attempt.transient = true;  // some proxies answer 200 with an error page
      const bool number = answer->body.find("NaN") != std::string::npos ||
                          answer->body.find("Infinity") != std::string::npos;
      attempt.answer =
          fail(ErrorCode::kCorrupt,
               url.text() + " answered " + query.path + " with something that is not JSON" +
                   (number ? " (NaN or Infinity stands in it: the model may be broken)" : "") +
                   ": " + recipe::printable(key.scrub(answer->body), kQuoted));
      return attempt;
    }
    attempt.answer = std::move(json);
    return attempt;
  }

  Result<Json> try_often(const Query& query, const std::string& body, const std::stop_token& stop) {
    for (unsigned number = 1;; ++number) {
      Attempt attempt = try_once(query, body, stop);
      if (attempt.answer || !attempt.transient || number >= options.retry.attempts) {
        if (!attempt.answer && number > 1) {
          attempt.answer.error().message += " (after " + std::to_string(number) + " tries)";
        }
        return std::move(attempt.answer);
      }
      milliseconds delay = backoff_delay(options.retry, number, pause->uniform());
      if (attempt.retry_after) {
        if (*attempt.retry_after > options.retry.longest_retry_after) {
          attempt.answer.error().message +=
              " (it asks to wait " + std::to_string(attempt.retry_after->count() / 1000) + " s)";
          return std::move(attempt.answer);
        }
        delay = std::max(delay, *attempt.retry_after);
      }
      pause->wait(delay, stop);
      if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "the request was cancelled");
    }
  }

  // From the kept answers, else from the endpoint. `accept` may refuse.
  Status ask(const Query& query, const std::function<Status(const Json&)>& accept,
             const std::stop_token& stop) {
    const std::string body =
        query.body.is_null() ? "" : query.body.dump(-1, ' ', false, Json::error_handler_t::replace);
    const Digest digest = ResponseCache::key(space, query.path, body);
    const bool keep = query.keep && !body.empty();
    if (const auto kept = keep ? cache.find(digest) : std::nullopt) {
      const Json json = parse_untrusted_json<Json>(*kept);
      if (!json.is_discarded() && accept(json)) return {};
    }
    if (auto free = budget.reserve(query.most, stop); !free) return free;
    auto answer = try_often(query, body, stop);
    budget.settle(query.most, answer ? usage_of(*answer, query.most) : Usage{});
    if (!answer) return fail(std::move(answer.error()));
    if (auto accepted = accept(*answer); !accepted) return accepted;
    if (!keep) return {};
    return cache.store(digest, answer->dump(-1, ' ', false, Json::error_handler_t::replace));
  }

  EndpointOptions options;
  Url url;
  ApiKey key;
  Budget budget;
  ResponseCache cache;
  std::shared_ptr<Pause> pause;
  std::string space;  // of kept answers
  Guarded<std::vector<std::unique_ptr<HttpConnection>>> idle;
};

namespace {

// The threads of one call of ask_all, and what they come to.
class Fleet {
 public:
  using Ask = std::function<Status(std::size_t, const std::stop_token&)>;

  Fleet(std::size_t count, Ask ask, const std::stop_token& outer)
      : count_(count), ask_(std::move(ask)), forward_(outer, [this] { stop_.request_stop(); }) {}

  Status run(unsigned threads, const engine::Call& call) {
    std::vector<std::jthread> workers;
    const auto most = std::min<std::size_t>(threads, count_);
    for (std::size_t i = 0; i < most; ++i) workers.emplace_back([this] { work(); });
    std::unique_lock lock(mutex_);
    std::size_t shown = 0;
    while (running_workers_done_ < most) {
      changed_.wait(lock);
      if (done_ == shown || !call.progress) continue;
      shown = done_;
      lock.unlock();
      call.progress({"evaluate", shown, count_, "requests"});
      lock.lock();
    }
    if (call.stop.stop_requested()) return fail(ErrorCode::kCancelled, "evaluation was cancelled");
    if (!failure_) return {};
    return fail(std::move(*failure_).with_context("request " + std::to_string(failed_)));
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < count_ && !stop_.stop_requested(); i = next_++) {
      auto status = ask_(i, stop_.get_token());
      const std::lock_guard lock(mutex_);
      if (status) {
        ++done_;
      } else if (!failure_ || (i < failed_ && status.error().code != ErrorCode::kCancelled)) {
        failure_ = std::move(status.error());
        failed_ = i;
        stop_.request_stop();
      }
      changed_.notify_all();
    }
    const std::lock_guard lock(mutex_);
    ++running_workers_done_;
    changed_.notify_all();
  }

  std::size_t count_;
  Ask ask_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> forward_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t done_ = 0;
  std::size_t running_workers_done_ = 0;
  std::optional<Error> failure_;
  std::size_t failed_ = 0;
};

}  // namespace

EndpointClient::EndpointClient() = default;
EndpointClient::~EndpointClient() = default;

Result<std::unique_ptr<EndpointClient>> EndpointClient::create(const EndpointOptions& options) {
  if (auto checked = check_options(options); !checked) return fail(std::move(checked.error()));
  auto url = parse_url(options.url);
  if (!url) return fail(std::move(url.error()));
  Result<ApiKey> key = ApiKey();
  if (!options.api_key_env.empty()) key = ApiKey::from_environment(options.api_key_env);
  if (!options.api_key_file.empty()) key = ApiKey::from_file(options.api_key_file);
  if (!key) return fail(std::move(key.error()));
  auto cache = ResponseCache::open(options.cache);
  if (!cache) return fail(std::move(cache.error()).with_context("opening the kept answers"));
  std::unique_ptr<EndpointClient> client(new EndpointClient());
  client->impl_ =
      std::make_unique<Impl>(options, std::move(*url), std::move(*key), std::move(*cache));
  return client;
}

Status EndpointClient::ask_all(const std::vector<Query>& queries, const Accept& accept,
                               const engine::Call& call) {
  if (call.stop.stop_requested()) return fail(ErrorCode::kCancelled, "evaluation was cancelled");
  Fleet fleet(
      queries.size(),
      [&](std::size_t i, const std::stop_token& stop) {
        return impl_->ask(queries[i], [&](const Json& answer) { return accept(i, answer); }, stop);
      },
      call.stop);
  return fleet.run(impl_->options.concurrency, call);
}

Result<Json> EndpointClient::ask(const Query& query, const std::stop_token& stop) {
  Json out;
  auto asked = impl_->ask(
      query,
      [&](const Json& answer) {
        out = answer;
        return Status();
      },
      stop);
  if (!asked) return fail(std::move(asked.error()));
  return out;
}

Status EndpointClient::identify(const std::string& model, const std::vector<double>& logprobs) {
  auto space = impl_->cache.space(impl_->url.text(), model, logprobs);
  if (!space) return fail(std::move(space.error()).with_context("the kept answers"));
  impl_->space = std::move(*space);
  return {};
}

const Url& EndpointClient::url() const { return impl_->url; }
Usage EndpointClient::spent() const { return impl_->budget.spent(); }

Status check_options(const EndpointOptions& options) {
  std::vector<Fault> faults;
  const auto need = [&](bool holds, const char* path, const char* message) {
    if (!holds) faults.push_back({path, message, ""});
  };
  need(options.concurrency >= 1 && options.concurrency <= 256, "concurrency", "must be 1 to 256");
  need(options.batch_size >= 1 && options.batch_size <= 256, "batch_size", "must be 1 to 256");
  need(options.retry.attempts >= 1 && options.retry.attempts <= 100, "attempts",
       "must be 1 to 100");
  need(options.api_key_env.empty() || options.api_key_file.empty(), "api_key",
       "comes from an environment variable or from a file, not from both");
  const BudgetLimits& budget = options.budget;
  need(budget.cost >= 0 && budget.prompt_price >= 0 && budget.completion_price >= 0, "budget",
       "costs and prices cannot be negative");
  need(budget.cost <= 0 || budget.prompt_price > 0 || budget.completion_price > 0, "max_cost",
       "needs the prices of a million tokens: --prompt-price and --completion-price");
  if (faults.empty()) return {};
  return fail(Error{ErrorCode::kInvalidArgument, "the endpoint's settings are wrong", faults});
}

}  // namespace crucible::endpoint
