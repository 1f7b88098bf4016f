#include <algorithm>
#include <iterator>
#include <map>
#include <sstream>
#include <tuple>
#include <utility>

#include "merger/plan/agreement.hpp"
#include "merger/plan/layer_config.hpp"
#include "merger/plan/layout.hpp"
#include "merger/plan/vocabulary.hpp"
#include "merger/recipe/method_info.hpp"

namespace crucible::plan {
namespace {

using checkpoint::TensorTemplate;
using tensor::DType;

// torch's promotion of two floating types.
DType promote(DType a, DType b) {
  if (a == b) return a;
  if (a == DType::kF64 || b == DType::kF64) return DType::kF64;
  return DType::kF32;
}

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

// Filters are parts of names: every name that a tensor goes by counts.
std::string filter_text(const TensorTemplate& tensor, std::uint64_t layer) {
  std::string text;
  for (const std::string& name : tensor.spellings(layer)) text += (text.empty() ? "" : "\n") + name;
  return text;
}

// The first name that the model has, and its number; else nullptr and 0.
std::pair<checkpoint::TensorSourcePtr, std::size_t> first_present(
    const checkpoint::Weights& weights, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (auto tensor = weights.find(names[i])) return {std::move(tensor), i};
  }
  return {};
}

// Where one output tensor stands: its section, depth and template.
struct Position {
  const ModuleLayout* module = nullptr;
  const Section* section = nullptr;
  const TensorTemplate* tensor = nullptr;
  std::size_t sources = 0;  // how many of the section's sources feed it
  double depth = 0;         // for gradients
  std::uint64_t layer_in_section = 0;
  std::uint64_t output_layer = 0;
};

class PlanBuilder {
 public:
  PlanBuilder(const recipe::Recipe& recipe, method::Compatibility compatibility, MergePlan& plan,
              const Layout& layout, FaultList& faults)
      : recipe_(recipe),
        compatibility_(compatibility),
        info_(*recipe::find_method(recipe.merge_method)),
        plan_(plan),
        layout_(layout),
        faults_(faults) {}

  void build() {
    const checkpoint::Architecture& architecture = *plan_.models.front().architecture;
    for (std::size_t i = 0; i < architecture.modules.size(); ++i)
      add_module(architecture.modules[i], layout_.modules[i]);
    plan_.layers = plan_.modules.front().layers;
    choose_names();
    std::ranges::stable_sort(plan_.tensors, {}, &PlannedTensor::order_key);
  }

 private:
  void add_module(const checkpoint::Module& module, const ModuleLayout& layout) {
    PlannedModule& planned = plan_.modules.emplace_back();
    planned.sliced = layout.sliced;
    const Section& first = layout.sections.front();
    const Section& last = layout.sections.back();
    for (const TensorTemplate& tensor : module.before)
      add({&layout, &first, &tensor, first.sources.size(), 0, 0, 0});
    for (const Section& section : layout.sections) {
      for (std::uint64_t k = 0; k < section.layers; ++k) {
        const double depth = section.layers == 1
                                 ? 1.0
                                 : static_cast<double>(k) / static_cast<double>(section.layers - 1);
        for (const TensorTemplate& tensor : module.layer)
          add({&layout, &section, &tensor, section.sources.size(), depth, k, planned.layers});
        planned.origins.push_back(origin(section) + k);
        ++planned.layers;
      }
    }
    // The reference takes only as many sources for the final tensors as the first slice has.
    const std::size_t tail = std::min(first.sources.size(), last.sources.size());
    if (tail < last.sources.size()) {
      plan_.warnings.push_back({last.path + ".sources",
                                "the tensors after the layers use only the first " +
                                    std::to_string(tail) + " sources, as mergekit does",
                                "give the first and the last slice equally many sources"});
    }
    for (const TensorTemplate& tensor : module.after) add({&layout, &last, &tensor, tail, 0, 0, 0});
  }

  // First layer of the donor's part in a section, or of its first source.
  std::uint64_t origin(const Section& section) const {
    for (const Source& source : section.sources) {
      if (source.model == plan_.donor) return source.first_layer;
    }
    return section.sources.front().first_layer;
  }

  void add(const Position& at) {
    PlannedTensor planned;
    planned.name = at.tensor->in_layer(at.output_layer);
    std::vector<const Source*> sources;
    if (!collect_inputs(at, planned, sources)) return;
    const method::Incomplete fate = fate_of(at, planned);
    if (fate == method::Incomplete::kDrop) {
      plan_.warnings.push_back(
          {inputs_path(at), planned.name + " is left out: too few of the models have it", ""});
      return;
    }
    if (!choose_types(planned, *sources.front(), fate == method::Incomplete::kCopy) ||
        !align_inputs(plan_, *at.tensor, inputs_path(at), planned, faults_) ||
        !check_shapes(at, planned, sources)) {
      return;
    }
    if (fate != method::Incomplete::kCopy && !accepted(at, planned)) {
      faults_.add(inputs_path(at), why_not_accepted(at, planned));
      return;
    }
    planned.task.shape = planned.shape;
    planned.task.compatibility = compatibility_;
    set_parameters(at, planned, sources);
    if (fate != method::Incomplete::kCopy && !planned.copied) check_parameters(at, planned);
    plan_.tensors.push_back(std::move(planned));
    places_.push_back({at.tensor, at.output_layer});
  }

  // Names that the inputs agree on stay, even where they are not the table's; where they disagree
  // in one, the table's are used throughout, and so they are where mergekit is to be matched.
  void choose_names() {
    const bool agreed =
        std::ranges::all_of(spellings_, [](const auto& used) { return used.second.size() == 1; });
    const bool packed = plan_.models.front().architecture->packed_experts;
    if (!agreed || packed || compatibility_ == method::Compatibility::kMergekit) return;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const auto& [tensor, layer] = places_[i];
      plan_.tensors[i].name = tensor->spellings(layer)[*spellings_.at(tensor).begin()];
    }
  }

  static std::string inputs_path(const Position& at) {
    return at.section->path.empty() ? "models" : at.section->path + ".sources";
  }

  // Once for a recipe: what is wrong for one tensor is mostly wrong for all.
  void check_parameters(const Position& at, const PlannedTensor& planned) {
    const auto status = plan_.method->check(planned.task);
    if (status || std::exchange(parameters_reported_, true)) return;
    faults_.add((at.section->path.empty() ? "" : at.section->path + ".") + "parameters",
                planned.name + ": " + status.error().message);
  }

  method::Incomplete fate_of(const Position& at, const PlannedTensor& planned) const {
    if (!at.tensor->optional || planned.inputs.size() == at.sources) {
      return method::Incomplete::kMerge;
    }
    return plan_.method->when_incomplete(planned.inputs.size(), planned.task.base.has_value());
  }

  // A base model that lacks the tensor is not the same as a recipe without a base model.
  bool lacks_base(const Position& at, const PlannedTensor& planned) const {
    if (planned.task.base || info_.base_model == recipe::BaseModelUse::kIgnored) return false;
    return info_.base_model == recipe::BaseModelUse::kRequired || at.section->base.has_value();
  }

  bool accepted(const Position& at, const PlannedTensor& planned) const {
    return !lacks_base(at, planned) &&
           plan_.method->accepts(planned.inputs.size(), planned.task.base.has_value());
  }

  std::string why_not_accepted(const Position& at, const PlannedTensor& planned) const {
    if (lacks_base(at, planned)) {
      return recipe_.merge_method + " needs the base model's " + at.tensor->name +
             ", which it lacks";
    }
    return recipe_.merge_method + " cannot merge " + std::to_string(planned.inputs.size()) +
           " models (a base_model that is not listed counts)";
  }

  // False when no input has an optional tensor, or a required one is missing (a fault).
  bool collect_inputs(const Position& at, PlannedTensor& planned,
                      std::vector<const Source*>& sources) {
    bool by_name = false;
    bool complete = true;
    for (std::size_t i = 0; i < at.sources; ++i) {
      const Source& source = at.section->sources[i];
      const PlannedModel& model = plan_.models[source.model];
      const auto names = at.tensor->spellings(source.first_layer + at.layer_in_section);
      auto [tensor, number] = first_present(*model.weights, names);
      std::string name = names[number];
      if (tensor != nullptr) {
        by_name = true;
        spellings_[at.tensor].insert(number);
      } else if (const auto tied = at.tensor->tied_spellings(); !tied.empty()) {
        std::tie(tensor, number) = first_present(*model.weights, tied);
        name = tied[number];
      }
      if (tensor == nullptr) {
        if (at.tensor->optional) continue;
        faults_.add(model.recipe_path, model.reference.text() + " lacks tensor " + name);
        complete = false;
        continue;
      }
      if (at.section->base == source.model) planned.task.base = planned.inputs.size();
      planned.inputs.push_back({source.model, std::move(tensor)});
      planned.order_key = std::max(planned.order_key, name);
      sources.push_back(&source);
    }
    return complete && by_name;
  }

  // Work and output types from the recipe and the inputs; `single`: the tensor will be copied.
  bool choose_types(PlannedTensor& planned, const Source& first_source, bool single) {
    const DType first = planned.inputs.front().source->dtype();
    DType promoted = first;
    for (const PlannedInput& input : planned.inputs) {
      const DType dtype = input.source->dtype();
      planned.copied = planned.copied || !tensor::is_floating(dtype);
      if (dtype == first) continue;
      if (planned.copied || !tensor::is_floating(first)) {
        faults_.add(plan_.models[input.model].recipe_path,
                    planned.name + " is " + std::string(tensor::torch_name(dtype)) + " here and " +
                        std::string(tensor::torch_name(first)) + " in " + first_source.path);
        return false;
      }
      promoted = promote(promoted, dtype);
    }
    if (planned.copied) {
      planned.output = first;
      return true;
    }
    planned.task.dtype = recipe_.dtype.value_or(promoted);
    const DType result =
        single ? planned.task.dtype : plan_.method->result_dtype(planned.task.dtype);
    planned.output = recipe_.out_dtype.value_or(result);
    return true;
  }

  bool check_shapes(const Position& at, PlannedTensor& planned,
                    const std::vector<const Source*>& sources) {
    planned.shape = planned.inputs.front().source->shape();
    planned.elements = tensor::element_count(planned.shape).value_or(0);
    const PlannedModel& first = plan_.models[planned.inputs.front().model];
    bool equal = true;
    for (std::size_t i = 0; i < planned.inputs.size(); ++i) {
      const PlannedModel& model = plan_.models[planned.inputs[i].model];
      const tensor::Shape& shape = planned.inputs[i].source->shape();
      warn_of_config(at, model, shape);
      if (shape == planned.shape) continue;
      equal = false;
      if (!shape_faults_.emplace(at.tensor, sources[i]->model).second) continue;
      const bool vocabulary = is_vocabulary_tensor(*at.tensor);
      const std::string sizes = planned.name + " is " + text_of(shape) + " in " +
                                model.reference.text() + " and " + text_of(planned.shape) + " in " +
                                first.reference.text();
      faults_.add(sources[i]->path,
                  vocabulary && shape.front() != planned.shape.front()
                      ? "vocabularies differ in size: " + sizes
                      : sizes,
                  vocabulary ? "align the vocabularies: `tokenizer_source: union` (or base, or a "
                               "model), or use models with the same tokenizer"
                             : "models must have the same layer sizes");
    }
    return equal;
  }

  // A shape that contradicts the model's own configuration merges, but the result may not load.
  void warn_of_config(const Position& at, const PlannedModel& model, const tensor::Shape& shape) {
    if (plan_.tokenizer && is_vocabulary_tensor(*at.tensor)) return;  // rows are the tokenizer's
    const auto expected = checkpoint::expected_shape(*at.tensor, model.checkpoint->config());
    if (!expected || *expected == shape) return;
    const auto number = static_cast<std::size_t>(&model - plan_.models.data());
    if (!config_warnings_.emplace(at.tensor, number).second) return;
    plan_.warnings.push_back({model.recipe_path,
                              model.reference.text() + ": " + at.tensor->name + " is " +
                                  text_of(shape) + ", config.json asks for " + text_of(*expected),
                              "check the model's config.json"});
  }

  void set_parameters(const Position& at, PlannedTensor& planned,
                      const std::vector<const Source*>& sources) {
    planned.task.models.resize(sources.size());
    for (const recipe::ParameterInfo& parameter : info_.parameters) {
      if (!parameter.per_model) {
        set_value(parameter,
                  lookup(parameter, at, nullptr, filter_text(*at.tensor, at.output_layer)),
                  shared_path(at, parameter), planned.task.shared);
        continue;
      }
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const bool is_base =
            planned.task.base == i && info_.base_model != recipe::BaseModelUse::kIgnored;
        const std::uint64_t layer = sources[i]->first_layer + at.layer_in_section;
        auto value = lookup(parameter, at, sources[i], filter_text(*at.tensor, layer));
        if (is_base && !value) continue;
        set_value(parameter, std::move(value),
                  sources[i]->path + ".parameters." + std::string(parameter.name),
                  planned.task.models[i]);
      }
    }
  }

  std::string shared_path(const Position& at, const recipe::ParameterInfo& parameter) const {
    return (at.section->path.empty() ? "" : at.section->path + ".") + "parameters." +
           std::string(parameter.name);
  }

  // Highest level first: source, slice, module, recipe, default. Shared parameters skip the source.
  std::optional<recipe::Scalar> lookup(const recipe::ParameterInfo& parameter, const Position& at,
                                       const Source* source, const std::string& tensor_name) const {
    const recipe::Parameters* levels[] = {source == nullptr ? nullptr : source->parameters,
                                          at.section->parameters, at.module->parameters,
                                          &recipe_.parameters};
    for (const recipe::Parameters* level : levels) {
      if (level == nullptr) continue;
      const auto found = level->find(std::string(parameter.name));
      if (found == level->end()) continue;
      auto value = recipe::evaluate(found->second, tensor_name, at.depth);
      if (value) return value;
    }
    return parameter.default_value;
  }

  void set_value(const recipe::ParameterInfo& parameter, std::optional<recipe::Scalar> value,
                 const std::string& path, method::ParameterValues& values) {
    if (!value) {
      if (parameter.required) {
        faults_.add(path,
                    recipe_.merge_method + " needs " + std::string(parameter.name) +
                        ", and no setting applies to every tensor",
                    "set it there, or globally under parameters");
      }
      return;
    }
    if (!method::as_number(*value)) {
      faults_.add(path, "must be a number", "");
      return;
    }
    warn_of_unusual(parameter, *method::as_number(*value), path);
    values.set(parameter.name, std::move(*value));
  }

  void warn_of_unusual(const recipe::ParameterInfo& parameter, double value,
                       const std::string& path) {
    const bool low = parameter.usual_minimum && value < *parameter.usual_minimum;
    const bool high = parameter.usual_maximum && value > *parameter.usual_maximum;
    if ((!low && !high) || !unusual_reported_.insert(path).second) return;
    std::ostringstream text;
    text << parameter.name << " is " << value << "; it counts as "
         << (low ? *parameter.usual_minimum : *parameter.usual_maximum);
    plan_.warnings.push_back({path, text.str(), std::string(parameter.meaning)});
  }

  const recipe::Recipe& recipe_;
  method::Compatibility compatibility_;
  const recipe::MethodInfo& info_;
  MergePlan& plan_;
  const Layout& layout_;
  FaultList& faults_;
  std::map<const TensorTemplate*, std::set<std::size_t>> spellings_;     // which names inputs have
  std::vector<std::pair<const TensorTemplate*, std::uint64_t>> places_;  // of plan_.tensors: layer
  std::set<std::pair<const TensorTemplate*, std::size_t>> shape_faults_;
  std::set<std::pair<const TensorTemplate*, std::size_t>> config_warnings_;
  std::set<std::string> unusual_reported_;
  bool parameters_reported_ = false;
};

void check_types(const recipe::Recipe& recipe, FaultList& faults) {
  const auto check = [&faults](const std::optional<DType>& dtype, const char* path) {
    if (!dtype || tensor::is_floating(*dtype)) return;
    faults.add(path, std::string(tensor::torch_name(*dtype)) + " is not a type to compute in",
               "float32, bfloat16, float16 or float64", ErrorCode::kUnsupported);
  };
  check(recipe.dtype, "dtype");
  check(recipe.out_dtype, "out_dtype");
}

}  // namespace

Result<MergePlan> build_plan(const recipe::Recipe& recipe, const ModelResolver& resolver,
                             const MergeOptions& options) {
  FaultList faults;
  MergePlan plan;
  plan.identity = recipe::canonical_text(recipe);
  plan.warnings = recipe.warnings;
  plan.method = method::find(recipe.merge_method);
  if (plan.method == nullptr || recipe::find_method(recipe.merge_method) == nullptr) {
    std::string known;
    for (const std::string_view name : method::names())
      known += (known.empty() ? "" : ", ") + std::string(name);
    faults.add("merge_method", "unknown method \"" + recipe.merge_method + "\"", "one of " + known,
               ErrorCode::kUnsupported);
    return std::move(faults).error();
  }
  check_types(recipe, faults);
  plan.models = open_models(recipe, resolver, faults);
  if (!faults.empty()) return std::move(faults).error();
  agree_on_architecture(plan.models,
                        {options.allow_mixed_architectures,
                         options.compatibility == method::Compatibility::kMergekit},
                        faults);
  if (!faults.empty()) return std::move(faults).error();
  const Layout layout = make_layout(recipe, plan.models, faults);
  if (!faults.empty()) return std::move(faults).error();
  for (std::size_t i = 0; i < plan.models.size(); ++i) {
    if (recipe.base_model && plan.models[i].reference == *recipe.base_model) plan.donor = i;
  }
  plan_tokenizer(recipe, resolver, plan, faults);
  if (!faults.empty()) return std::move(faults).error();
  PlanBuilder(recipe, options.compatibility, plan, layout, faults).build();
  if (!faults.empty()) return std::move(faults).error();
  std::ranges::move(tensors_left_out(plan.models), std::back_inserter(plan.warnings));
  nlohmann::ordered_json config = plan.models[plan.donor].checkpoint->config();
  std::ranges::move(fit_layers(config, plan), std::back_inserter(plan.warnings));
  return plan;
}

}  // namespace crucible::plan
