#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "merger/plan/fault_list.hpp"
#include "merger/plan/merge_plan.hpp"

// The three forms of a recipe (models, slices, modules) as one: sections of output layers, one
// after the other, each fed by layer ranges of several models.
namespace crucible::plan {

struct Source {
  std::size_t model = 0;  // of MergePlan::models
  std::uint64_t first_layer = 0;
  const recipe::Parameters* parameters = nullptr;  // nullptr: none
  std::string path;                                // "slices[0].sources[1]"
};

struct Section {
  std::vector<Source> sources;
  std::optional<std::size_t> base;  // which model is the base here
  std::uint64_t layers = 0;
  const recipe::Parameters* parameters = nullptr;
  std::string path;  // "slices[0]"; "" for a whole-model merge
};

// The layers of one module of the architecture.
struct ModuleLayout {
  std::vector<Section> sections;
  const recipe::Parameters* parameters = nullptr;  // of the module
  bool sliced = false;
};

struct Layout {
  std::vector<ModuleLayout> modules;  // as the architecture has them
};

// Opens one model, mentioned at `path`; nullopt after a fault.
std::optional<PlannedModel> open_model(const recipe::ModelReference& reference,
                                       const std::string& path, const ModelResolver& resolver,
                                       FaultList& faults);

// Opens every model that the recipe mentions. Faults name each mention that cannot be used.
std::vector<PlannedModel> open_models(const recipe::Recipe& recipe, const ModelResolver& resolver,
                                      FaultList& faults);

// The recipe must outlive the layout, which points to its parameters.
Layout make_layout(const recipe::Recipe& recipe, const std::vector<PlannedModel>& models,
                   FaultList& faults);

}  // namespace crucible::plan
