#pragma once

#include <memory>
#include <string>

#include "merger/checkpoint/tensor_source.hpp"
#include "merger/plan/fault_list.hpp"
#include "merger/plan/merge.hpp"

namespace crucible::plan {

// The adapter of a reference MODEL+LORA, folded into `base` while it is read; `base` itself when
// the reference has none. The resolver is asked for the adapter's folder as for a model's. nullptr
// when there is a fault at `path`.
std::unique_ptr<const checkpoint::Weights> fold_adapter(
    const recipe::ModelReference& reference, const std::string& path, const ModelResolver& resolver,
    const checkpoint::Checkpoint& checkpoint, std::unique_ptr<const checkpoint::Weights> base,
    FaultList& faults);

}  // namespace crucible::plan
