#include "server/cli/optuna_study.hpp"

#include <fmt/format.h>

#include "server/search/document.hpp"
#include "server/store/sqlite.hpp"

namespace crucible::server::cli {
namespace {

using sampler::Dimension;

constexpr const char* kSchema = R"(
CREATE TABLE studies (study_id INTEGER NOT NULL PRIMARY KEY, study_name VARCHAR(512) NOT NULL);
CREATE TABLE version_info (version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id=1),
  schema_version INTEGER, library_version VARCHAR(256));
CREATE TABLE study_directions (study_direction_id INTEGER NOT NULL PRIMARY KEY,
  direction VARCHAR(8) NOT NULL, study_id INTEGER NOT NULL REFERENCES studies (study_id),
  objective INTEGER NOT NULL, UNIQUE (study_id, objective));
CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
  study_id INTEGER REFERENCES studies (study_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (study_id, "key"));
CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
  study_id INTEGER REFERENCES studies (study_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (study_id, "key"));
CREATE TABLE trials (trial_id INTEGER NOT NULL PRIMARY KEY, number INTEGER,
  study_id INTEGER REFERENCES studies (study_id), state VARCHAR(8) NOT NULL,
  datetime_start DATETIME, datetime_complete DATETIME);
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (trial_id, "key"));
CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (trial_id, "key"));
CREATE TABLE trial_params (param_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), param_name VARCHAR(512), param_value FLOAT,
  distribution_json TEXT, UNIQUE (trial_id, param_name));
CREATE TABLE trial_values (trial_value_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL REFERENCES trials (trial_id), objective INTEGER NOT NULL, value FLOAT,
  value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, objective));
CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL REFERENCES trials (trial_id), step INTEGER NOT NULL,
  intermediate_value FLOAT, intermediate_value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, step));
CREATE TABLE trial_heartbeats (trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id), heartbeat DATETIME NOT NULL);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
INSERT INTO version_info VALUES (1, 12, '5.0.0');
INSERT INTO alembic_version VALUES ('v3.2.0.a');
)";

std::string distribution_of(const Dimension& dimension, const search::Variable& variable) {
  Json attributes;
  if (dimension.kind == Dimension::Kind::kChoice) {
    Json choices = Json::array();
    if (variable.kind == search::Variable::Kind::kSubset) choices = {"out", "in"};
    for (const std::string& text : variable.texts) {
      if (variable.kind != search::Variable::Kind::kSubset) choices.push_back(text);
    }
    attributes["choices"] = choices;
    return Json{{"name", "CategoricalDistribution"}, {"attributes", attributes}}.dump();
  }
  const bool whole = dimension.kind == Dimension::Kind::kInt;
  const auto bound = [&](double value) {
    return whole ? Json(static_cast<std::int64_t>(value)) : Json(value);
  };
  attributes = {{"log", dimension.log},
                {"step", whole ? Json(1) : Json()},
                {"low", bound(dimension.low)},
                {"high", bound(dimension.high)}};
  return Json{{"name", whole ? "IntDistribution" : "FloatDistribution"}, {"attributes", attributes}}
      .dump();
}

// The coordinates of a variable from its value as the API shows it.
std::vector<double> coordinates_of(const search::Variable& variable, const Json& value) {
  using Kind = search::Variable::Kind;
  std::vector<double> out;
  const auto add = [&](const Json& numbers) {
    if (numbers.is_number()) out.push_back(numbers.get<double>());
    if (!numbers.is_array()) return;
    for (const Json& number : numbers) out.push_back(number.is_number() ? number.get<double>() : 0);
  };
  if (variable.kind == Kind::kChoice || variable.kind == Kind::kSubset) {
    for (std::size_t i = 0; i < variable.texts.size(); ++i) {
      const std::string& text = variable.texts[i];
      bool chosen = false;
      if (variable.kind == Kind::kChoice && value.dump() == text) out = {static_cast<double>(i)};
      if (variable.kind == Kind::kChoice) continue;
      for (const Json& member : value) chosen = chosen || member.dump() == text;
      out.push_back(chosen ? 1 : 0);
    }
  } else if (value.is_object()) {
    for (const std::string& filter : variable.filters) {
      const std::string key = filter.empty() ? "*" : filter;
      if (value.contains(key)) add(value[key]);
    }
  } else {
    add(value);
  }
  out.resize(variable.dimensions);
  return out;
}

// One after the other, stops at the first failure.
class StudyWriter {
 public:
  StudyWriter(store::Database& database, const search::Document& document)
      : database_(database), document_(document) {}

  Status write(const std::string& name, const Json& trials) {
    run("INSERT INTO studies VALUES (1, ?)", {name});
    const std::size_t objectives = document_.objective_per_suite ? document_.suites.size() : 1;
    for (std::size_t i = 0; i < objectives; ++i) {
      run("INSERT INTO study_directions (direction, study_id, objective) VALUES ('MAXIMIZE', 1, ?)",
          {i});
    }
    for (const Json& trial : trials) {
      if (trial.value("trial", Json()).is_number()) add(trial);
    }
    return status_;
  }

 private:
  void run(std::string_view sql, std::initializer_list<store::Value> values) {
    if (status_) status_ = database_.execute(sql, values);
  }

  void add(const Json& trial) {
    const auto number = trial["trial"].get<std::int64_t>();
    const std::int64_t id = number + 1;
    const std::string standing = trial.value("standing", "");
    const bool complete = standing == "racing" && trial["estimate"].is_number();
    const char* state = complete ? "COMPLETE" : standing == "failed" ? "FAIL" : "PRUNED";
    run("INSERT INTO trials VALUES (?, ?, 1, ?, '2000-01-01 00:00:00.000000', "
        "'2000-01-01 00:00:00.000000')",
        {id, number, state});
    for (const search::Variable& variable : document_.variables) {
      const auto values = coordinates_of(variable, trial["values"].value(variable.name, Json()));
      for (std::size_t d = 0; d < variable.dimensions; ++d) {
        const Dimension& dimension = document_.sampler.space.dimensions()[variable.first + d];
        run("INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) "
            "VALUES (?, ?, ?, ?)",
            {id, dimension.name, values[d], distribution_of(dimension, variable)});
      }
    }
    add_values(trial, id, complete);
    run("INSERT INTO trial_user_attributes (trial_id, \"key\", value_json) VALUES (?, 'standing', "
        "?)",
        {id, Json(standing).dump()});
  }

  void add_values(const Json& trial, std::int64_t id, bool complete) {
    const Json& estimate = trial["estimate"];
    if (estimate.is_number() && !document_.objective_per_suite) {
      run("INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, "
          "intermediate_value_type) VALUES (?, ?, ?, 'FINITE')",
          {id, trial["seen"].get<std::int64_t>(), estimate.get<double>()});
    }
    if (!complete) return;
    const Json values = document_.objective_per_suite ? trial["suites"] : Json::array({estimate});
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i].is_number()) continue;
      run("INSERT INTO trial_values (trial_id, objective, value, value_type) "
          "VALUES (?, ?, ?, 'FINITE')",
          {id, i, values[i].get<double>()});
    }
  }

  store::Database& database_;
  const search::Document& document_;
  Status status_;
};

}  // namespace

Status write_optuna_study(const std::string& name, const std::string& document, const Json& trials,
                          const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    return fail(ErrorCode::kConflict, file.string() + " exists; name a new file");
  }
  auto read = search::read_document(document);
  if (!read) return fail(std::move(read).error());
  auto database = store::Database::open(file, store::OpenMode::kWriter);
  if (!database) return fail(std::move(database).error());
  if (auto status = database->execute_script(kSchema); !status) return status;
  auto transaction = store::Transaction::begin(*database);
  if (!transaction) return fail(std::move(transaction).error());
  if (auto status = StudyWriter(*database, *read).write(name, trials); !status) return status;
  if (auto status = transaction->commit(); !status) return status;
  return database->execute_script("PRAGMA journal_mode=DELETE;");
}

}  // namespace crucible::server::cli
