#include "merger/plan/layout.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "merger/plan/adapter_reference.hpp"
#include "merger/plan/agreement.hpp"
#include "merger/recipe/method_info.hpp"

namespace crucible::plan {
namespace {

using recipe::ModelReference;
using recipe::Recipe;

std::string index(std::size_t i) { return "[" + std::to_string(i) + "]"; }

// Where each model is mentioned first.
class Mentions {
 public:
  explicit Mentions(const Recipe& recipe) {
    add_body(recipe.models, recipe.slices, "");
    for (const auto& [name, module] : recipe.modules)
      add_body(module.models, module.slices, "modules." + name + ".");
    if (recipe.base_model) add(*recipe.base_model, "base_model");
  }
  std::string path(const ModelReference& model) const {
    const auto found = first_.find(model);
    return found == first_.end() ? std::string() : found->second;
  }

 private:
  void add(const ModelReference& model, std::string path) {
    first_.emplace(model, std::move(path));
  }
  void add_body(const std::vector<recipe::InputModel>& models,
                const std::vector<recipe::OutputSlice>& slices, const std::string& prefix) {
    for (std::size_t i = 0; i < models.size(); ++i)
      add(models[i].model, prefix + "models" + index(i) + ".model");
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const std::string slice = prefix + "slices" + index(i);
      for (std::size_t j = 0; j < slices[i].sources.size(); ++j) {
        add(slices[i].sources[j].model, slice + ".sources" + index(j) + ".model");
      }
      if (slices[i].base_model) add(*slices[i].base_model, slice + ".base_model");
    }
  }
  std::map<ModelReference, std::string> first_;
};

class LayoutBuilder {
 public:
  LayoutBuilder(const Recipe& recipe, const std::vector<PlannedModel>& models, FaultList& faults)
      : recipe_(recipe), models_(models), faults_(faults) {}

  Layout build() {
    const auto& modules = models_.front().architecture->modules;
    if (recipe_.modules.empty()) {
      if (modules.size() > 1 && !recipe_.slices.empty()) {
        faults_.add("slices", "these models have several modules (" + module_names() + ")",
                    "give each its slices or models under modules");
        return {};
      }
      for (const checkpoint::Module& module : modules)
        add_module(module, recipe_.models, recipe_.slices, nullptr, "");
      return std::move(layout_);
    }
    check_module_names();
    if (!faults_.empty()) return {};
    for (const checkpoint::Module& module : modules) {
      // The only module may go by any name.
      const auto found =
          modules.size() == 1 ? recipe_.modules.begin() : recipe_.modules.find(module.name);
      const auto& [name, body] = *found;
      add_module(module, body.models, body.slices, &body.parameters, "modules." + name + ".");
    }
    return std::move(layout_);
  }

 private:
  std::string module_names() const {
    std::string names;
    for (const checkpoint::Module& module : models_.front().architecture->modules)
      names += (names.empty() ? "" : ", ") + module.name;
    return names;
  }

  void check_module_names() {
    const auto& modules = models_.front().architecture->modules;
    if (modules.size() == 1) {
      if (recipe_.modules.size() == 1) return;
      faults_.add("modules",
                  "these architectures have one module, the recipe has " +
                      std::to_string(recipe_.modules.size()),
                  "keep one module, or use models or slices");
      return;
    }
    for (const auto& [name, body] : recipe_.modules) {
      const bool known = std::ranges::any_of(
          modules, [&name](const checkpoint::Module& module) { return module.name == name; });
      if (!known) {
        faults_.add("modules." + name, "these models have no such module",
                    "one of " + module_names());
      }
    }
    for (const checkpoint::Module& module : modules) {
      if (recipe_.modules.contains(module.name)) continue;
      faults_.add("modules", "the recipe does not say what becomes of module " + module.name,
                  "add it, with models or slices");
    }
  }

  void add_module(const checkpoint::Module& module, const std::vector<recipe::InputModel>& models,
                  const std::vector<recipe::OutputSlice>& slices,
                  const recipe::Parameters* parameters, const std::string& prefix) {
    module_ = layout_.modules.size();
    layout_.modules.emplace_back().parameters = parameters;
    add_body(models, slices, prefix);
    if (!current().sliced || !module.layer_count_keys.empty()) return;
    std::uint64_t layers = 0;
    for (const Section& section : current().sections) layers += section.layers;
    if (layers == layers_of(models_.front())) return;
    faults_.add(prefix + "slices",
                "no known key of config.json holds the layer count of " + module.layer_prefix +
                    "N in all inputs, so it could not be changed",
                "keep the number of layers", ErrorCode::kUnsupported);
  }

  ModuleLayout& current() { return layout_.modules[module_]; }
  std::uint64_t layers_of(const PlannedModel& model) const { return model.module_layers[module_]; }

  std::size_t number_of(const ModelReference& reference) const {
    const auto found = std::ranges::find_if(
        models_, [&](const PlannedModel& model) { return model.reference == reference; });
    return static_cast<std::size_t>(found - models_.begin());
  }

  void add_body(const std::vector<recipe::InputModel>& models,
                const std::vector<recipe::OutputSlice>& slices, const std::string& prefix) {
    if (!models.empty()) {
      add_models(models, prefix);
      return;
    }
    current().sliced = true;
    for (std::size_t i = 0; i < slices.size(); ++i)
      add_slice(slices[i], prefix + "slices" + index(i));
    const bool any = std::ranges::any_of(current().sections,
                                         [](const Section& section) { return section.layers > 0; });
    if (!any && faults_.empty())
      faults_.add(prefix + "slices", "the slices have no layer together");
  }

  void add_models(const std::vector<recipe::InputModel>& models, const std::string& prefix) {
    Section section;
    for (std::size_t i = 0; i < models.size(); ++i) {
      section.sources.push_back(
          {number_of(models[i].model), 0, &models[i].parameters, prefix + "models" + index(i)});
    }
    if (recipe_.base_model) {
      section.base = number_of(*recipe_.base_model);
      const bool listed = std::ranges::any_of(
          section.sources, [&](const Source& source) { return source.model == *section.base; });
      if (!listed) section.sources.push_back({*section.base, 0, nullptr, "base_model"});
    }
    const PlannedModel& first = models_[section.sources.front().model];
    section.layers = layers_of(first);
    for (const Source& source : section.sources) {
      const PlannedModel& model = models_[source.model];
      if (layers_of(model) == layers_of(first)) continue;
      faults_.add(source.path,
                  model.reference.text() + " has " + std::to_string(layers_of(model)) +
                      " layers, " + first.reference.text() + " has " +
                      std::to_string(layers_of(first)),
                  "name layer ranges with slices");
    }
    check_sources(section, prefix + "models");
    current().sections.push_back(std::move(section));
  }

  void add_slice(const recipe::OutputSlice& slice, const std::string& path) {
    Section section;
    section.path = path;
    section.parameters = &slice.parameters;
    if (slice.sources.empty()) {
      faults_.add(path + ".sources", "a slice needs at least one source");
      return;
    }
    section.layers = slice.sources.front().end_layer - slice.sources.front().first_layer;
    for (std::size_t j = 0; j < slice.sources.size(); ++j) {
      const recipe::InputSlice& source = slice.sources[j];
      const std::string source_path = path + ".sources" + index(j);
      section.sources.push_back(
          {number_of(source.model), source.first_layer, &source.parameters, source_path});
      check_range(source, source_path, section.layers);
    }
    const auto& base = slice.base_model ? slice.base_model : recipe_.base_model;
    if (base) section.base = number_of(*base);
    const auto* info = recipe::find_method(recipe_.merge_method);
    if (base && info != nullptr && info->base_model == recipe::BaseModelUse::kRequired) {
      const bool listed = std::ranges::any_of(
          section.sources, [&](const Source& source) { return source.model == *section.base; });
      if (!listed) {
        faults_.add(
            path + ".sources", "the slice must list the base model " + base->text(),
            "add a source with model: " + base->text() + " and a layer_range of the same length");
      }
    }
    check_sources(section, path + ".sources");
    current().sections.push_back(std::move(section));
  }

  void check_range(const recipe::InputSlice& source, const std::string& path,
                   std::uint64_t length) {
    const PlannedModel& model = models_[number_of(source.model)];
    if (source.end_layer < source.first_layer) {
      faults_.add(path + ".layer_range", "the range ends before it begins");
    } else if (source.end_layer > layers_of(model)) {
      faults_.add(path + ".layer_range",
                  "the range ends at " + std::to_string(source.end_layer) + ", but " +
                      source.model.text() + " has " + std::to_string(layers_of(model)) + " layers",
                  "the end is exclusive and at most " + std::to_string(layers_of(model)));
    } else if (source.end_layer - source.first_layer != length) {
      faults_.add(path + ".layer_range",
                  "the sources of one slice must have equally many layers; this one has " +
                      std::to_string(source.end_layer - source.first_layer) + ", the first " +
                      std::to_string(length));
    }
  }

  void check_sources(const Section& section, const std::string& path) {
    std::set<std::size_t> seen;
    for (const Source& source : section.sources) {
      if (seen.insert(source.model).second) continue;
      faults_.add(
          source.path,
          "the same model stands twice in " + path + ": " + models_[source.model].reference.text(),
          "list each model once");
    }
  }

  const Recipe& recipe_;
  const std::vector<PlannedModel>& models_;
  FaultList& faults_;
  Layout layout_;
  std::size_t module_ = 0;  // the one that is being laid out
};

}  // namespace

std::optional<PlannedModel> open_model(const ModelReference& reference, const std::string& path,
                                       const ModelResolver& resolver, FaultList& faults) {
  const auto folder = resolver(reference);
  if (!folder) {
    const bool missing = folder.error().code == ErrorCode::kNotFound;
    faults.add(path, folder.error().message,
               missing ? "give the path of a folder that holds config.json and *.safetensors" : "",
               missing ? ErrorCode::kInvalidArgument : folder.error().code);
    return std::nullopt;
  }
  auto checkpoint = checkpoint::Checkpoint::open(*folder);
  if (!checkpoint) {
    const bool unsupported = checkpoint.error().code == ErrorCode::kUnsupported;
    faults.add(path, describe(checkpoint.error()), "",
               unsupported ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument);
    return std::nullopt;
  }
  auto opened = std::make_shared<const checkpoint::Checkpoint>(std::move(*checkpoint));
  auto weights = fold_adapter(reference, path, resolver, *opened,
                              std::make_unique<const checkpoint::StoredWeights>(opened), faults);
  if (weights == nullptr) return std::nullopt;
  PlannedModel model{reference, path, std::move(opened), std::move(weights), nullptr, 0, {}};
  if (!find_architecture_of(model, faults)) return std::nullopt;
  return model;
}

std::vector<PlannedModel> open_models(const Recipe& recipe, const ModelResolver& resolver,
                                      FaultList& faults) {
  const Mentions mentions(recipe);
  std::vector<PlannedModel> models;
  for (const ModelReference& reference : recipe.referenced_models()) {
    auto model = open_model(reference, mentions.path(reference), resolver, faults);
    if (model) models.push_back(std::move(*model));
  }
  return models;
}

Layout make_layout(const Recipe& recipe, const std::vector<PlannedModel>& models,
                   FaultList& faults) {
  return LayoutBuilder(recipe, models, faults).build();
}

}  // namespace crucible::plan
