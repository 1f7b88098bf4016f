#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "evaluator/run/compare_reports.hpp"
#include "evaluator/run/line_reader.hpp"
#include "evaluator/run/report_files.hpp"
#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"

// Items' values on their way to disk and back.
namespace crucible::run {
namespace {

namespace fs = std::filesystem;
using task::Json;

constexpr std::uint64_t kLargestResults = 64ULL << 20;
constexpr std::size_t kMostFiles = 10'000;

bool is_weighted(const std::string& aggregation) {
  return aggregation == "weighted_perplexity" || aggregation == "bits_per_byte";
}

Json metrics_json(const metric::ItemScore& score) {
  Json json = Json::object();
  for (const auto& [name, value] : score.metrics) {
    if (value.numbers.size() == 1) {
      json[name] = value.numbers.front();
    } else if (!value.numbers.empty()) {
      json[name] = value.numbers;
    }
  }
  return json;
}

void add_answers(Json& line, const metric::Responses& responses) {
  if (!responses.loglikelihoods.empty()) {
    line["logprobs"] = Json::array();
    line["greedy"] = Json::array();
    for (const auto& one : responses.loglikelihoods) {
      line["logprobs"].push_back(one.sum_logprob);
      line["greedy"].push_back(one.is_greedy);
    }
  }
  if (!responses.rolling.empty()) {
    line["logprobs"] = Json::array();
    for (const auto& one : responses.rolling) line["logprobs"].push_back(one.sum_logprob);
  }
  if (!responses.generations.empty()) line["generations"] = responses.generations;
}

const metric::ItemScore* score_under(const Sample& sample, const std::string& filter) {
  for (const metric::ItemScore& score : sample.scores) {
    if (score.filter == filter) return &score;
  }
  return sample.scores.empty() ? nullptr : &sample.scores.front();
}

std::string doc_hash(const task::Item& item) {
  Sha256 hash;
  hash.update(item.document.dump(-1, ' ', false, Json::error_handler_t::replace));
  for (const std::string& choice : item.choices) hash.field(choice);
  if (item.document.is_null() && !item.requests.empty()) hash.field(item.requests.front().context);
  return hash.finish().hex();
}

// What was asked, for people: the end of it, which is where items differ.
std::string shown_prompt(const task::Item& item) {
  constexpr std::size_t kMostBytes = 4000;
  std::string prompt;
  for (const std::string& turn : item.turns) prompt += (prompt.empty() ? "" : "\n\n") + turn;
  if (prompt.empty() && !item.requests.empty()) prompt = item.requests.front().context;
  if (prompt.size() <= kMostBytes) return prompt;
  std::size_t first = prompt.size() - kMostBytes;
  while (first < prompt.size() && (static_cast<unsigned char>(prompt[first]) & 0xC0U) == 0x80U) {
    ++first;  // not in the middle of a character
  }
  return "…" + prompt.substr(first);
}

std::string compact_line(const task::Task& task, const Sample& sample,
                         const task::MetricSetting& primary) {
  const task::Item& item = task.items[sample.item];
  const metric::ItemScore* score = score_under(sample, task.primary_filter);
  Json line{{"task", task.name},
            {"metric", primary.metric},
            {"filter", task.primary_filter},
            {"higher_is_better", primary.higher_is_better},
            {"doc_id", item.doc_id},
            {"document_id", item.id},
            {"doc_hash", doc_hash(item)},
            {"cluster", item.cluster}};
  std::optional<double> value;
  if (score != nullptr) {
    const auto found = score->metrics.find(primary.metric);
    if (found != score->metrics.end()) value = item_value(primary.aggregation, found->second);
    line["metrics"] = metrics_json(*score);
  }
  line["value"] = value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
  if (!item.gold.empty()) line["gold"] = item.gold;
  line["prompt"] = shown_prompt(item);
  if (!item.choices.empty()) line["choices"] = item.choices;
  add_answers(line, sample.responses);
  if (sample.truncated) line["truncated"] = true;
  if (!sample.note.empty()) line["note"] = sample.note;
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

task::MetricSetting primary_of(const task::Task& task) {
  for (const task::MetricSetting& metric : task.metrics) {
    if (metric.metric == task.primary_metric) return metric;
  }
  return {task.primary_metric, "mean", true, Json::object()};
}

// Calls `take` with each line's JSON.
template <typename Take>
Status for_each_line(const fs::path& path, Take&& take) {
  auto reader = LineReader::open(path);
  if (!reader) return fail(std::move(reader.error()));
  while (true) {
    auto line = reader->next();
    if (!line) return fail(std::move(line.error()));
    if (!*line) return {};
    if ((*line)->empty()) continue;
    const Json json = parse_untrusted_json<Json>(**line);
    try {
      if (!json.is_object()) throw std::invalid_argument("is not a JSON object");
      take(json);
    } catch (const std::exception& fault) {
      return fail(ErrorCode::kCorrupt, path.string() + ", line " +
                                           std::to_string(reader->number()) + ": " + fault.what());
    }
  }
}

struct ResultsFile {
  fs::path path;
  std::string time;
};

// results_<time>.json below a folder, oldest first, all of one model.
Result<std::vector<ResultsFile>> results_files(const fs::path& folder) {
  std::map<std::string, ResultsFile> by_time;
  std::set<fs::path> parents;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (++seen > kMostFiles) {
      return fail(ErrorCode::kInvalidArgument, folder.string() + " holds too many files");
    }
    const std::string name = it->path().filename().string();
    if (!name.starts_with("results_") || !name.ends_with(".json")) continue;
    const std::string time = name.substr(8, name.size() - 13);
    by_time[time + name] = {it->path(), time};
    parents.insert(it->path().parent_path());
  }
  if (error) {
    return fail(ErrorCode::kNotFound, "cannot read " + folder.string() + ": " + error.message());
  }
  if (by_time.empty()) {
    return fail(ErrorCode::kNotFound, folder.string() +
                                          " holds no results_*.json; `crucible eval "
                                          "--out` writes them");
  }
  if (parents.size() > 1) {
    std::string message = folder.string() + " holds results of several models; name one of:";
    for (const fs::path& parent : parents) message += " " + parent.string();
    return fail(ErrorCode::kInvalidArgument, std::move(message));
  }
  std::vector<ResultsFile> files;
  for (auto& [key, file] : by_time) files.push_back(std::move(file));
  return files;
}

// The metric that a task's results file says counts; the harness's own files do not say.
void choose_metric(const Json& results, ScoredTask& task, const Json& first_line) {
  if (const auto own = results.find("crucible"); own != results.end()) {
    const Json& tasks = own->at("tasks");
    if (const auto found = tasks.find(task.task); found != tasks.end()) {
      task.metric = found->at("primary_metric");
      task.filter = found->at("primary_filter");
    }
  }
  if (task.metric.empty()) {
    const Json& metrics = first_line.at("metrics");
    task.filter = first_line.value("filter", "none");
    for (const Json& name : metrics) {
      if (task.metric.empty() || name == "acc_norm") task.metric = name;
    }
  }
  const auto direction = results.find("higher_is_better");
  if (direction != results.end() && direction->contains(task.task)) {
    const Json& own = direction->at(task.task);
    if (own.contains(task.metric) && own.at(task.metric).is_boolean()) {
      task.higher_is_better = own.at(task.metric);
    }
  }
}

// The library would also convert a number past the type's range.
std::size_t doc_id_of(const Json& line) {
  return line.at("doc_id").get_ref<const Json::number_unsigned_t&>();
}

// An item's value in a line of the harness's form.
std::optional<double> value_of(const Json& line, const ScoredTask& task) {
  if (const auto own = line.find("crucible"); own != line.end()) {
    const Json& value = own->at("value");
    return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
  }
  const auto found = line.find(task.metric);
  if (found == line.end()) return std::nullopt;
  if (found->is_boolean()) return found->get<bool>() ? 1.0 : 0.0;
  if (found->is_number()) return found->get<double>();
  if (found->is_array() && found->size() == 2 && !task.higher_is_better) {
    return -found->at(0).get<double>() / found->at(1).get<double>();  // perplexities
  }
  return std::nullopt;
}

Result<ScoredTask> read_samples(const fs::path& path, const std::string& name,
                                const Json& results) {
  ScoredTask task{name, "", "", true, {}};
  auto status = for_each_line(path, [&](const Json& line) {
    if (task.metric.empty()) choose_metric(results, task, line);
    if (line.value("filter", "none") != task.filter) return;
    const auto value = value_of(line, task);
    if (!value || !std::isfinite(*value)) return;
    std::string cluster;
    if (const auto own = line.find("crucible"); own != line.end()) cluster = own->at("cluster");
    task.items.push_back({doc_id_of(line), line.value("doc_hash", ""), std::move(cluster), *value});
  });
  if (!status) return fail(std::move(status.error()));
  return task;
}

}  // namespace

std::optional<double> item_value(const std::string& aggregation, const metric::MetricValue& value) {
  if (!value.texts.empty() || value.numbers.empty()) return std::nullopt;
  const std::vector<double>& numbers = value.numbers;
  if (is_weighted(aggregation)) {
    if (numbers.size() != 2) return std::nullopt;
    return -numbers[0] / numbers[1];
  }
  if (aggregation == "perplexity") return -numbers[0];
  if (aggregation == "eq_bench_total") {  // {first, revised}, NaN where unreadable
    for (const double pass : {numbers.back(), numbers.front()}) {
      if (!std::isnan(pass)) return pass;
    }
    return std::nullopt;
  }
  if (aggregation == "f1" || aggregation == "mcc" || aggregation == "matthews_corrcoef") {
    if (numbers.size() != 2) return std::nullopt;
    return numbers[0] == numbers[1] ? 1.0 : 0.0;
  }
  double sum = 0;
  for (const double number : numbers) sum += number;
  return sum / static_cast<double>(numbers.size());
}

std::string compact_samples(const task::Suite& suite, const EvaluationReport& report) {
  std::string text;
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    const task::MetricSetting primary = primary_of(suite.tasks[i]);
    for (const Sample& sample : report.tasks[i].samples) {
      text += compact_line(suite.tasks[i], sample, primary);
    }
  }
  return text;
}

Result<std::vector<ScoredTask>> read_compact_samples(const fs::path& file) {
  std::vector<ScoredTask> tasks;
  auto status = for_each_line(file, [&](const Json& line) {
    const std::string name = line.at("task");
    if (tasks.empty() || tasks.back().task != name) {
      tasks.push_back(
          {name, line.at("metric"), line.at("filter"), line.at("higher_is_better"), {}});
    }
    if (!line.at("value").is_number()) return;
    tasks.back().items.push_back(
        {doc_id_of(line), line.at("doc_hash"), line.at("cluster"), line.at("value").get<double>()});
  });
  if (!status) return fail(std::move(status.error()));
  return tasks;
}

Result<std::vector<ScoredTask>> read_report_folder(const fs::path& folder) {
  auto files = results_files(folder);
  if (!files) return fail(std::move(files.error()));
  std::map<std::string, ScoredTask> tasks;  // later files win
  for (const ResultsFile& file : *files) {
    auto text = io::read_text(file.path, kLargestResults);
    if (!text) return fail(std::move(text.error()));
    const Json results = parse_untrusted_json<Json>(*text);
    if (!results.is_object() || !results.contains("configs") || !results["configs"].is_object()) {
      return fail(ErrorCode::kCorrupt, file.path.string() + " is no results file");
    }
    for (const auto& [name, config] : results["configs"].items()) {
      const fs::path samples = file.path.parent_path() / ("samples_" + sanitized_model_name(name) +
                                                          "_" + file.time + ".jsonl");
      auto task = read_samples(samples, name, results);
      if (!task) return fail(std::move(task.error()));
      tasks[name] = std::move(*task);
    }
  }
  std::vector<ScoredTask> list;
  for (auto& [name, task] : tasks) list.push_back(std::move(task));
  return list;
}

}  // namespace crucible::run
