#include <algorithm>
#include <map>
#include <set>

#include "evaluator/task/folder_datasets.hpp"
#include "evaluator/task/import_shapes.hpp"
#include "evaluator/task/items.hpp"
#include "evaluator/task/python_random.hpp"
#include "evaluator/task/row_files.hpp"
#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"

// Multiple-choice sets from the files of their own repositories.
namespace crucible::task {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileLimit = 256ULL << 20;

const DatasetPart& part_of(const KnownDataset& dataset, std::string_view config,
                           std::string_view split) {
  return *std::ranges::find_if(dataset.parts, [&](const DatasetPart& part) {
    return part.config == config && part.split == split;
  });
}

Result<Json> same(const Json& row) { return row; }

// AGIEval's prompt, options and golds, as the suite format `agieval` makes them.
Status read_agieval_choices(const DatasetPart& part, const fs::path& file, FoundDataset& found) {
  std::vector<Fault> faults;
  const auto items = read_items(file, {ItemFormat::Kind::kAgieval, {}, " "}, faults);
  if (!faults.empty()) {
    return fail(
        Error{ErrorCode::kCorrupt, file.string() + " is not a file of AGIEval", std::move(faults)});
  }
  FoundPart rows{part, {}, {}, true};
  for (const Item& item : items) {
    rows.rows.push_back(
        {{"query", item.requests.front().context}, {"choices", item.choices}, {"gold", item.gold}});
  }
  found.parts.push_back(std::move(rows));
  found.sources.push_back(file);
  return {};
}

Result<Json> agieval_cloze(const Json& row) {
  const Json passage = row.value("passage", Json());
  const std::string text = passage.is_string() ? passage.get<std::string>() : "";
  return Json{
      {"query", text + "Q: " + row.at("question").get<std::string>() + "\nA: The answer is"},
      {"answer", row.at("answer").get<std::string>()}};
}

Status read_agieval(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  constexpr std::string_view kPrefix = "hails/agieval-";
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.path.substr(kPrefix.size()) + ".jsonl";
    const std::vector<std::string> names = {name, "v1/" + name, "data/v1/" + name};
    Status status;
    if (part.path == "hails/agieval-math") {
      status = files.add(part, names, agieval_cloze, found);
    } else if (const auto file = files.find(names); file && !found.has(part)) {
      status = read_agieval_choices(part, *file, found);
    }
    if (!status) return status;
  }
  return {};
}

// A record of the original files (no header, a letter) or of a copy with header and number.
Result<Json> mmlu_row(const std::vector<std::string>& record, const std::string& subject) {
  if (record.size() != 6) {
    return fail(ErrorCode::kCorrupt,
                "a record has " + std::to_string(record.size()) + " fields instead of 6");
  }
  const std::string& key = record[5];
  const bool is_letter = key.size() == 1 && key[0] >= 'A' && key[0] <= 'D';
  const bool is_number = key.size() == 1 && key[0] >= '0' && key[0] <= '3';
  if (!is_letter && !is_number) {
    return fail(ErrorCode::kCorrupt, "the answer '" + key + "' is neither A to D nor 0 to 3");
  }
  return Json{{"question", record[0]},
              {"subject", subject},
              {"choices", {record[1], record[2], record[3], record[4]}},
              {"answer", is_letter ? key[0] - 'A' : key[0] - '0'}};
}

// One split of the Hub's folder `all`, which holds the subjects one after the other.
Status read_mmlu_of_all(const KnownDataset& dataset, const fs::path& place, const char* split,
                        FoundDataset& found) {
  DatasetReference all;
  all.path = ".";
  all.name = "all";
  FolderDatasets folder({place});
  const auto sources = folder.find(all, split);
  if (sources.empty()) return {};
  auto rows = folder.rows(all, split);
  if (!rows) return fail(std::move(rows.error()));
  std::map<std::string, std::vector<Json>> subjects;
  for (Json& row : *rows) {
    const Json subject = row.value("subject", Json());
    if (subject.is_string()) subjects[subject.get<std::string>()].push_back(std::move(row));
  }
  for (const DatasetPart& part : dataset.parts) {
    const auto own = subjects.find(part.config);
    if (part.split != split || own == subjects.end() || found.has(part)) continue;
    found.parts.push_back({part, {}, std::move(own->second), true});
  }
  found.sources.insert(found.sources.end(), sources.begin(), sources.end());
  return {};
}

Status read_mmlu(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.split + "/" + part.config + "_" + part.split + ".csv";
    const auto file = files.find({name, "data/" + name});
    if (!file || found.has(part)) continue;
    const auto text = io::read_text(*file, kFileLimit);
    if (!text) return fail(text.error());
    auto records = parse_csv(*text, ',');
    if (!records) return fail(std::move(records.error()).with_context(file->string()));
    FoundPart rows{part, {}, {}, true};
    for (std::size_t i = 0; i < records->size(); ++i) {
      if (i == 0 && !(*records)[0].empty() && (*records)[0][0] == "question") continue;
      auto row = mmlu_row((*records)[i], part.config);
      if (!row) {
        return fail(
            std::move(row.error()).with_context(file->string() + ": record " + std::to_string(i)));
      }
      rows.rows.push_back(std::move(*row));
    }
    found.parts.push_back(std::move(rows));
    found.sources.push_back(*file);
  }
  for (const fs::path& place : hub_folders(dataset.parts.front(), files.place())) {
    for (const char* split : {"test", "dev"}) {
      if (auto status = read_mmlu_of_all(dataset, place, split, found); !status) return status;
    }
  }
  return {};
}

Json truthfulqa_targets(const Json& answers) {
  Json targets = {{"choices", Json::array()}, {"labels", Json::array()}};
  for (const auto& [answer, label] : answers.items()) {
    targets["choices"].push_back(answer);
    targets["labels"].push_back(label.get<int>());
  }
  return targets;
}

Result<Json> truthfulqa_row(const Json& row) {
  return Json{{"question", row.at("question").get<std::string>()},
              {"mc1_targets", truthfulqa_targets(row.at("mc1_targets"))},
              {"mc2_targets", truthfulqa_targets(row.at("mc2_targets"))}};
}

Status read_truthfulqa(const KnownDataset& dataset, const UpstreamFiles& files,
                       FoundDataset& found) {
  return files.add(dataset.parts[0], {"mc_task.json", "v0/mc_task.json", "data/v0/mc_task.json"},
                   truthfulqa_row, found);
}

// Two contexts that differ in the option. Where the options begin alike the border between context
// and option is not known, but any border at a space gives the same prompts.
Result<Json> winogrande_row(const Json& row) {
  const auto contexts = row.at("context_options").get<std::vector<std::string>>();
  const auto gold = row.at("gold").get<std::size_t>();
  if (contexts.size() != 2 || gold > 1) {
    return fail(ErrorCode::kCorrupt, "there are not two contexts, or gold is neither 0 nor 1");
  }
  const std::string &first = contexts[0], &second = contexts[1];
  const auto [end, other] = std::ranges::mismatch(first, second);
  const std::size_t common = static_cast<std::size_t>(end - first.begin());
  const std::size_t space = common == 0 ? std::string::npos : first.rfind(' ', common - 1);
  const std::size_t border = space == std::string::npos ? 0 : space + 1;
  return Json{
      {"sentence", first.substr(0, border) + "_ " + row.at("continuation").get<std::string>()},
      {"option1", first.substr(border)},
      {"option2", second.substr(border)},
      {"answer", std::to_string(gold + 1)}};
}

Result<Json> winogrande_original(const Json& row) {
  Json out = row;
  if (!out.at("answer").is_string() || !out.at("sentence").is_string()) {
    return fail(ErrorCode::kCorrupt, "answer or sentence is no text");
  }
  return out;
}

Status read_winogrande(const KnownDataset& dataset, const UpstreamFiles& files,
                       FoundDataset& found) {
  const DatasetPart& train = part_of(dataset, "winogrande_xl", "train");
  const DatasetPart& validation = part_of(dataset, "winogrande_xl", "validation");
  for (const auto& [part, name] :
       {std::pair(&validation, "dev.jsonl"), {&train, "train_xl.jsonl"}}) {
    if (auto status = files.add(*part, {name, "winogrande_1.1/" + std::string(name)},
                                winogrande_original, found);
        !status) {
      return status;
    }
  }
  if (!files.find({"winogrande.jsonl"})) return {};
  found.notes.push_back(
      "the file holds contexts that are already filled in: where both options begin with the same "
      "word, that word is taken as part of the sentence; prompts are the same");
  return files.add(validation, {"winogrande.jsonl"}, winogrande_row, found);
}

Status read_bbh(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.config + ".json";
    const auto file = files.find({"bbh/" + name, name});
    if (!file || found.has(part)) continue;
    auto text = io::read_text(*file, kFileLimit);
    if (!text) return fail(std::move(text.error()));
    const Json root = parse_untrusted_json<Json>(*text);
    if (!root.is_object() || !root.contains("examples") || !root["examples"].is_array()) {
      return fail(ErrorCode::kCorrupt, file->string() + " is not a task of BIG-bench Hard");
    }
    auto rows = convert_rows(*file, root["examples"].get<std::vector<Json>>(),
                             [](const Json& row) -> Result<Json> {
                               return Json{{"input", row.at("input").get<std::string>()},
                                           {"target", row.at("target").get<std::string>()}};
                             });
    if (!rows) return fail(std::move(rows.error()));
    found.parts.push_back({part, {}, std::move(*rows), true});
    found.sources.push_back(*file);
  }
  return {};
}

// The prompt of the Nous fork of the harness (lm_eval/tasks/bigbench.py): prefix, input, for some
// tasks the options in the order of numpy's RandomState(42), and the answer's header.
Result<Json> bigbench_row(const Json& task, const Json& example) {
  const Json& scores = example.at("target_scores");
  std::vector<std::string> choices, sorted;
  double best = -1e300;
  for (const auto& [choice, score] : scores.items()) {
    choices.push_back(choice);
    best = std::max(best, score.get<double>());
  }
  sorted = choices;
  std::ranges::sort(sorted);
  std::string query = task.value("task_prefix", "") + task.value("example_input_prefix", "\nQ: ") +
                      example.at("input").get<std::string>();
  if (task.value("append_choices_to_input", true)) {
    const std::string prefix = task.value("choice_prefix", "\n  choice: ");
    for (const std::size_t place : numpy_permutation(42, sorted.size())) {
      query += prefix + sorted[place];
    }
  }
  query += task.value("example_output_prefix", "\nA: ");
  Json gold = Json::array();
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (scores.at(choices[i]).get<double>() == best) gold.push_back(i);
  }
  return Json{{"query", query}, {"choices", choices}, {"gold", gold}, {"target_scores", scores}};
}

Status read_bigbench(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.config + ".json";
    const auto file = files.find({name, "bigbench_resources/" + name});
    if (!file || found.has(part)) continue;
    auto text = io::read_text(*file, kFileLimit);
    if (!text) return fail(std::move(text.error()));
    const Json task = parse_untrusted_json<Json>(*text);
    if (!task.is_object() || !task.contains("examples") || !task["examples"].is_array()) {
      return fail(ErrorCode::kCorrupt, file->string() + " is not a task of BIG-bench");
    }
    std::vector<Json> unique;  // equal examples count once
    std::set<std::string> seen;
    for (const Json& example : task["examples"]) {
      if (seen.insert(example.dump()).second) unique.push_back(example);
    }
    auto rows = convert_rows(*file, unique,
                             [&](const Json& example) { return bigbench_row(task, example); });
    if (!rows) return fail(std::move(rows.error()));
    found.parts.push_back({part, {}, std::move(*rows), true});
    found.sources.push_back(*file);
  }
  return {};
}

// {"stem", "choices": [{"text", "label"}]} of AI2's own files.
Json ai2_choices(const Json& choices) {
  Json columns = {{"text", Json::array()}, {"label", Json::array()}};
  for (const Json& choice : choices) {
    columns["text"].push_back(choice.at("text").get<std::string>());
    columns["label"].push_back(choice.at("label").get<std::string>());
  }
  return columns;
}

Result<Json> arc_row(const Json& row) {
  const Json& question = row.at("question");
  return Json{{"id", row.value("id", "")},
              {"question", question.at("stem").get<std::string>()},
              {"choices", ai2_choices(question.at("choices"))},
              {"answerKey", row.at("answerKey").get<std::string>()}};
}

Status read_arc(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string split = part.split == "train"        ? "Train"
                              : part.split == "validation" ? "Dev"
                                                           : "Test";
    const std::string name = part.config + "-" + split + ".jsonl";
    if (auto status = files.add(part, {name, part.config + "/" + name}, arc_row, found); !status) {
      return status;
    }
  }
  return {};
}

Result<Json> openbookqa_row(const Json& row) {
  const Json& question = row.at("question");
  return Json{{"id", row.value("id", "")},
              {"question_stem", question.at("stem").get<std::string>()},
              {"choices", ai2_choices(question.at("choices"))},
              {"answerKey", row.at("answerKey").get<std::string>()}};
}

Status read_openbookqa(const KnownDataset& dataset, const UpstreamFiles& files,
                       FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = (part.split == "validation" ? "dev" : part.split) + ".jsonl";
    if (auto status =
            files.add(part, {name, "Data/Main/" + name, "Main/" + name}, openbookqa_row, found);
        !status) {
      return status;
    }
  }
  return {};
}

Result<Json> hellaswag_row(const Json& row) {
  Json out = row;
  const Json& label = row.at("label");
  out["label"] = label.is_string() ? label.get<std::string>() : std::to_string(label.get<int>());
  return out;
}

// "activity: context" with its endings in one, as some copies have it; the prompt is the same.
Result<Json> hellaswag_ready(const Json& row) {
  const std::string query = row.at("query").get<std::string>();
  const std::size_t colon = query.find(": ");
  if (colon == std::string::npos) return fail(ErrorCode::kCorrupt, "query has no activity and ':'");
  return Json{{"activity_label", query.substr(0, colon)},
              {"ctx_a", query.substr(colon + 2)},
              {"ctx_b", ""},
              {"endings", row.at("choices").get<std::vector<std::string>>()},
              {"label", std::to_string(row.at("gold").get<int>())}};
}

Status read_hellaswag(const KnownDataset& dataset, const UpstreamFiles& files,
                      FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name =
        part.split == "train" ? "hellaswag_train.jsonl" : "hellaswag_val.jsonl";
    if (auto status = files.add(part, {name, "data/" + name}, hellaswag_row, found); !status) {
      return status;
    }
  }
  return files.add(part_of(dataset, "", "validation"), {"hellaswag.jsonl", "hellaswag_small.jsonl"},
                   hellaswag_ready, found);
}

Result<Json> boolq_row(const Json& row) {
  return Json{{"question", row.at("question").get<std::string>()},
              {"passage", row.at("passage").get<std::string>()},
              {"label", row.at("answer").get<bool>() ? 1 : 0}};
}

Status read_boolq(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.split == "train" ? "train.jsonl" : "dev.jsonl";
    if (auto status = files.add(part, {name}, boolq_row, found); !status) return status;
  }
  if (found.parts.empty()) return {};
  found.notes.push_back(
      "rows of BoolQ's own files stand in their own order, which may differ from SuperGLUE's");
  return {};
}

Result<std::vector<int>> piqa_labels(const fs::path& file) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(text.error());
  std::vector<int> labels;
  for (const char c : *text) {
    if (c == '0' || c == '1') labels.push_back(c - '0');
    if (std::string_view("01\r\n").find(c) == std::string_view::npos) {
      return fail(ErrorCode::kCorrupt, file.string() + " holds more than lines of 0 and 1");
    }
  }
  return labels;
}

Status read_piqa(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string stem = part.split == "train" ? "train" : "valid";
    const std::string folder = "physicaliqa-train-dev/";
    const std::string other = part.split == "train" ? "train" : "dev";
    const auto file = files.find({stem + ".jsonl", folder + other + ".jsonl", other + ".jsonl"});
    const auto label_file =
        files.find({stem + "-labels.lst", folder + other + "-labels.lst", other + "-labels.lst"});
    if (!file || !label_file || found.has(part)) continue;
    auto rows = read_rows(*file);
    if (!rows) return fail(std::move(rows.error()));
    const auto labels = piqa_labels(*label_file);
    if (!labels) return fail(labels.error());
    if (labels->size() != rows->size()) {
      return fail(ErrorCode::kCorrupt, label_file->string() + " has " +
                                           std::to_string(labels->size()) + " labels for " +
                                           std::to_string(rows->size()) + " rows");
    }
    for (std::size_t i = 0; i < rows->size(); ++i) (*rows)[i]["label"] = (*labels)[i];
    found.parts.push_back({part, {}, std::move(*rows), true});
    found.sources.push_back(*file);
    found.sources.push_back(*label_file);
  }
  return {};
}

// The authors' CSV files are the Hub's; only their names are not those of splits.
Status read_gpqa(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name = part.config + ".csv";
    if (auto status = files.add(part, {name, "dataset/" + name}, same, found); !status) {
      return status;
    }
  }
  return {};
}

Status read_musr(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string stem = part.split == "murder_mysteries" ? "murder_mystery" : part.split;
    if (auto status = files.add(part, {stem + ".csv", part.split + ".csv"}, same, found); !status) {
      return status;
    }
  }
  return {};
}

}  // namespace

UpstreamReader choice_reader(const std::string& name) {
  static const std::map<std::string, UpstreamReader> kReaders = {{"agieval", read_agieval},
                                                                 {"logiqa", read_agieval},
                                                                 {"mmlu", read_mmlu},
                                                                 {"truthfulqa", read_truthfulqa},
                                                                 {"winogrande", read_winogrande},
                                                                 {"bbh", read_bbh},
                                                                 {"bigbench_nous", read_bigbench},
                                                                 {"arc", read_arc},
                                                                 {"openbookqa", read_openbookqa},
                                                                 {"hellaswag", read_hellaswag},
                                                                 {"boolq", read_boolq},
                                                                 {"piqa", read_piqa},
                                                                 {"gpqa", read_gpqa},
                                                                 {"musr", read_musr}};
  const auto found = kReaders.find(name);
  return found == kReaders.end() ? nullptr : found->second;
}

}  // namespace crucible::task
