#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "merger/checkpoint/tensor_source.hpp"
#include "merger/lora/adapter.hpp"
#include "nlohmann/json.hpp"

namespace crucible::lora {

// A base model with a LoRA adapter folded in while it is read. Same names, shapes and element types
// as the base. Beside the caller's buffers it keeps the factors of four modules in memory, as
// float32. Immutable; safe from several threads.
class AdaptedWeights : public checkpoint::Weights {
 public:
  // Holds the adapter against the base, of which `config` is the config.json; reads no weights.
  // Error: every tensor of the adapter that has no place in the base, or another shape, at once, as
  // faults with the tensor's name as their path; kUnsupported for a quantised base. What `base`
  // reads from must outlive the result.
  static Result<std::unique_ptr<const checkpoint::Weights>> create(
      std::unique_ptr<const checkpoint::Weights> base, Adapter adapter,
      const nlohmann::json& config);

  std::vector<std::string> names() const override { return base_->names(); }
  checkpoint::TensorSourcePtr find(std::string_view name) const override;
  std::vector<std::filesystem::path> folders() const override;

 private:
  friend class AdapterFitting;
  AdaptedWeights(std::unique_ptr<const checkpoint::Weights> base, std::filesystem::path folder)
      : base_(std::move(base)), folder_(std::move(folder)) {}
  std::unique_ptr<const checkpoint::Weights> base_;
  std::filesystem::path folder_;  // of the adapter
  std::map<std::string, checkpoint::TensorSourcePtr, std::less<>> changed_;
};

}  // namespace crucible::lora
