#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>

#include "evaluator/task/import_shapes.hpp"
#include "evaluator/template/template.hpp"
#include "evaluator/text/strings.hpp"
#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"

// Sets whose answers are written, and running text, from the files of their own repositories.
namespace crucible::task {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileLimit = 256ULL << 20;
constexpr std::size_t kProblemLimit = 100'000;  // files of one subject

// The multilingual edition marks the language in front of each instruction.
Result<Json> ifeval_row(const Json& row) {
  constexpr std::string_view kLanguage = "en:";
  Json out = {{"key", row.at("key")},
              {"prompt", row.at("prompt").get<std::string>()},
              {"instruction_id_list", Json::array()},
              {"kwargs", row.at("kwargs")}};
  for (const Json& id : row.at("instruction_id_list")) {
    const std::string text = id.get<std::string>();
    out["instruction_id_list"].push_back(text.starts_with(kLanguage) ? text.substr(kLanguage.size())
                                                                     : text);
  }
  if (!out["kwargs"].is_array() || out["kwargs"].size() != out["instruction_id_list"].size()) {
    return fail(ErrorCode::kCorrupt, "kwargs and instruction_id_list do not match");
  }
  return out;
}

Status read_ifeval(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  return files.add(dataset.parts[0],
                   {"en_input_data.jsonl", "input_data.jsonl", "data/input_data.jsonl",
                    "ifeval_input_data.jsonl", "instruction_following_eval.jsonl"},
                   ifeval_row, found);
}

// The questions of one file by number, in the file's order.
Result<std::vector<Json>> eq_bench_rows(const fs::path& file) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(text.error());
  const Json root = parse_untrusted_json<Json>(*text);
  if (!root.is_object()) {
    return fail(ErrorCode::kCorrupt, file.string() + " is not a file of EQ-Bench questions");
  }
  std::vector<Json> questions;
  for (const auto& [id, question] : root.items()) {
    if (!question.is_object()) {
      return fail(ErrorCode::kCorrupt, file.string() + ": question " + id + " is not an object");
    }
    Json row = {{"question_id", id}};
    row.update(question);
    questions.push_back(std::move(row));
  }
  return questions;
}

// remove_revision_instructions of EQ-Bench (lib/run_bench_helper_functions.py, MIT), as version 2.1
// asks: without critique and revision.
Result<Json> first_pass_row(const Json& row) {
  const std::string whole = row.at("prompt").get<std::string>();
  std::string prompt = text::replace(
      whole,
      " Then critique your answer by thinking it through step by step. Finally, give your revised "
      "scores.",
      "");
  prompt = text::replace(prompt, "First pass scores:\n", "");
  const std::size_t critique = prompt.find("Critique: <your critique here>");
  const std::size_t end = prompt.find("[End of answer]");
  if (critique == std::string::npos || end == std::string::npos) {
    return fail(ErrorCode::kCorrupt, "the prompt has no critique to be cut out");
  }
  prompt = prompt.substr(0, critique) + "\n" + prompt.substr(end) + "\nYour answer:\n";
  return Json{
      {"prompt", prompt},
      {"reference_answer", templating::python_str(row.at("reference_answer"))},
      {"reference_answer_fullscale", templating::python_str(row.at("reference_answer_fullscale"))}};
}

Status read_eq_bench(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string name =
        part.config == "v1" ? "eq_bench_v1_questions_60.json" : "eq_bench_v2_questions_171.json";
    const auto file = files.find({name, "data/" + name});
    if (!file || found.has(part)) continue;
    auto rows = eq_bench_rows(*file);
    if (!rows) return fail(std::move(rows.error()));
    if (part.path != "eq_bench") {
      rows = convert_rows(*file, *rows, first_pass_row);
      if (!rows) return fail(std::move(rows.error()));
    }
    found.parts.push_back({part, {}, std::move(*rows), true});
    found.sources.push_back(*file);
  }
  return {};
}

// algebra/0.json, 1.json, … by number.
Result<std::vector<fs::path>> numbered_files(const fs::path& folder) {
  std::vector<std::pair<long, fs::path>> numbered;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end;
       it.increment(failure)) {
    const std::string stem = it->path().stem().string();
    long number = 0;
    const auto parsed = std::from_chars(stem.data(), stem.data() + stem.size(), number);
    const bool is_number = parsed.ec == std::errc() && parsed.ptr == stem.data() + stem.size();
    if (it->path().extension() == ".json" && is_number) numbered.emplace_back(number, it->path());
    if (numbered.size() > kProblemLimit) {
      return fail(ErrorCode::kInvalidArgument, folder.string() + " holds too many files");
    }
  }
  if (failure) return fail(ErrorCode::kIo, folder.string() + ": " + failure.message());
  std::ranges::sort(numbered);
  std::vector<fs::path> files;
  for (auto& [number, file] : numbered) files.push_back(std::move(file));
  return files;
}

Status read_math(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    fs::path folder = files.place() / part.split / part.config;
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
      folder = files.place() / "MATH" / part.split / part.config;
    if (!fs::is_directory(folder, ignored) || found.has(part)) continue;
    const auto problems = numbered_files(folder);
    if (!problems) return fail(problems.error());
    FoundPart rows{part, {}, {}, true};
    for (const fs::path& file : *problems) {
      const auto text = io::read_text(file, kFileLimit);
      if (!text) return fail(text.error());
      Json row = parse_untrusted_json<Json>(*text);
      if (!row.is_object()) return fail(ErrorCode::kCorrupt, file.string() + " is not an object");
      rows.rows.push_back(std::move(row));
    }
    found.parts.push_back(std::move(rows));
    found.sources.push_back(folder);
  }
  if (found.parts.empty()) return {};
  found.notes.push_back("problems stand in the order of their numbers, not in the Hub's");
  return {};
}

// " = Title = " begins an article, " = = Section = = " does not.
bool begins_article(const std::string& line) {
  const std::string joined = text::replace(text::replace(line, "= = =", "==="), "= =", "==");
  const std::string_view stripped = text::strip(joined);
  return stripped.starts_with("= ") && stripped.ends_with(" =");
}

std::vector<Json> articles(const std::string& text) {
  std::vector<Json> pages;
  std::string page;
  bool first_line = true;
  const auto close = [&] {
    if (!text::strip(page).empty()) {
      pages.push_back({{"page", page}});
      page.clear();
      first_line = true;
    }
  };
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (begins_article(line)) close();
    page += (first_line ? "" : "\n") + line;
    first_line = false;
  }
  close();
  return pages;
}

Status read_wikitext(const KnownDataset& dataset, const UpstreamFiles& files, FoundDataset& found) {
  for (const DatasetPart& part : dataset.parts) {
    const std::string stem = part.split == "validation" ? "valid" : part.split;
    const std::string name = "wiki." + stem + ".raw";
    const auto file = files.find({name, "wikitext-2-raw/" + name});
    if (!file || found.has(part)) continue;
    const auto text = io::read_text(*file, kFileLimit);
    if (!text) return fail(text.error());
    found.parts.push_back({part, {}, articles(*text), true});
    found.sources.push_back(*file);
  }
  return {};
}

}  // namespace

UpstreamReader generation_reader(const std::string& name) {
  static const std::map<std::string, UpstreamReader> kReaders = {{"ifeval", read_ifeval},
                                                                 {"eq_bench", read_eq_bench},
                                                                 {"math", read_math},
                                                                 {"wikitext", read_wikitext}};
  const auto found = kReaders.find(name);
  return found == kReaders.end() ? nullptr : found->second;
}

}  // namespace crucible::task
