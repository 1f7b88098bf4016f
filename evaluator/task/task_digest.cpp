#include "evaluator/task/task.hpp"

#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

void add_count(Sha256& hash, std::size_t count) { hash.field(std::to_string(count)); }

// JSON with keys in their order and broken UTF-8 replaced: the same text for the same value.
void add_json(Sha256& hash, const Json& value) {
  hash.field(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void add_generation(Sha256& hash, const engine::GenerationSettings& settings) {
  add_count(hash, settings.until.size());
  for (const std::string& stop : settings.until) hash.field(stop);
  add_count(hash, settings.max_new_tokens);
  hash.field(settings.do_sample ? "sample" : "greedy");
  if (!settings.do_sample) return;
  hash.field(recipe::number_text(settings.temperature)).field(recipe::number_text(settings.top_p));
  add_count(hash, settings.top_k);
  hash.field(std::to_string(settings.seed));
}

void add_requests(Sha256& hash, const Item& item) {
  add_count(hash, item.requests.size());
  for (const Request& request : item.requests) {
    hash.field(request.context).field(request.continuation);
    add_count(hash, request.messages.size());
    for (const engine::ChatMessage& message : request.messages) {
      hash.field(message.role).field(message.content);
    }
  }
}

void add_item(Sha256& hash, const Item& item, bool with_document) {
  add_requests(hash, item);
  add_count(hash, item.choices.size());
  for (const std::string& choice : item.choices) hash.field(choice);
  add_count(hash, item.gold.size());
  for (const std::size_t index : item.gold) add_count(hash, index);
  add_json(hash, item.target);
  add_count(hash, item.turns.size());
  for (const std::string& turn : item.turns) hash.field(turn);
  hash.field(item.generation ? "own" : "shared");
  if (item.generation) add_generation(hash, *item.generation);
  if (with_document) add_json(hash, item.document);  // a named rule may read any field
}

void add_scoring(Sha256& hash, const Task& task) {
  add_count(hash, task.filters.size());
  for (const FilterPipeline& pipeline : task.filters) {
    hash.field(pipeline.name);
    add_count(hash, pipeline.steps.size());
    for (const Filter& step : pipeline.steps) {
      hash.field(step.function);
      add_json(hash, step.arguments);
    }
  }
  add_count(hash, task.metrics.size());
  for (const MetricSetting& metric : task.metrics) {
    hash.field(metric.metric).field(metric.aggregation);
    hash.field(metric.higher_is_better ? "higher" : "lower");
    add_json(hash, metric.arguments);
  }
  hash.field(task.process_results);
}

}  // namespace

Digest task_digest(const Task& task) {
  Sha256 hash;
  hash.field("crucible.task.2");
  add_count(hash, static_cast<std::size_t>(task.output_type));
  hash.field(task.bos == engine::BosRule::kNever ? "never" : "tokenizer");
  add_generation(hash, task.generation);
  add_count(hash, task.repeats);
  add_count(hash, task.attempts);
  hash.field(recipe::number_text(task.retry_temperature_step));
  add_scoring(hash, task);
  add_count(hash, task.items.size());
  for (const Item& item : task.items) add_item(hash, item, !task.process_results.empty());
  return hash.finish();
}

}  // namespace crucible::task
