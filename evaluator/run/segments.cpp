#include "evaluator/run/segments.hpp"

#include <algorithm>

#include "merger/recipe/text.hpp"

namespace crucible::run {
namespace {

using task::Item;
using task::OutputType;
using task::Task;

constexpr std::size_t kBytesPerToken = 4;

bool generates(const Task& task) {
  return task.output_type == OutputType::kGenerateUntil ||
         task.output_type == OutputType::kConversation;
}

std::size_t common_prefix(std::string_view left, std::string_view right) {
  return static_cast<std::size_t>(std::ranges::mismatch(left, right).in1 - left.begin());
}

// Adds up what the items of a segment are estimated to cost.
class Estimate {
 public:
  void restart() { last_ = {}; }

  std::size_t tokens(const Task& task, const Item& item) {
    std::size_t bytes = 0;
    for (const task::Request& request : item.requests) {
      bytes += request.context.size() - common_prefix(request.context, last_) +
               request.continuation.size();
      last_ = request.context;
    }
    for (const std::string& turn : item.turns) bytes += turn.size();
    std::size_t tokens = bytes / kBytesPerToken + 1;
    if (generates(task)) {
      const auto& settings = item.generation ? *item.generation : task.generation;
      tokens += settings.max_new_tokens * request_count(task, item);
    }
    return tokens;
  }

 private:
  std::string_view last_;  // context of the request before
};

void add_settings(Sha256& hash, const engine::GenerationSettings& settings) {
  hash.field(std::to_string(settings.until.size()));
  for (const std::string& stop : settings.until) hash.field(stop);
  hash.field(std::to_string(settings.max_new_tokens));
  hash.field(settings.do_sample ? "sample" : "greedy");
  hash.field(recipe::number_text(settings.temperature)).field(recipe::number_text(settings.top_p));
  hash.field(std::to_string(settings.top_k)).field(std::to_string(settings.seed));
}

void add_item(Sha256& hash, const Item& item) {
  hash.field(std::to_string(item.requests.size()));
  for (const task::Request& request : item.requests) {
    hash.field(request.context).field(request.continuation);
    hash.field(std::to_string(request.messages.size()));
    for (const auto& message : request.messages) hash.field(message.role).field(message.content);
  }
  hash.field(std::to_string(item.turns.size()));
  for (const std::string& turn : item.turns) hash.field(turn);
  hash.field(item.generation ? "own" : "shared");
  if (item.generation) add_settings(hash, *item.generation);
}

// Whether an answer is asked for again depends on how it is read.
void add_reading(Sha256& hash, const Task& task) {
  hash.field(task.process_results).field(recipe::number_text(task.retry_temperature_step));
  for (const task::FilterPipeline& pipeline : task.filters) {
    hash.field(pipeline.name);
    for (const task::Filter& step : pipeline.steps) {
      hash.field(step.function);
      hash.field(step.arguments.dump(-1, ' ', false, task::Json::error_handler_t::replace));
    }
  }
}

Digest digest_of(const Task& task, std::size_t begin, std::size_t end) {
  Sha256 hash;
  hash.field("crucible.segment.1");
  hash.field(std::to_string(static_cast<int>(task.output_type)));
  hash.field(task.bos == engine::BosRule::kNever ? "never" : "tokenizer");
  if (generates(task)) {
    add_settings(hash, task.generation);
    hash.field(std::to_string(task.repeats)).field(std::to_string(task.attempts));
  }
  if (task.attempts > 1) add_reading(hash, task);
  for (std::size_t i = begin; i < end; ++i) add_item(hash, task.items[i]);
  return hash.finish();
}

}  // namespace

std::size_t request_count(const Task& task, const Item& item) {
  if (task.output_type == OutputType::kConversation) return item.turns.size() * task.repeats;
  if (task.output_type == OutputType::kGenerateUntil) return item.requests.size() * task.repeats;
  return item.requests.size();
}

std::vector<Segment> split(const Task& task, const SegmentLimits& limits) {
  const std::size_t most_tokens =
      generates(task) ? limits.generation_tokens : limits.likelihood_tokens;
  std::vector<Segment> segments;
  Estimate estimate;
  std::size_t begin = 0;
  std::size_t tokens = 0;
  std::size_t requests = 0;
  const auto close = [&](std::size_t end) {
    if (end > begin) segments.push_back({begin, end, digest_of(task, begin, end)});
    begin = end;
    tokens = requests = 0;
  };
  for (std::size_t i = 0; i < task.items.size(); ++i) {
    const std::size_t own = request_count(task, task.items[i]);
    if (tokens >= most_tokens || requests + own > limits.requests) {
      close(i);
      estimate.restart();
    }
    tokens += estimate.tokens(task, task.items[i]);
    requests += own;
  }
  close(task.items.size());
  return segments;
}

Digest segment_key(const Segment& segment, const engine::ModelDescription& model) {
  Sha256 hash;
  hash.field("crucible.results.1");
  hash.field(model.engine).field(model.architecture).field(model.dtype);
  hash.field(std::to_string(model.context_length)).field(model.adds_bos ? "bos" : "no bos");
  hash.field(segment.digest.hex());
  return hash.finish();
}

}  // namespace crucible::run
