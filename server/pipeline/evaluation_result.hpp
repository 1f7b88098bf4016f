#pragma once

#include "evaluator/run/compare_reports.hpp"
#include "evaluator/run/evaluation.hpp"
#include "server/pipeline/spec.hpp"

// From the evaluator's types to the daemon's records.
namespace crucible::server::pipeline {

EvaluationResult result_of(const run::EvaluationReport& report, const task::Suite& suite);

// Without the models and the suite, which the caller knows.
ModelComparison record_of(const run::ReportComparison& comparison);

}  // namespace crucible::server::pipeline
