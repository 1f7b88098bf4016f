#pragma once

#include <memory>

#include "merger/checkpoint/architecture.hpp"
#include "merger/checkpoint/tensor_source.hpp"

// A mixture-of-experts model stored one tensor an expert, seen as if the experts of a layer lay in
// one tensor: gate_up_proj [experts, 2 * inner, hidden] (each expert's gate rows, then its up rows)
// and down_proj [experts, hidden, inner]. Row-major, so a packed tensor is the experts' bytes one
// after the other.
namespace crucible::checkpoint {

// `architecture` is one with_packed_experts; `layers` of its first module. Other tensors pass
// through. kCorrupt when a layer has some of an expert tensor's parts but not all, or parts of
// different types or shapes.
Result<std::unique_ptr<const Weights>> pack_experts(std::unique_ptr<const Weights> weights,
                                                    const Architecture& architecture,
                                                    std::uint64_t layers);

}  // namespace crucible::checkpoint
