#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "evaluator/metric/output_types.hpp"
#include "evaluator/metric/rule.hpp"
#include "evaluator/text/regex.hpp"
#include "evaluator/text/strings.hpp"

// Reading comprehension: SQuAD 2.0 (Rajpurkar et al. 2018), CoQA (Reddy et al. 2019), DROP (Dua et
// al. 2019), as their evaluation scripts compare answers.
namespace crucible::metric {
namespace {

using task::Json;

std::string without_articles(const std::string& value) {
  static const text::Regex kArticles = text::Regex::fixed(R"(\b(a|an|the)\b)");
  const auto plain = kArticles.sub(" ", value);
  return plain ? *plain : value;
}
std::string single_spaced(const std::string& value) {
  return text::join(text::split(std::string_view(value)), " ");
}

std::string squad_normal(const std::string& answer) {
  return single_spaced(without_articles(text::without_ascii_punctuation(text::lower(answer))));
}
double squad_exact(const std::string& gold, const std::string& given) {
  return squad_normal(gold) == squad_normal(given) ? 1 : 0;
}
double squad_f1(const std::string& gold, const std::string& given) {
  const auto expected = text::split(std::string_view(squad_normal(gold)));
  const auto words = text::split(std::string_view(squad_normal(given)));
  if (expected.empty() || words.empty()) return expected.empty() && words.empty() ? 1 : 0;
  std::map<std::string, long> left;
  for (const std::string& word : expected) ++left[word];
  double same = 0;
  for (const std::string& word : words) same += left[word]-- > 0 ? 1 : 0;
  if (same == 0) return 0;
  const double precision = same / static_cast<double>(words.size());
  const double recall = same / static_cast<double>(expected.size());
  return (2 * precision * recall) / (precision + recall);
}

using Compare = double (*)(const std::string&, const std::string&);
double best(const std::vector<std::string>& golds, const std::string& given, Compare compare,
            std::size_t without = static_cast<std::size_t>(-1)) {
  double top = 0;
  for (std::size_t i = 0; i < golds.size(); ++i) {
    if (i != without) top = std::max(top, compare(golds[i], given));
  }
  return top;
}

// Each gold answer left out in turn, so that people and models are measured alike.
double leave_one_out(const std::vector<std::string>& golds, const std::string& given,
                     Compare compare) {
  if (golds.size() < 2) return best(golds, given, compare);
  double sum = 0;
  for (std::size_t i = 0; i < golds.size(); ++i) sum += best(golds, given, compare, i);
  return sum / static_cast<double>(golds.size());
}

bool is_number(const std::string& word) {
  double value = 0;
  return text::parse_float(word, value);
}

std::string drop_normal(const std::string& answer) {
  static const text::Regex kSeparator = text::Regex::fixed(" |-");
  const auto pieces = kSeparator.split(answer);
  std::vector<std::string> tokens;
  for (std::string token : pieces ? *pieces : std::vector<std::string>{answer}) {
    token = text::lower(token);
    if (!is_number(token)) token = text::without_ascii_punctuation(token);
    double value = 0;
    if (text::parse_float(token, value)) token = text::float_repr(value);
    token = single_spaced(without_articles(token));
    if (!text::strip(token).empty()) tokens.push_back(token);
  }
  return std::string(text::strip(text::join(tokens, " ")));
}

using Bag = std::set<std::string>;
Bag bag_of(const std::string& normal) {
  const auto words = text::split(std::string_view(normal));
  return {words.begin(), words.end()};
}

double bag_f1(const Bag& given, const Bag& gold) {
  const auto shared = static_cast<double>(std::count_if(
      gold.begin(), gold.end(), [&](const auto& word) { return given.contains(word); }));
  const double precision = given.empty() ? 1 : shared / static_cast<double>(given.size());
  const double recall = gold.empty() ? 1 : shared / static_cast<double>(gold.size());
  return precision == 0 && recall == 0 ? 0 : (2 * precision * recall) / (precision + recall);
}

// A gold span with numbers counts only where one of them is in the answer.
bool numbers_agree(const Bag& given, const Bag& gold) {
  bool any = false;
  for (const std::string& word : gold) {
    if (!is_number(word)) continue;
    any = true;
    if (given.contains(word)) return true;
  }
  return !any;
}

struct DropScore {
  double exact = 0;
  double f1 = 0;
};
// One answer against the spans of one gold answer: the best span, over the number of spans.
DropScore drop_score(const std::string& answer, const std::vector<std::string>& gold) {
  const std::string given = drop_normal(answer);
  const Bag given_bag = bag_of(given);
  double top = 0;
  std::set<std::string> normals;
  for (const std::string& span : gold) {
    const std::string normal = drop_normal(span);
    normals.insert(normal);
    const Bag gold_bag = bag_of(normal);
    if (numbers_agree(given_bag, gold_bag)) top = std::max(top, bag_f1(given_bag, gold_bag));
  }
  const double f1 = top / static_cast<double>(std::max<std::size_t>(gold.size(), 1));
  return {gold.size() == 1 && normals == std::set<std::string>{given} ? 1.0 : 0.0,
          std::nearbyint(f1 * 100) / 100};
}

std::vector<std::string> texts(const Json& value) {
  std::vector<std::string> out;
  if (!value.is_array()) return {python_text(value)};
  for (const Json& one : value) out.push_back(python_text(one));
  return out;
}

}  // namespace

Result<Outcome> squad_rule(const RuleInput& in) {
  const auto answers = in.item.document.find("answers");
  const bool listed = answers != in.item.document.end() && answers->contains("text") &&
                      (*answers)["text"].is_array();
  if (!listed) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id + ": field `answers.text` is no list");
  }
  std::vector<std::string> golds;
  for (const Json& one : (*answers)["text"]) {
    if (one.is_string() && !squad_normal(one.get<std::string>()).empty()) {
      golds.push_back(one.get<std::string>());
    }
  }
  const std::string kind = golds.empty() ? "NoAns" : "HasAns";
  if (golds.empty()) golds.emplace_back();
  const MetricValue exact = number(100 * best(golds, in.answer, squad_exact));
  const MetricValue f1 = number(100 * best(golds, in.answer, squad_f1));
  Outcome out;
  out.metrics = {{"exact", exact}, {"f1", f1}, {kind + "_exact", exact}, {kind + "_f1", f1}};
  return out;
}

// ReCoRD (Zhang et al. 2018): the likeliest entity against the right ones.
Result<Outcome> record_rule(const RuleInput& in) {
  const auto values = option_logprobs(in);
  if (!values) return fail(values.error());
  const auto field = [&](const char* key) {
    const auto found = in.item.document.find(key);
    return found == in.item.document.end() ? std::vector<std::string>{} : texts(*found);
  };
  const std::vector<std::string> entities = field("entities");
  if (entities.size() != values->size()) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id + ": field `entities` does not fit the options");
  }
  const std::string& given = entities[argmax(*values)];
  Outcome out;
  out.metrics["f1"] = number(best(field("answers"), given, squad_f1));
  out.metrics["em"] = number(best(field("answers"), given, squad_exact));
  return out;
}

Result<Outcome> coqa_rule(const RuleInput& in) {
  const std::vector<std::string> golds = texts(in.item.target);
  const std::string given = text::split(text::strip(in.answer), "\n").front();
  Outcome out;
  out.metrics["em"] = number(leave_one_out(golds, given, squad_exact));
  out.metrics["f1"] = number(leave_one_out(golds, given, squad_f1));
  return out;
}

Result<Outcome> drop_rule(const RuleInput& in) {
  const auto answers = in.item.document.find("answers");
  if (answers == in.item.document.end() || !answers->is_array()) {
    return fail(ErrorCode::kInvalidArgument,
                "document " + in.item.id + ": field `answers` is no list");
  }
  DropScore top;
  for (const Json& answer : *answers) {
    const std::vector<std::string> gold = texts(answer);
    if (gold.empty() || text::strip(gold.front()).empty()) continue;
    const DropScore score = drop_score(in.answer, gold);
    top.exact = std::max(top.exact, score.exact);
    top.f1 = std::max(top.f1, score.f1);
  }
  Outcome out;
  out.metrics["em"] = number(top.exact);
  out.metrics["f1"] = number(top.f1);
  return out;
}

}  // namespace crucible::metric
