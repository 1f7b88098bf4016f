#pragma once

#include <string>
#include <vector>

#include "evaluator/task/task.hpp"
#include "merger/base/error.hpp"

// The filters of lm-evaluation-harness 0.4.13 (lm_eval/filters, and those that its BBH tasks bring)
// on the answers to one document.
namespace crucible::metric {

struct Filtered {
  task::Json value;  // a text after take_first; a list of texts before
  std::string note;  // "no match", when an extraction found nothing and its fallback stands in
};

// Errors: kUnsupported for an unknown filter, kInvalidArgument where the harness raises (lower case
// of nothing, fewer answers than take_first_k wants, no `choices` in the document). What a model's
// answer alone brings about is no match instead: a group_select past the matches, number words that
// name no number, a search past the step limit of text/regex.hpp.
Result<Filtered> apply_filters(const task::FilterPipeline& pipeline,
                               const std::vector<std::string>& responses,
                               const task::Json& document);

// Appends what is wrong with a pipeline's filters; `path` is that of the pipeline.
void check_filters(const task::FilterPipeline& pipeline, const std::string& path,
                   std::vector<Fault>& faults);

}  // namespace crucible::metric
