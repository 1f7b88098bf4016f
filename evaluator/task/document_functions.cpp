#include "evaluator/task/document_functions.hpp"

#include <stdexcept>

#include "nlohmann/json.hpp"

namespace crucible::task {
namespace {

struct Tables {
  RowsTable rows;
  ValueTable values;
};

const Tables& tables() {
  static const Tables kTables = [] {
    Tables made;
    add_choice_functions(made.rows, made.values);
    add_reading_functions(made.rows, made.values);
    add_math_functions(made.rows, made.values);
    add_subject_functions(made.rows, made.values);
    add_language_functions(made.rows, made.values);
    add_translated_functions(made.rows, made.values);
    return made;
  }();
  return kTables;
}

using NameTable = std::map<std::string, std::string, std::less<>>;

const NameTable& rules() {
  static const NameTable kRules = {
      {"truthfulqa/utils.process_results_mc2", "truthfulqa_mc2"},
      {"truthfulqa/utils.process_results_gen", "truthfulqa_gen"},
      {"ifeval/utils.process_results", "ifeval"},
      {"hendrycks_math/utils.process_results", "hendrycks_math"},
      {"minerva_math/utils.process_results", "minerva_math"},
      {"leaderboard/math/utils.process_results", "leaderboard_math"},
      {"eq_bench/utils.calculate_score_fullscale", "eq_bench"},
      {"agieval/utils.process_results_mcqa", "agieval_mcqa_generative"},
      {"agieval/utils.process_results", "agieval_math"},
      {"coqa/utils.process_results", "coqa"},
      {"drop/utils.process_results", "drop"},
      {"crows_pairs/utils.process_results", "crows_pairs"},
      {"record/util.process_results", "record"},
      {"wikitext/preprocess_wikitext.process_results", "wikitext"},
      {"okapi/truthfulqa_multilingual/utils.process_results_mc2", "truthfulqa_mc2"},
      {"truthfulqa-multi/utils.process_results_mc2", "truthfulqa_mc2_v03"},
      {"galician_bench/utils.process_results_mc2", "truthfulqa_mc2_v03"},
  };
  return kRules;
}

const NameTable& scoring() {
  static const NameTable kNames = {
      {"ifeval/utils.agg_inst_level_acc", "agg_inst_level_acc"},
      {"cb/aggregate.cb_multi_fi", "cb_multi_fi"},
      {"utils.weighted_f1_score", "weighted_f1"},  // lm_eval/utils.py, brought in by many folders
      {"kobest/utils.macro_f1_score", "macro_f1"},
      {"noreval/norec/utils.multi_f1", "macro_f1"},
      {"metrics.micro_f1_score", "micro_f1"},
      {"bbh/zeroshot/utils.MapRegexFilter", "MapRegexFilter"},
      {"bbh/zeroshot/utils.MultiChoiceRegexFilter", "MultiChoiceRegexFilter"},
      {"bbh/zeroshot/utils.NumberParseRegexFilter", "NumberParseRegexFilter"},
      {"bbh/zeroshot/utils.WordSortFilter", "WordSortFilter"},
      {"bbh/cot_zeroshot/utils.MapRegexFilter", "MapRegexFilter"},
      {"bbh/cot_zeroshot/utils.MultiChoiceRegexFilter", "MultiChoiceRegexFilter"},
      {"bbh/cot_zeroshot/utils.NumberParseRegexFilter", "NumberParseRegexFilter"},
      {"bbh/cot_zeroshot/utils.WordSortFilter", "WordSortFilter"},
  };
  return kNames;
}

std::optional<std::string> name_in(const NameTable& table, std::string_view path) {
  const std::string* name = find_by_ending(table, path);
  return name == nullptr ? std::nullopt : std::optional(*name);
}

Error bad_document(const std::exception& problem) {
  return {ErrorCode::kInvalidArgument,
          std::string("the document does not have what the function needs: ") + problem.what(),
          {}};
}

}  // namespace

std::string with_any_folder(std::string_view path) {
  const std::size_t end = path.rfind('/');
  if (end == std::string_view::npos || end == 0) return std::string(path);
  const std::size_t before = path.rfind('/', end - 1);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  return std::string(path.substr(0, begin)) + "*" + std::string(path.substr(end));
}

const RowsFunction* find_rows_function(std::string_view path) {
  const RowsFunction* own = find_by_ending(tables().rows, path);
  return own != nullptr ? own : find_by_ending(tables().rows, with_any_folder(path));
}

const ValueFunction* find_value_function(std::string_view path) {
  return find_by_ending(tables().values, path);
}

std::optional<std::string> results_rule(std::string_view path) { return name_in(rules(), path); }

std::optional<std::string> scoring_name(std::string_view path) { return name_in(scoring(), path); }

std::string no_counterpart(std::string_view path) {
  return "`!function " + std::string(path) + "` is Python that has no built-in counterpart here";
}

std::vector<std::string> similar_functions(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  std::string_view folder;
  if (slash != std::string_view::npos) {
    const std::size_t before = path.rfind('/', slash - 1);
    folder = path.substr(before == std::string_view::npos ? 0 : before + 1);
    folder = folder.substr(0, folder.find('/') + 1);
  }
  std::vector<std::string> found;
  const auto look = [&](const std::string& key) {
    if (!folder.empty() && key.starts_with(folder)) found.push_back(key);
  };
  for (const auto& [key, value] : tables().rows) look(key);
  for (const auto& [key, value] : tables().values) look(key);
  for (const auto& [key, value] : rules()) look(key);
  for (const auto& [key, value] : scoring()) look(key);
  return found;
}

RowsFunction map_rows(std::function<void(Json&, FunctionState&)> change) {
  return [change = std::move(change)](std::vector<Json> rows,
                                      FunctionState& state) -> Result<std::vector<Json>> {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      try {
        change(rows[i], state);
      } catch (const std::exception& problem) {
        return fail(bad_document(problem).with_context("document " + std::to_string(i)));
      }
    }
    return rows;
  };
}

RowsFunction filter_rows(std::function<bool(const Json&)> keep) {
  return [keep = std::move(keep)](std::vector<Json> rows,
                                  FunctionState& /*state*/) -> Result<std::vector<Json>> {
    std::vector<Json> kept;
    try {
      for (Json& row : rows) {
        if (keep(row)) kept.push_back(std::move(row));
      }
    } catch (const std::exception& problem) {
      return fail(bad_document(problem));
    }
    return kept;
  };
}

ValueFunction guarded(std::function<Json(const Json&)> value) {
  return [value = std::move(value)](const Json& document) -> Result<Json> {
    try {
      return value(document);
    } catch (const std::exception& problem) {
      return fail(bad_document(problem));
    }
  };
}

const std::string& text_at(const Json& document, const char* key) {
  return document.at(key).get_ref<const std::string&>();
}

std::vector<std::string> texts_at(const Json& document, const char* key) {
  return document.at(key).get<std::vector<std::string>>();
}

}  // namespace crucible::task
