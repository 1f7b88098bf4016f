#pragma once

#include <vector>

#include "merger/plan/fault_list.hpp"
#include "merger/plan/merge_plan.hpp"

// What the inputs of one merge have in common.
namespace crucible::plan {

// Sets the architecture and the layers of one model: its table's, or inferred from it alone. False
// after a fault.
bool find_architecture_of(PlannedModel& model, FaultList& faults);

struct AgreementOptions {
  bool allow_mixed_architectures = false;  // else a fault; the first model's architecture counts
  bool pack_experts = false;               // even where all inputs have one tensor an expert
};

// Gives the models one architecture: those that no table knows are looked at together, and experts
// are packed where some inputs have them packed. Faults where the inputs do not fit together.
void agree_on_architecture(std::vector<PlannedModel>& models, const AgreementOptions& options,
                           FaultList& faults);

// Warnings of tensors that the models' architecture does not have; mergekit leaves them out too.
std::vector<Fault> tensors_left_out(const std::vector<PlannedModel>& models);

}  // namespace crucible::plan
