#pragma once

#include <map>
#include <string>
#include <vector>

#include "evaluator/task/document_functions.hpp"
#include "evaluator/task/fewshot.hpp"
#include "evaluator/task/task_catalog.hpp"
#include "evaluator/task/task_definition.hpp"

// A checked definition and its documents become a task. Rules of ConfigurableTask in
// lm_eval/api/task.py.
namespace crucible::task {

// Documents of a split after process_docs. Each is prepared once in a build, as the harness's data
// set cache does; functions that draw at random depend on the order of these calls.
class DocumentStore {
 public:
  explicit DocumentStore(DatasetSource& source) : source_(source) {}
  // The result lives as long as the store. `process_docs` is a function's path or "".
  Result<const std::vector<Json>*> documents(const DatasetReference& dataset,
                                             const std::string& split,
                                             const std::string& process_docs);

 private:
  DatasetSource& source_;
  FunctionState functions_;
  std::map<std::string, std::vector<Json>> splits_;
};

// kNotFound where data are missing, kInvalidArgument with faults where documents do not fit the
// file. num_fewshot is settled by the rule of the harness: an override does not reach a task whose
// file says 0.
Result<Task> build_task(const TaskDefinition& definition, const BuildOptions& options,
                        DocumentStore& documents);

// The requests, gold and target of one document.
struct ItemSettings {
  const TaskDefinition& task;
  const Columns& columns;
  bool multiple_input = false;
  bool multiple_target = false;
  bool chat = false;
  bool mutual_information = false;  // unconditional requests too
};
struct Prompt;
Status fill_item(const ItemSettings& settings, std::vector<Prompt> prompts, Item& item);

}  // namespace crucible::task
