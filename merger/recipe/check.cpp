#include "merger/recipe/check.hpp"

#include <algorithm>
#include <string>

#include "merger/recipe/text.hpp"

namespace crucible::recipe {
namespace {

struct Input {
  const ModelReference* model = nullptr;
  const Parameters* parameters = nullptr;  // nullptr: a base model appended without an entry
  std::string path;
};

// What one output tensor is computed from: the models of a list, or the sources of one slice.
struct InputGroup {
  std::string path;  // "models", "slices[2].sources"
  std::vector<Input> inputs;
  const ModelReference* base = nullptr;
  std::vector<const Parameters*> levels;  // slice, module, recipe: highest first
};

bool plural(std::size_t count) { return count != 1; }

class Checker {
 public:
  Checker(const Recipe& recipe, const MethodInfo& method, Faults& faults)
      : recipe_(recipe), method_(method), faults_(faults), name_(method.name) {}

  void check() {
    check_models("models", recipe_.models, {&recipe_.parameters});
    check_slices("slices", recipe_.slices, {&recipe_.parameters});
    for (const auto& [name, module] : recipe_.modules) {
      const std::string path = child_path("modules", name);
      check_models(child_path(path, "models"), module.models,
                   {&module.parameters, &recipe_.parameters});
      check_slices(child_path(path, "slices"), module.slices,
                   {&module.parameters, &recipe_.parameters});
    }
  }

 private:
  static bool has(const InputGroup& group, const ModelReference& model) {
    return std::any_of(group.inputs.begin(), group.inputs.end(),
                       [&](const Input& i) { return *i.model == model; });
  }

  void check_models(const std::string& path, const std::vector<InputModel>& models,
                    std::vector<const Parameters*> levels) {
    if (models.empty()) return;
    InputGroup group{
        path, {}, recipe_.base_model ? &*recipe_.base_model : nullptr, std::move(levels)};
    for (std::size_t i = 0; i < models.size(); ++i) {
      group.inputs.push_back({&models[i].model, &models[i].parameters, child_path(path, i)});
    }
    if (group.base != nullptr && !has(group, *group.base))
      group.inputs.push_back({group.base, nullptr, "base_model"});
    check_group(group);
  }

  void check_slices(const std::string& path, const std::vector<OutputSlice>& slices,
                    const std::vector<const Parameters*>& levels) {
    std::uint64_t layers = 0;
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const OutputSlice& slice = slices[i];
      InputGroup group{
          child_path(child_path(path, i), "sources"), {}, nullptr, {&slice.parameters}};
      group.levels.insert(group.levels.end(), levels.begin(), levels.end());
      if (slice.base_model) group.base = &*slice.base_model;
      if (!slice.base_model && recipe_.base_model) group.base = &*recipe_.base_model;
      for (std::size_t j = 0; j < slice.sources.size(); ++j) {
        group.inputs.push_back(
            {&slice.sources[j].model, &slice.sources[j].parameters, child_path(group.path, j)});
      }
      layers += check_lengths(slice, group.path);
      check_group(group);
      if (method_.base_model == BaseModelUse::kRequired && group.base != nullptr &&
          !has(group, *group.base)) {
        faults_.add(
            group.path,
            "the base model `" + printable(group.base->text()) + "` is not among the sources",
            "with slices, every slice lists the base model itself");
      }
    }
    if (!slices.empty() && layers == 0) faults_.add(path, "all slices together have no layer");
  }

  std::uint64_t check_lengths(const OutputSlice& slice, const std::string& path) {
    const auto length = [](const InputSlice& source) {
      return source.end_layer - source.first_layer;
    };
    const std::uint64_t first = length(slice.sources.front());
    for (std::size_t j = 1; j < slice.sources.size(); ++j) {
      if (length(slice.sources[j]) == first) continue;
      faults_.add(child_path(child_path(path, j), "layer_range"),
                  "has " + std::to_string(length(slice.sources[j])) +
                      " layers, the slice's first source has " + std::to_string(first),
                  "all sources of a slice must have as many layers");
    }
    return first;
  }

  void check_group(const InputGroup& group) {
    check_count(group);
    check_duplicates(group);
    if (method_.base_model == BaseModelUse::kRequired && group.base == nullptr && !base_reported_) {
      base_reported_ = true;
      faults_.add("base_model", name_ + " needs base_model",
                  "base_model: the model that the others were trained from");
    }
    for (const ParameterInfo& info : method_.parameters) {
      if (info.required) check_required(info, group);
    }
    check_weight_sum(group);
  }

  void check_count(const InputGroup& group) {
    const std::size_t count = group.inputs.size();
    const bool few = count < method_.least_models;
    const bool many = method_.most_models && count > *method_.most_models;
    if (!few && !many) return;
    const bool exact = method_.most_models && *method_.most_models == method_.least_models;
    const std::size_t bound = few ? method_.least_models : *method_.most_models;
    const bool appended = group.inputs.back().parameters == nullptr;
    std::string message = name_ + " takes " +
                          (exact ? "exactly "
                           : few ? "at least "
                                 : "at most ") +
                          std::to_string(bound) + (plural(bound) ? " models" : " model") +
                          ", here " + (plural(count) ? "are " : "is ") + std::to_string(count);
    if (appended) message += ", base_model included";
    const bool drop_base = many && appended && method_.base_model == BaseModelUse::kIgnored;
    faults_.add(group.path, std::move(message), drop_base ? "remove base_model" : "");
  }

  void check_duplicates(const InputGroup& group) {
    for (std::size_t i = 1; i < group.inputs.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (*group.inputs[i].model != *group.inputs[j].model) continue;
        faults_.add(child_path(group.inputs[i].path, "model"),
                    "`" + printable(group.inputs[i].model->text()) + "` stands twice, first at " +
                        group.inputs[j].path);
        break;
      }
    }
  }

  static const ParameterSetting* find(const Parameters* parameters, std::string_view name) {
    if (parameters == nullptr) return nullptr;
    const auto found = parameters->find(std::string(name));
    return found == parameters->end() ? nullptr : &found->second;
  }
  static const ParameterSetting* find(const InputGroup& group, std::string_view name) {
    for (const Parameters* level : group.levels) {
      if (const ParameterSetting* setting = find(level, name)) return setting;
    }
    return nullptr;
  }

  void check_required(const ParameterInfo& info, const InputGroup& group) {
    if (find(group, info.name) != nullptr) return;
    const std::string name(info.name);
    if (!info.per_model) {
      const std::string path = "parameters." + name;
      if (std::find(reported_.begin(), reported_.end(), path) != reported_.end()) return;
      reported_.push_back(path);
      faults_.add(path, name_ + " needs `" + name + "`", name + ": " + std::string(info.meaning));
      return;
    }
    for (const Input& input : group.inputs) {
      const bool is_base = group.base != nullptr && *input.model == *group.base;
      if (is_base && method_.base_model != BaseModelUse::kIgnored) continue;
      if (find(input.parameters, info.name) != nullptr) continue;
      if (input.parameters == nullptr) {
        faults_.add("base_model",
                    name_ + " counts base_model as an input, and it has no `" + name + "`",
                    "list it under models with a " + name + ", or remove base_model");
      } else {
        faults_.add(child_path(input.path, "parameters"),
                    name_ + " needs `" + name + "` for this model",
                    name + ": " + std::string(info.meaning));
      }
    }
  }

  static std::optional<double> plain_number(const ParameterSetting* setting) {
    if (setting == nullptr || setting->size() != 1) return std::nullopt;
    const FilteredValue& only = setting->front();
    if (!only.filter.empty() || only.value.size() != 1) return std::nullopt;
    const double* number = std::get_if<double>(&only.value.front());
    return number == nullptr ? std::nullopt : std::optional<double>(*number);
  }

  // A normalised average divides by the sum of weights.
  void check_weight_sum(const InputGroup& group) {
    if (name_ != "linear" || group.inputs.empty()) return;
    const ParameterSetting* normalize = find(group, "normalize");
    if (normalize != nullptr &&
        (normalize->size() != 1 || normalize->front().value != Gradient{Scalar(true)}))
      return;
    float sum = 0;
    for (const Input& input : group.inputs) {
      const ParameterSetting* own = find(input.parameters, "weight");
      const auto weight = plain_number(own != nullptr ? own : find(group, "weight"));
      if (!weight) return;
      sum += static_cast<float>(*weight);
    }
    if (sum != 0) return;
    faults_.add(group.path, "the weights add up to 0 and are to be normalised by their sum",
                "change a weight, or set `parameters.normalize: false`");
  }

  const Recipe& recipe_;
  const MethodInfo& method_;
  Faults& faults_;
  std::string name_;
  bool base_reported_ = false;
  std::vector<std::string> reported_;
};

}  // namespace

void check_recipe(const Recipe& recipe, const MethodInfo& method, Faults& faults) {
  Checker(recipe, method, faults).check();
}

}  // namespace crucible::recipe
