#include "evaluator/task/task_builder.hpp"

#include <algorithm>
#include <utility>

#include "evaluator/task/prompt.hpp"

namespace crucible::task {
namespace {

constexpr std::size_t kShownFaults = 5;

std::string cache_key(const DatasetReference& dataset, const std::string& split,
                      const std::string& process_docs) {
  std::string key = dataset.path + '\n' + dataset.name + '\n' + dataset.revision + '\n' + split +
                    '\n' + process_docs;
  const auto files = dataset.data_files.find(split);
  if (files == dataset.data_files.end()) return key;
  for (const auto& file : files->second) key += '\n' + file.string();
  return key;
}

Columns columns_of(const std::vector<Json>& documents) {
  Columns columns;
  if (documents.empty()) return columns;
  for (const auto& [name, value] : documents.front().items()) columns.insert(name);
  return columns;
}

// What is the same for all documents of a task under construction.
struct Build {
  const TaskDefinition& task;
  const BuildOptions& options;
  const std::vector<Json>* documents = nullptr;
  Columns columns;
  const std::vector<Json>* pool = nullptr;
  bool exclude_document = false;
  std::uint32_t shots = 0;
  bool multiple_input = false;
  bool multiple_target = false;
};

std::string eval_split(const TaskDefinition& task) {
  return task.test_split.empty() ? task.validation_split : task.test_split;
}

// Where worked examples come from: the split asked for, the written samples, else the first of
// training, validation and test split that the task has.
Status find_pool(DocumentStore& store, Build& build) {
  static const std::vector<Json> kNone;
  const TaskDefinition& task = build.task;
  const FewshotSettings& fewshot = task.fewshot;
  build.pool = &kNone;
  if (build.shots == 0) return {};
  const bool v03 = FewshotDraw::is_v03(fewshot.sampler);
  build.exclude_document =
      v03 ? task.training_split.empty() && fewshot.split.empty() : fewshot.split == task.test_split;
  if (fewshot.split.empty() && fewshot.samples) {
    build.pool = &*fewshot.samples;
    return {};
  }
  const std::string split = !fewshot.split.empty()           ? fewshot.split
                            : !task.training_split.empty()   ? task.training_split
                            : !task.validation_split.empty() ? task.validation_split
                                                             : task.test_split;
  const std::string& function = fewshot.split.empty() ? task.process_docs : fewshot.process_docs;
  auto documents = store.documents(task.dataset, split, function);
  if (!documents) return fail(std::move(documents.error()));
  build.pool = *documents;
  return {};
}

Status chosen_examples(const Build& build, std::vector<Json>& chosen) {
  for (const std::size_t index : build.task.fewshot.indices) {
    if (index >= build.pool->size())
      return fail(ErrorCode::kInvalidArgument, "fewshot_indices names document " +
                                                   std::to_string(index) + " of " +
                                                   std::to_string(build.pool->size()));
    chosen.push_back((*build.pool)[index]);
  }
  return {};
}

// Several inputs or several targets: what the first document gives decides for all.
Status look_at_first(Build& build) {
  const TaskDefinition& task = build.task;
  const Json& first = build.documents->front();
  const bool has_choices = task.choice.given();
  if (has_choices) {
    auto text = task.text.text(first, build.columns, true);
    if (!text) return fail(std::move(text.error()).with_context("document 0: doc_to_text"));
    build.multiple_input = text->is_number_integer();
  }
  if (!task.target.given()) return {};
  auto target = task.target.target(first, build.columns, has_choices);
  if (!target) return fail(std::move(target.error()).with_context("document 0: doc_to_target"));
  build.multiple_target = target->is_array() && !target->empty();
  return {};
}

Status build_item(const Build& build, FewshotDraw& draw, const ItemSettings& settings, Item& item) {
  std::vector<Prompt> prompts;
  const OutputType type = build.task.output_type;
  // Rolling text has no context; the draw still happens, as it moves the generator on.
  if (type != OutputType::kConversation && type != OutputType::kLoglikelihoodRolling) {
    auto built =
        build_prompts({build.task, build.options, build.columns, build.multiple_input, build.shots},
                      item.document, draw);
    if (!built) return fail(std::move(built.error()));
    prompts = std::move(*built);
  }
  if (build.task.cluster.given()) {
    auto cluster = build.task.cluster.resolve(item.document);
    if (!cluster) return fail(std::move(cluster.error()).with_context("cluster"));
    item.cluster = std::move(*cluster);
  }
  return fill_item(settings, std::move(prompts), item);
}

bool uses_metric(const TaskDefinition& task, std::string_view name) {
  return std::any_of(task.metrics.begin(), task.metrics.end(),
                     [&](const MetricSetting& metric) { return metric.metric == name; });
}

Status build_items(const Build& build, const std::vector<Json>& pool, Task& task) {
  const FewshotSettings& fewshot = build.task.fewshot;
  const std::uint64_t seed = FewshotDraw::is_v03(fewshot.sampler) ? 42 : build.options.fewshot_seed;
  FewshotDraw draw(fewshot.sampler, pool, seed, build.exclude_document);
  const ItemSettings settings{build.task,
                              build.columns,
                              build.multiple_input,
                              build.multiple_target,
                              static_cast<bool>(build.options.chat),
                              uses_metric(build.task, "acc_mutual_info")};
  std::vector<Fault> faults;
  const std::vector<std::size_t> order = draw.document_order(build.documents->size());
  const std::size_t count = std::min(order.size(), build.options.limit.value_or(order.size()));
  for (std::size_t i = 0; i < count && faults.size() < kShownFaults; ++i) {
    Item item;
    item.doc_id = order[i];
    item.id = std::to_string(order[i]);
    item.document = (*build.documents)[order[i]];
    if (auto status = build_item(build, draw, settings, item); !status) {
      faults.push_back({build.task.place + ": document " + item.id, status.error().message, {}});
    }
    task.items.push_back(std::move(item));
  }
  if (faults.empty()) return {};
  Error error{ErrorCode::kInvalidArgument, build.task.name + ": documents do not fit the task",
              std::move(faults)};
  return fail(std::move(error));
}

std::uint32_t settled_shots(const TaskDefinition& task, const BuildOptions& options) {
  if (options.num_fewshot && task.num_fewshot != 0) return *options.num_fewshot;
  return task.num_fewshot.value_or(0);
}

Task settings_of(const TaskDefinition& definition, std::uint32_t shots) {
  Task task;
  task.name = definition.name;
  task.alias = definition.alias;
  task.version = definition.version;
  task.output_type = definition.output_type;
  task.num_fewshot = shots;
  task.bos = definition.bos;
  task.generation = definition.generation;
  task.repeats = definition.repeats;
  task.attempts = definition.attempts;
  task.retry_temperature_step = definition.retry_temperature_step;
  task.filters = definition.filters;
  task.metrics = definition.metrics;
  task.process_results = definition.process_results;
  task.primary_metric = definition.primary_metric;
  task.primary_filter = definition.primary_filter;
  task.config = shown_config(definition, shots);
  return task;
}

Error in_task(const TaskDefinition& definition, Error error) {
  if (error.faults.empty())
    error.faults = {{definition.place + ": " + definition.name, error.message,
                     error.code == ErrorCode::kNotFound ? definition.data_hint : ""}};
  return error;
}

}  // namespace

Result<const std::vector<Json>*> DocumentStore::documents(const DatasetReference& dataset,
                                                          const std::string& split,
                                                          const std::string& process_docs) {
  const std::string key = cache_key(dataset, split, process_docs);
  if (const auto found = splits_.find(key); found != splits_.end()) return &found->second;
  std::vector<Json> rows;
  const std::string raw_key = cache_key(dataset, split, "");
  if (const auto raw = splits_.find(raw_key); raw != splits_.end()) {
    rows = raw->second;
  } else {
    auto read = source_.rows(dataset, split);
    if (!read) return fail(std::move(read.error()));
    rows = std::move(*read);
  }
  if (!process_docs.empty()) {
    const RowsFunction* function = find_rows_function(process_docs);
    if (function == nullptr) return fail(ErrorCode::kInternal, "no function " + process_docs);
    auto processed = (*function)(std::move(rows), functions_);
    if (!processed)
      return fail(std::move(processed.error()).with_context("process_docs of split " + split));
    rows = std::move(*processed);
  }
  return &splits_.emplace(key, std::move(rows)).first->second;
}

Result<Task> build_task(const TaskDefinition& definition, const BuildOptions& options,
                        DocumentStore& store) {
  const std::uint32_t shots = settled_shots(definition, options);
  Build build{definition, options, nullptr, {}, nullptr, false, shots, false, false};
  // Examples first: functions that draw at random see the same order as in the harness.
  if (auto status = find_pool(store, build); !status)
    return fail(in_task(definition, std::move(status.error())));
  auto documents =
      store.documents(definition.dataset, eval_split(definition), definition.process_docs);
  if (!documents) return fail(in_task(definition, std::move(documents.error())));
  if ((*documents)->empty())
    return fail(in_task(definition, {ErrorCode::kInvalidArgument,
                                     "split " + eval_split(definition) + " has no documents",
                                     {}}));
  build.documents = *documents;
  build.columns = columns_of(**documents);
  if (auto status = look_at_first(build); !status)
    return fail(in_task(definition, std::move(status.error())));
  std::vector<Json> chosen;
  if (!definition.fewshot.indices.empty() && shots > 0) {
    if (auto status = chosen_examples(build, chosen); !status)
      return fail(in_task(definition, std::move(status.error())));
  }
  Task task = settings_of(definition, shots);
  task.original_items = build.documents->size();
  if (auto status = build_items(build, chosen.empty() ? *build.pool : chosen, task); !status)
    return fail(in_task(definition, std::move(status.error())));
  task.digest = task_digest(task);
  return task;
}

}  // namespace crucible::task
