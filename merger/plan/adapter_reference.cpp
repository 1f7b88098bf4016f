#include "merger/plan/adapter_reference.hpp"

#include <utility>

#include "merger/lora/adapted_weights.hpp"

namespace crucible::plan {
namespace {

Result<std::unique_ptr<const checkpoint::Weights>> fold(
    const std::filesystem::path& folder, const checkpoint::Checkpoint& checkpoint,
    std::unique_ptr<const checkpoint::Weights> base) {
  auto adapter = lora::Adapter::open(folder);
  if (!adapter) return fail(std::move(adapter.error()));
  return lora::AdaptedWeights::create(std::move(base), std::move(*adapter), checkpoint.config());
}

}  // namespace

std::unique_ptr<const checkpoint::Weights> fold_adapter(
    const recipe::ModelReference& reference, const std::string& path, const ModelResolver& resolver,
    const checkpoint::Checkpoint& checkpoint, std::unique_ptr<const checkpoint::Weights> base,
    FaultList& faults) {
  if (reference.lora.empty()) return base;
  recipe::ModelReference lora;
  lora.path = reference.lora;
  lora.revision = reference.lora_revision;
  const auto folder = resolver(lora);
  if (!folder) {
    const bool missing = folder.error().code == ErrorCode::kNotFound;
    faults.add(path, "adapter: " + folder.error().message,
               missing ? "give the path of a folder that holds adapter_config.json and "
                         "adapter_model.safetensors"
                       : "",
               missing ? ErrorCode::kInvalidArgument : folder.error().code);
    return nullptr;
  }
  auto folded = fold(*folder, checkpoint, std::move(base));
  if (folded) return std::move(*folded);
  const Error& error = folded.error();
  const bool unsupported = error.code == ErrorCode::kUnsupported;
  const ErrorCode code = unsupported ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument;
  if (error.faults.empty()) faults.add(path, error.message, "", code);
  for (const Fault& fault : error.faults) {
    faults.add(path, error.message + ": " + fault.path + ": " + fault.message, fault.suggestion,
               code);
  }
  return nullptr;
}

}  // namespace crucible::plan
