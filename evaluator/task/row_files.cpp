#include "evaluator/task/row_files.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "evaluator/task/builtin_files.hpp"
#include "evaluator/task/csv_values.hpp"
#include "evaluator/task/parquet.hpp"
#include "merger/base/io.hpp"
#include "merger/recipe/text.hpp"

namespace crucible::task {
namespace {

constexpr std::uint64_t kFileLimit = 2ULL << 30;
constexpr int kDepthLimit = 64;
constexpr std::size_t kRowLimit = 50'000'000;

tl::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

// A value within the depth limit; discarded where it is none.
Json parse_limited(std::string_view text, bool& too_deep) {
  too_deep = false;
  const Json::parser_callback_t watch = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDepthLimit) too_deep = true;
    return !too_deep;
  };
  return Json::parse(text, watch, false);
}

std::string_view next_line(std::string_view text, std::size_t& begin) {
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  const std::string_view line = text.substr(begin, end - begin);
  begin = end + 1;
  return line;
}

Result<std::vector<Json>> parse_json_lines(std::string_view text) {
  std::vector<Json> rows;
  std::size_t number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::string_view line = next_line(text, begin);
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    bool too_deep = false;
    Json row = parse_limited(line, too_deep);
    const std::string place = "line " + std::to_string(number);
    if (too_deep) return bad(place + " is nested too deeply");
    if (!row.is_object()) return bad(place + " is not a JSON object in UTF-8");
    if (rows.size() >= kRowLimit) return bad("more than 50,000,000 rows");
    rows.push_back(std::move(row));
  }
  return rows;
}

bool is_list_of_objects(const Json& value) {
  return value.is_array() &&
         std::all_of(value.begin(), value.end(), [](const Json& row) { return row.is_object(); });
}

// Columns as lists of one length: {"question": [...], "answer": [...]}.
Result<std::vector<Json>> rows_of_columns(const Json& columns) {
  const std::size_t count = columns.begin()->size();
  std::vector<Json> rows(count, Json::object());
  for (const auto& [name, values] : columns.items()) {
    if (!values.is_array() || values.size() != count)
      return bad("is neither a list of objects nor an object with one");
    for (std::size_t i = 0; i < count; ++i) rows[i][name] = values[i];
  }
  return rows;
}

// Where a text stops being JSON.
std::string json_problem(std::string_view text) {
  try {
    const Json value = Json::parse(text);
    return "is not JSON in UTF-8";
  } catch (const Json::parse_error& problem) {
    const std::size_t at = std::min<std::size_t>(problem.byte, text.size());
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(at == 0 ? 0 : at - 1);
    return "line " + std::to_string(std::count(text.begin(), end, '\n') + 1) +
           " is not JSON in UTF-8";
  } catch (const Json::exception&) {
    return "holds a number that is too large";
  }
}

// Lines of running text, each one row, as the loader `text` has them.
std::vector<Json> text_lines(std::string_view text) {
  std::vector<Json> rows;
  for (std::size_t begin = 0; begin < text.size();) {
    std::string_view line = next_line(text, begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    rows.push_back({{"text", line}});
  }
  return rows;
}

Result<std::vector<Json>> parse_json(std::string_view text) {
  bool too_deep = false;
  Json whole = parse_limited(text, too_deep);
  if (too_deep) return bad("is nested too deeply");
  if (whole.is_discarded()) {
    std::size_t begin = 0;  // many .json files hold JSON Lines
    if (parse_limited(next_line(text, begin), too_deep).is_object()) return parse_json_lines(text);
    return bad(json_problem(text));
  }
  if (is_list_of_objects(whole)) return whole.get<std::vector<Json>>();
  if (!whole.is_object() || whole.empty()) return bad("is not a list of objects");
  const Json* list = nullptr;
  std::size_t lists = 0;
  for (const Json& value : whole) {
    if (!is_list_of_objects(value) || value.empty()) continue;
    list = &value;
    ++lists;
  }
  if (lists == 1) return list->get<std::vector<Json>>();
  const bool one_row =
      std::none_of(whole.begin(), whole.end(), [](const Json& value) { return value.is_array(); });
  if (one_row) return std::vector<Json>{std::move(whole)};
  return rows_of_columns(whole);
}

// `lines`: where each record begins.
Result<std::vector<Json>> rows_of_records(std::vector<std::vector<std::string>> records,
                                          const std::vector<std::size_t>& lines,
                                          const RowOptions& options) {
  std::vector<std::string> names = options.column_names;
  const std::size_t header = names.empty() ? 1 : 0;
  if (names.empty()) {
    if (records.empty()) return bad("has no header line");
    names = std::move(records.front());
    records.erase(records.begin());
    if (!names.empty() && names[0].starts_with("\xEF\xBB\xBF")) names[0].erase(0, 3);
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (records[i].size() > names.size())
      return bad("line " + std::to_string(lines[i + header]) + " has " +
                 std::to_string(records[i].size()) + " fields, the header " +
                 std::to_string(names.size()));
    records[i].resize(names.size());
  }
  std::vector<Json> rows(records.size(), Json::object());
  for (std::size_t column = 0; column < names.size(); ++column) {
    std::vector<std::string> cells;
    for (auto& record : records) cells.push_back(std::move(record[column]));
    std::vector<Json> values = typed_column(std::move(cells));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i][names[column]] = std::move(values[i]);
  }
  return rows;
}

// What a column's numbers are: 1 and 2.5 in one column are both floats, also inside lists.
struct NumberKinds {
  bool integers = false;
  bool floats = false;

  void look(const Json& value) {
    if (value.is_array()) {
      for (const Json& part : value) look(part);
    }
    integers = integers || value.is_number_integer();
    floats = floats || value.is_number_float();
  }
  static void make_float(Json& value) {
    if (value.is_array()) {
      for (Json& part : value) make_float(part);
    } else if (value.is_number_integer()) {
      value = value.get<double>();
    }
  }
};

std::string ending_of(const std::filesystem::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  });
  return ending;
}

}  // namespace

void unify_columns(std::vector<Json>& rows) {
  std::vector<std::string> names;
  std::map<std::string, NumberKinds> kinds;
  bool complete = true;
  for (const Json& row : rows) {
    for (const auto& [name, value] : row.items()) {
      const auto [kind, added] = kinds.try_emplace(name);
      if (added) names.push_back(name);
      complete = complete && (!added || &row == rows.data());
      kind->second.look(value);
    }
    complete = complete && row.size() == names.size();
  }
  for (Json& row : rows) {
    if (!complete) {
      Json filled = Json::object();
      for (const std::string& name : names) {
        const auto found = row.find(name);
        filled[name] = found == row.end() ? Json() : std::move(*found);
      }
      row = std::move(filled);
    }
    for (const auto& [name, kind] : kinds) {
      if (kind.integers && kind.floats) NumberKinds::make_float(row[name]);
    }
  }
}

Result<std::vector<std::vector<std::string>>> parse_csv(std::string_view text, char separator,
                                                        std::vector<std::size_t>* lines) {
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> record;
  std::string field;
  bool quoted = false;
  bool was_quoted = false;
  std::size_t line = 1;
  std::size_t quote_line = 0;
  std::size_t record_line = 1;
  const auto end_field = [&] {
    record.push_back(std::move(field));
    field.clear();
    was_quoted = false;
  };
  const auto end_record = [&] {
    if (record.empty() && field.empty() && !was_quoted) return;
    end_field();
    records.push_back(std::move(record));
    record.clear();
    if (lines != nullptr) lines->push_back(record_line);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c != '"') {
        field.push_back(c);
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        field.push_back('"');
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty() && !was_quoted) {
      quoted = was_quoted = true;
      quote_line = line;
    } else if (c == separator) {
      end_field();
    } else if (c == '\n' || c == '\r') {
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
      end_record();
      record_line = line;
    } else {
      field.push_back(c);
    }
  }
  if (quoted) return bad("line " + std::to_string(quote_line) + ": the quote is never closed");
  end_record();
  return records;
}

Result<std::vector<Json>> parse_rows(std::string_view text, const std::string& ending,
                                     const RowOptions& options) {
  if (const std::size_t at = recipe::find_invalid_utf8(text); at != std::string_view::npos) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
    return bad("line " + std::to_string(line + 1) + " is not UTF-8");
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Result<std::vector<Json>> rows = bad("its ending `" + ending +
                                       "` is not .json, .jsonl, .csv, "
                                       ".tsv, .txt or .parquet");
  if (ending == ".jsonl") rows = parse_json_lines(text);
  if (ending == ".txt") rows = text_lines(text);
  if (ending == ".json") rows = parse_json(text);
  if (ending == ".csv" || ending == ".tsv") {
    std::vector<std::size_t> lines;
    auto records = parse_csv(text, ending == ".csv" ? ',' : '\t', &lines);
    if (!records) return fail(std::move(records.error()));
    return rows_of_records(std::move(*records), lines, options);
  }
  if (rows) unify_columns(*rows);
  return rows;
}

Result<std::vector<Json>> read_rows_with(const std::filesystem::path& file,
                                         const RowOptions& options) {
  const std::string name = file.string();
  if (name.starts_with(kBuiltinPrefix)) {
    const BuiltinFile* builtin = find_builtin_file(std::string_view(name).substr(8));
    if (builtin == nullptr) return fail(ErrorCode::kNotFound, "there is no built-in file " + name);
    auto rows = parse_rows(builtin->text, ending_of(file), options);
    if (!rows) return fail(std::move(rows.error()).with_context(name));
    return rows;
  }
  const std::string ending = ending_of(file);
  if (ending == ".parquet") return read_parquet(file);
  auto text = io::read_text(file, kFileLimit);
  if (!text) return fail(std::move(text.error()));
  auto rows = parse_rows(*text, ending, options);
  if (!rows) return fail(std::move(rows.error()).with_context(name));
  return rows;
}

Result<std::vector<Json>> read_rows(const std::filesystem::path& file) {
  return read_rows_with(file, {});
}

}  // namespace crucible::task
