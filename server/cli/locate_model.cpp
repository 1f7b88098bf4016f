#include "server/cli/locate_model.hpp"

#include "merger/plan/hub_cache.hpp"
#include "merger/recipe/model_reference.hpp"

namespace crucible::server::cli {

Result<std::filesystem::path> locate_model(const std::string& text) {
  const auto reference = recipe::parse_model_reference(text);
  if (!reference) return fail(reference.error());
  if (!reference->lora.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                text + " has an adapter; merge it first with merge_method: passthrough");
  }
  return plan::resolve_locally({std::filesystem::current_path()})(*reference);
}

}  // namespace crucible::server::cli
