#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/cli/judging.hpp"
#include "server/cli/model_source.hpp"
#include "server/cli/output.hpp"
#include "server/cli/recipe_model.hpp"

namespace CLI {
class App;
}

// `crucible eval`: a model's scores here, without a daemon.
namespace crucible::server::cli {

struct EvalCommandOptions {
  ModelOptions model;                      // model.model is "" where recipes are named
  RecipeOptions recipes;                   // each is evaluated by itself
  std::vector<std::string> suites;         // files, or names in the suite folders, or built in
  std::vector<std::string> suite_folders;  // empty: $CRUCIBLE_SUITES, else ./suites
  std::vector<std::string> tasks;          // task files by name; one suite of all of them
  std::vector<std::string> include_paths;  // folders of task files
  std::optional<std::uint32_t> num_fewshot;
  std::optional<std::size_t> limit;
  bool apply_chat_template = false;
  bool fewshot_as_multiturn = true;
  std::string system_instruction;
  std::uint64_t seed = 1234;          // of few-shot draws
  std::optional<bool> bos;            // in place of the tasks' own rule
  std::vector<std::string> datasets;  // empty: FolderDatasets::default_roots
  std::string cache;                  // "" = $XDG_CACHE_HOME/crucible/evaluations
  bool no_cache = false;
  std::string out;         // "" = no report files
  std::string name;        // in reports; "" = model_label
  JudgingOptions judging;  // for suites of conversations
};
void add_options(CLI::App& command, EvalCommandOptions& options);
int eval(const EvalCommandOptions& options, const CommonOptions& common);

}  // namespace crucible::server::cli
