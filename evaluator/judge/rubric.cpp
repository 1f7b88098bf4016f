#include "evaluator/judge/rubric.hpp"

#include <nlohmann/json.hpp>

#include "merger/base/io.hpp"
#include "merger/base/json_text.hpp"
#include "merger/recipe/text.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::judge {
namespace {

using Json = nlohmann::json;
using recipe::YamlNode;

constexpr std::uint64_t kFileLimit = 4ULL << 20;

std::size_t index_of(const PromptUse& use) {
  return (use.pair ? 4U : 0U) + (use.reference ? 2U : 0U) + (use.later_turn ? 1U : 0U);
}

// Calls `on_text` and `on_name` for the parts of a template in order.
template <typename OnText, typename OnName>
Status scan(std::string_view text, const OnText& on_text, const OnName& on_name) {
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find_first_of("{}"), text.size());
    on_text(text.substr(0, brace));
    text.remove_prefix(brace);
    if (text.empty()) break;
    if (text.size() > 1 && text[1] == text[0]) {
      on_text(text.substr(0, 1));
      text.remove_prefix(2);
      continue;
    }
    const std::size_t end = text.find('}');
    if (text[0] == '}' || end == std::string_view::npos) {
      return fail(ErrorCode::kInvalidArgument,
                  "a judge's prompt has a lone brace; write {{ or }} for one that is meant");
    }
    if (auto known = on_name(std::string(text.substr(1, end - 1))); !known) return known;
    text.remove_prefix(end + 1);
  }
  return {};
}

// Placeholders that a prompt may have.
bool is_known(const std::string& name, const PromptUse& use) {
  if (name == "question") return true;
  static const std::set<std::string> kTurns = {"question_1", "question_2", "ref_answer_1",
                                               "ref_answer_2"};
  if (kTurns.contains(name)) return true;
  static const std::set<std::string> kSingle = {"answer", "answer_1", "answer_2"};
  static const std::set<std::string> kPair = {"answer_a",   "answer_b",   "answer_a_1",
                                              "answer_a_2", "answer_b_1", "answer_b_2"};
  return (use.pair ? kPair : kSingle).contains(name);
}

// What is wrong with a prompt's text; "" if nothing.
std::string text_fault(const std::string& text, const PromptUse& use) {
  const auto names = placeholders(text);
  if (!names) return names.error().message;
  bool has_answer = false;
  for (const std::string& name : *names) {
    if (!is_known(name, use)) return "{" + recipe::printable(name) + "} has no value here";
    has_answer = has_answer || name.starts_with("answer");
  }
  return has_answer ? "" : "shows the judge no answer";
}

struct NamedUse {
  const char* name;
  PromptUse use;
};
constexpr NamedUse kMtBench[] = {
    {"single-v1", {false, false, false}},     {"single-v1-multi-turn", {false, false, true}},
    {"single-math-v1", {false, true, false}}, {"single-math-v1-multi-turn", {false, true, true}},
    {"pair-v2", {true, false, false}},        {"pair-v2-multi-turn", {true, false, true}},
    {"pair-math-v1", {true, true, false}},    {"pair-math-v1-multi-turn", {true, true, true}}};
constexpr NamedUse kOwn[] = {{"single", {false, false, false}},
                             {"single_later_turn", {false, false, true}},
                             {"single_reference", {false, true, false}},
                             {"single_reference_later_turn", {false, true, true}},
                             {"pair", {true, false, false}},
                             {"pair_later_turn", {true, false, true}},
                             {"pair_reference", {true, true, false}},
                             {"pair_reference_later_turn", {true, true, true}}};

// A rubric file being read.
class RubricReader {
 public:
  Result<Rubric> read(const YamlNode& root) {
    if (!root.is_map()) return fail(ErrorCode::kInvalidArgument, "a rubric is a map");
    for (const auto& entry : root.entries) {
      const YamlNode& value = entry.value;
      if (entry.key == "name") {
        rubric_.name = value.scalar;
      } else if (entry.key == "scale") {
        read_scale(value);
      } else if (entry.key == "reference_categories") {
        for (const YamlNode& item : value.items) rubric_.reference_categories.insert(item.scalar);
      } else if (entry.key == "prompts") {
        read_prompts(value);
      } else {
        fault(entry.key, "is not a key of a rubric");
      }
    }
    if (rubric_.name.empty()) fault("name", "is missing");
    if (!has_prompt_) fault("prompts", "needs at least `single` or `pair`");
    if (faults_.empty()) return std::move(rubric_);
    return fail(Error{ErrorCode::kInvalidArgument, "the rubric is wrong", std::move(faults_)});
  }

 private:
  void fault(const std::string& path, std::string message) {
    faults_.push_back({path, std::move(message), ""});
  }

  void read_scale(const YamlNode& node) {
    std::optional<double> least;
    std::optional<double> most;
    if (node.is_sequence() && node.items.size() == 2) {
      least = recipe::parse_number(node.items[0].scalar);
      most = recipe::parse_number(node.items[1].scalar);
    }
    if (!least || !most || *least >= *most) {
      return fault("scale", "must be the lowest and the highest rating, such as [1, 10]");
    }
    rubric_.least = *least;
    rubric_.most = *most;
  }

  void read_prompts(const YamlNode& node) {
    for (const auto& entry : node.entries) {
      const std::string path = "prompts." + entry.key;
      const NamedUse* known = nullptr;
      for (const NamedUse& one : kOwn) {
        if (entry.key == one.name) known = &one;
      }
      const YamlNode* text = entry.value.find("text");
      const YamlNode* system = entry.value.find("system");
      if (known == nullptr) {
        fault(path, "is not a kind of prompt");
      } else if (text == nullptr || !text->is_scalar()) {
        fault(path + ".text", "is missing");
      } else if (const std::string wrong = text_fault(text->scalar, known->use); !wrong.empty()) {
        fault(path + ".text", wrong);
      } else {
        rubric_.set(known->use,
                    {entry.key, system != nullptr ? system->scalar : std::string(), text->scalar});
        has_prompt_ = true;
      }
    }
  }

  Rubric rubric_;
  std::vector<Fault> faults_;
  bool has_prompt_ = false;
};

}  // namespace

const JudgePrompt* Rubric::find(const PromptUse& use) const {
  const auto& prompt = prompts_[index_of(use)];
  return prompt ? &*prompt : nullptr;
}

void Rubric::set(const PromptUse& use, JudgePrompt prompt) {
  prompts_[index_of(use)] = std::move(prompt);
}

Digest Rubric::digest() const {
  Sha256 hash;
  hash.field("crucible rubric 1")
      .field(recipe::number_text(least))
      .field(recipe::number_text(most));
  for (const std::string& category : reference_categories) hash.field(category);
  for (const auto& prompt : prompts_) {
    hash.field(prompt ? "1" : "0");
    if (prompt) hash.field(prompt->name).field(prompt->system).field(prompt->text);
  }
  return hash.finish();
}

Result<std::string> fill(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  auto scanned = scan(
      text, [&](std::string_view part) { out += part; },
      [&](const std::string& name) -> Status {
        const auto found = values.find(name);
        if (found == values.end()) {
          return fail(ErrorCode::kInvalidArgument, "the judge's prompt wants {" +
                                                       recipe::printable(name) +
                                                       "}, which this item does not have");
        }
        out += found->second;
        return {};
      });
  if (!scanned) return fail(std::move(scanned.error()));
  return out;
}

Result<std::set<std::string>> placeholders(std::string_view text) {
  std::set<std::string> names;
  auto scanned = scan(
      text, [](std::string_view) {},
      [&](const std::string& name) {
        names.insert(name);
        return Status();
      });
  if (!scanned) return fail(std::move(scanned.error()));
  return names;
}

Result<Rubric> read_mt_bench_prompts(const std::filesystem::path& file) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(text.error());
  Rubric rubric;
  rubric.name = "mt-bench";
  rubric.reference_categories = {"math", "reasoning", "coding"};
  std::size_t number = 0;
  for (std::size_t start = 0; start < text->size();) {
    const std::size_t end = std::min(text->find('\n', start), text->size());
    const std::string_view line = std::string_view(*text).substr(start, end - start);
    start = end + 1;
    ++number;
    if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
    const Json json = parse_untrusted_json<Json>(line);
    const auto text_of = [&](const char* key) {
      return json.is_object() && json.contains(key) && json[key].is_string()
                 ? std::optional(json[key].get<std::string>())
                 : std::nullopt;
    };
    const auto name = text_of("name");
    const auto system = text_of("system_prompt");
    const auto prompt = text_of("prompt_template");
    if (!name || !system || !prompt) {
      return fail(ErrorCode::kCorrupt, file.string() + ":" + std::to_string(number) +
                                           ": not a judge's prompt (name, system_prompt, "
                                           "prompt_template)");
    }
    for (const NamedUse& one : kMtBench) {
      if (*name != one.name) continue;
      if (const std::string wrong = text_fault(*prompt, one.use); !wrong.empty()) {
        return fail(ErrorCode::kCorrupt,
                    file.string() + ":" + std::to_string(number) + ": " + wrong);
      }
      rubric.set(one.use, {*name, *system, *prompt});
    }
  }
  for (const NamedUse& one : kMtBench) {
    if (rubric.find(one.use) == nullptr) {
      return fail(ErrorCode::kCorrupt, file.string() + " has no prompt `" + one.name + "`");
    }
  }
  return rubric;
}

Result<Rubric> read_rubric(const std::filesystem::path& file) {
  const auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(text.error());
  auto document = recipe::parse_yaml(*text);
  if (!document) return fail(std::move(document.error()).with_context(file.string()));
  if (!document->faults.empty()) {
    return fail(
        Error{ErrorCode::kInvalidArgument, file.string() + " is no plain YAML", document->faults});
  }
  auto rubric = RubricReader().read(document->root);
  if (!rubric) return fail(std::move(rubric.error()).with_context(file.string()));
  return rubric;
}

}  // namespace crucible::judge
