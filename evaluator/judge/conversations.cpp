#include "evaluator/judge/conversations.hpp"

#include <algorithm>
#include <chrono>

namespace crucible::judge {
namespace {

constexpr std::uint32_t kAnswerTokens = 1024;
constexpr std::uint64_t kSeed = 1234;

tl::unexpected<Error> bad_line(const std::filesystem::path& file, std::size_t index,
                               std::string_view wants) {
  return fail(ErrorCode::kCorrupt, file.string() + ": entry " + std::to_string(index + 1) +
                                       " needs " + std::string(wants));
}

bool is_texts(const Json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
}

std::string id_of(const Json& line) {
  const auto found = line.find("question_id");
  if (found == line.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();
}

}  // namespace

Result<std::vector<BenchQuestion>> read_questions(const std::filesystem::path& file) {
  const auto lines = read_lines(file);
  if (!lines) return fail(lines.error());
  std::vector<BenchQuestion> questions;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const Json& line = (*lines)[i];
    const std::string id = id_of(line);
    if (id.empty() || !line.contains("turns") || !is_texts(line["turns"]) ||
        line["turns"].empty()) {
      return bad_line(file, i, "a question_id and turns");
    }
    const Json category = line.value("category", Json(""));
    questions.push_back({id, category.is_string() ? category.get<std::string>() : "",
                         line["turns"].get<std::vector<std::string>>()});
  }
  return questions;
}

Result<std::map<std::string, std::vector<std::string>>> read_answers(
    const std::filesystem::path& file) {
  const auto lines = read_lines(file);
  if (!lines) return fail(lines.error());
  std::map<std::string, std::vector<std::string>> answers;
  for (std::size_t i = 0; i < lines->size(); ++i) {
    const Json& line = (*lines)[i];
    const Json choices = line.value("choices", Json());
    const bool good = choices.is_array() && !choices.empty() && choices[0].is_object() &&
                      choices[0].contains("turns") && is_texts(choices[0]["turns"]);
    const std::string id = id_of(line);
    if (id.empty() || !good) return bad_line(file, i, "a question_id and choices with turns");
    answers[id] = choices[0]["turns"].get<std::vector<std::string>>();
  }
  return answers;
}

Json answer_line(const std::string& question, const std::string& model,
                 const std::vector<std::string>& turns) {
  const double time =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const Json number = Json::parse(question, nullptr, false);
  return {{"question_id", number.is_number_integer() ? number : Json(question)},
          {"answer_id", question + "/" + model},
          {"model_id", model},
          {"choices", Json::array({{{"index", 0}, {"turns", turns}}})},
          {"tstamp", time}};
}

double category_temperature(const std::string& category) {
  static const std::map<std::string, double> kTemperatures = {
      {"writing", 0.7}, {"roleplay", 0.7},  {"extraction", 0.0}, {"math", 0.0},
      {"coding", 0.0},  {"reasoning", 0.0}, {"stem", 0.1},       {"humanities", 0.1}};
  const auto found = kTemperatures.find(category);
  return found == kTemperatures.end() ? 0.7 : found->second;
}

task::Task conversation_task(const std::string& name, const std::vector<BenchQuestion>& questions,
                             const std::map<std::string, std::vector<std::string>>& references) {
  task::Task out;
  out.name = name;
  out.alias = name;
  out.version = "1";
  out.output_type = task::OutputType::kConversation;
  out.process_results = "mt_bench";
  out.filters = {{"none", {}}};
  out.generation.max_new_tokens = kAnswerTokens;
  for (const BenchQuestion& question : questions) {
    task::Item item;
    item.doc_id = out.items.size();
    item.id = question.id;
    item.document = {
        {"question_id", question.id}, {"category", question.category}, {"turns", question.turns}};
    const auto reference = references.find(question.id);
    if (reference != references.end()) item.document["reference"] = reference->second;
    item.turns = question.turns;
    item.generation = out.generation;
    item.generation->temperature = category_temperature(question.category);
    item.generation->do_sample = item.generation->temperature > 0;
    item.generation->seed = kSeed;
    out.items.push_back(std::move(item));
  }
  out.original_items = out.items.size();
  out.digest = task::task_digest(out);
  return out;
}

Result<std::vector<std::vector<std::string>>> run_conversations(engine::LanguageModel& model,
                                                                const task::Task& task,
                                                                const engine::Call& call) {
  std::vector<std::vector<std::string>> answers(task.items.size());
  std::vector<std::vector<engine::ChatMessage>> talks(task.items.size());
  for (std::size_t turn = 0;; ++turn) {
    std::vector<engine::GenerationRequest> requests;
    std::vector<std::size_t> asked;
    for (std::size_t i = 0; i < task.items.size(); ++i) {
      const task::Item& item = task.items[i];
      if (turn >= item.turns.size()) continue;
      talks[i].push_back({"user", item.turns[turn]});
      auto text = model.apply_chat_template(talks[i], true);
      if (!text) return fail(std::move(text.error()).with_context("question " + item.id));
      requests.push_back(
          {std::move(*text), talks[i], item.generation ? *item.generation : task.generation, 0});
      asked.push_back(i);
    }
    if (requests.empty()) return answers;
    auto results = model.generate(requests, call);
    if (!results) {
      return fail(std::move(results.error()).with_context("turn " + std::to_string(turn + 1)));
    }
    for (std::size_t k = 0; k < asked.size(); ++k) {
      talks[asked[k]].push_back({"assistant", (*results)[k].text});
      answers[asked[k]].push_back(std::move((*results)[k].text));
    }
  }
}

}  // namespace crucible::judge
