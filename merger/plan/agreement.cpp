#include "merger/plan/agreement.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "merger/checkpoint/infer_architecture.hpp"
#include "merger/checkpoint/packed_experts.hpp"

namespace crucible::plan {
namespace {

bool same_class(const checkpoint::Architecture& a, const checkpoint::Architecture& b) {
  return a.model_type == b.model_type && a.names == b.names && a.inferred == b.inferred;
}

std::string class_of(const checkpoint::Architecture& architecture) {
  return architecture.model_type +
         (architecture.names.empty() ? "" : " (" + architecture.names.front() + ")");
}

bool use_architecture(PlannedModel& model, const checkpoint::ArchitecturePtr& architecture,
                      FaultList& faults) {
  model.architecture = architecture;
  auto counts = checkpoint::layer_counts(*architecture, model.checkpoint->config(), *model.weights);
  if (!counts) {
    faults.add(model.recipe_path, model.reference.text() + ": " + counts.error().message);
    return false;
  }
  model.module_layers = std::move(*counts);
  model.layers = model.module_layers.front();
  return true;
}

checkpoint::ModelFacts facts_of(const PlannedModel& model) {
  return {model.reference.text(), &model.checkpoint->config(), model.weights.get()};
}

void infer_together(std::vector<PlannedModel>& models, FaultList& faults) {
  std::vector<checkpoint::ModelFacts> facts;
  for (const PlannedModel& model : models) facts.push_back(facts_of(model));
  const auto inferred = checkpoint::infer_architecture(facts);
  if (!inferred) {
    faults.add(
        models.front().recipe_path,
        class_of(*models.front().architecture) + " is in no table, and " + inferred.error().message,
        "", ErrorCode::kUnsupported);
    return;
  }
  for (PlannedModel& model : models) use_architecture(model, *inferred, faults);
}

void pack(PlannedModel& model, FaultList& faults) {
  if (model.architecture->packed_experts) return;
  model.architecture = checkpoint::with_packed_experts(*model.architecture);
  auto packed =
      checkpoint::pack_experts(std::move(model.weights), *model.architecture, model.layers);
  if (packed) {
    model.weights = std::move(*packed);
    return;
  }
  faults.add(model.recipe_path, model.reference.text() + ": " + packed.error().message);
}

void add_names(std::set<std::string>& names, const std::vector<checkpoint::TensorTemplate>& tensors,
               std::uint64_t layer) {
  for (const checkpoint::TensorTemplate& tensor : tensors) {
    for (std::string& name : tensor.spellings(layer)) names.insert(std::move(name));
  }
}

// Every name that the model's architecture has, buffers among them.
std::set<std::string> known_names(const PlannedModel& model) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < model.module_layers.size(); ++i) {
    const checkpoint::Module& module = model.architecture->modules[i];
    add_names(names, module.before, 0);
    add_names(names, module.after, 0);
    for (std::uint64_t layer = 0; layer < model.module_layers[i]; ++layer) {
      add_names(names, module.layer, layer);
      for (const std::string& buffer : module.buffers)
        names.insert(checkpoint::TensorTemplate{buffer, {}}.in_layer(layer));
    }
  }
  return names;
}

}  // namespace

bool find_architecture_of(PlannedModel& model, FaultList& faults) {
  const auto known = checkpoint::find_architecture(*model.checkpoint);
  if (!known) {
    faults.add(model.recipe_path, model.reference.text() + ": " + known.error().message);
    return false;
  }
  if (*known != nullptr) return use_architecture(model, *known, faults);
  const checkpoint::ModelFacts facts = facts_of(model);
  const auto inferred = checkpoint::infer_architecture({&facts, 1});
  if (inferred) return use_architecture(model, *inferred, faults);
  const std::string name = model.checkpoint->architecture();
  faults.add(model.recipe_path,
             (name.empty() ? "config.json names no architecture"
                           : "architecture " + name + " (model_type \"" +
                                 model.checkpoint->model_type() + "\") is in no table") +
                 ", and " + inferred.error().message,
             "the tables have " + checkpoint::supported_names(), ErrorCode::kUnsupported);
  return false;
}

void agree_on_architecture(std::vector<PlannedModel>& models, const AgreementOptions& options,
                           FaultList& faults) {
  if (models.empty()) return;
  const checkpoint::ArchitecturePtr first = models.front().architecture;
  for (PlannedModel& model : models) {
    if (same_class(*model.architecture, *first)) continue;
    if (options.allow_mixed_architectures) {
      use_architecture(model, first, faults);
      continue;
    }
    faults.add(model.recipe_path,
               model.reference.text() + " is a " + class_of(*model.architecture) + " model, " +
                   models.front().reference.text() + " is a " + class_of(*first) + " model",
               "merge models of one architecture, or allow mixed ones (--allow-crimes)");
  }
  if (!faults.empty()) return;
  if (first->inferred) {
    if (models.size() > 1) infer_together(models, faults);
    return;
  }
  const bool packed = std::ranges::any_of(
      models, [](const PlannedModel& model) { return model.architecture->packed_experts; });
  const bool can_pack = std::ranges::any_of(
      first->modules, [](const checkpoint::Module& module) { return !module.packed.empty(); });
  if (!packed && !(options.pack_experts && can_pack)) return;
  for (PlannedModel& model : models) pack(model, faults);
}

std::vector<Fault> tensors_left_out(const std::vector<PlannedModel>& models) {
  std::vector<Fault> warnings;
  for (const PlannedModel& model : models) {
    const std::set<std::string> known = known_names(model);
    std::string first;
    std::size_t count = 0;
    for (const std::string& name : model.weights->names()) {
      if (known.contains(name)) continue;
      if (count++ == 0) first = name;
    }
    if (count == 0) continue;
    warnings.push_back({model.recipe_path,
                        model.reference.text() + " has " + std::to_string(count) +
                            " tensors that a " + model.architecture->model_type +
                            " model does not have (" + first + ", ...); they are left out",
                        ""});
  }
  return warnings;
}

}  // namespace crucible::plan
