#include <algorithm>
#include <map>
#include <utility>

#include "merger/plan/layout.hpp"
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

// Where one output tensor stands: its section, depth and template.
struct Position {
  const Section* section = nullptr;
  const TensorTemplate* tensor = nullptr;
  std::size_t sources = 0;  // how many of the section's sources feed it
  double depth = 0;         // for gradients
  std::uint64_t layer_in_section = 0;
  std::uint64_t output_layer = 0;
};

class PlanBuilder {
 public:
  PlanBuilder(const recipe::Recipe& recipe, MergePlan& plan, const Layout& layout,
              FaultList& faults)
      : recipe_(recipe),
        info_(*recipe::find_method(recipe.merge_method)),
        plan_(plan),
        layout_(layout),
        faults_(faults) {}

  void build() {
    const checkpoint::Architecture& architecture = *plan_.models.front().architecture;
    const Section& first = layout_.sections.front();
    const Section& last = layout_.sections.back();
    for (const TensorTemplate& tensor : architecture.before) {
      add({&first, &tensor, first.sources.size(), 0, 0, 0});
    }
    for (const Section& section : layout_.sections) {
      for (std::uint64_t k = 0; k < section.layers; ++k) {
        const double depth = section.layers == 1
                                 ? 1.0
                                 : static_cast<double>(k) / static_cast<double>(section.layers - 1);
        for (const TensorTemplate& tensor : architecture.layer) {
          add({&section, &tensor, section.sources.size(), depth, k, plan_.layers});
        }
        plan_.layer_origins.push_back(origin(section) + k);
        ++plan_.layers;
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
    for (const TensorTemplate& tensor : architecture.after) add({&last, &tensor, tail, 0, 0, 0});
    std::ranges::stable_sort(plan_.tensors, {}, &PlannedTensor::order_key);
  }

 private:
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
    if (!choose_types(planned, *sources.front()) || !check_shapes(at, planned, sources)) return;
    if (!plan_.method->accepts(planned.inputs.size(), planned.task.base.has_value())) {
      faults_.add(at.section->path.empty() ? "models" : at.section->path + ".sources",
                  why_not_accepted(at, planned));
      return;
    }
    set_parameters(at, planned, sources);
    plan_.tensors.push_back(std::move(planned));
  }

  std::string why_not_accepted(const Position& at, const PlannedTensor& planned) const {
    if (info_.base_model == recipe::BaseModelUse::kRequired && !planned.task.base) {
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
      std::string name = at.tensor->in_layer(source.first_layer + at.layer_in_section);
      checkpoint::TensorLocation location = model.checkpoint.find(name);
      by_name = by_name || location.shard != nullptr;
      if (location.shard == nullptr && !at.tensor->tied_to.empty()) {
        name = at.tensor->tied_to;
        location = model.checkpoint.find(name);
      }
      if (location.shard == nullptr) {
        if (at.tensor->optional) continue;
        faults_.add(model.recipe_path, model.reference.text() + " lacks tensor " + name);
        complete = false;
        continue;
      }
      if (at.section->base == source.model) planned.task.base = planned.inputs.size();
      planned.inputs.push_back({source.model, location});
      planned.order_key = std::max(planned.order_key, name);
      sources.push_back(&source);
    }
    return complete && by_name;
  }

  // Work and output types from the recipe and the inputs.
  bool choose_types(PlannedTensor& planned, const Source& first_source) {
    const DType first = planned.inputs.front().location.entry->dtype;
    DType promoted = first;
    for (const PlannedInput& input : planned.inputs) {
      const DType dtype = input.location.entry->dtype;
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
    planned.output = recipe_.out_dtype.value_or(planned.task.dtype);
    return true;
  }

  bool check_shapes(const Position& at, PlannedTensor& planned,
                    const std::vector<const Source*>& sources) {
    planned.shape = planned.inputs.front().location.entry->shape;
    planned.elements = tensor::element_count(planned.shape).value_or(0);
    const PlannedModel& first = plan_.models[planned.inputs.front().model];
    bool equal = true;
    for (std::size_t i = 0; i < planned.inputs.size(); ++i) {
      const PlannedModel& model = plan_.models[planned.inputs[i].model];
      const tensor::Shape& shape = planned.inputs[i].location.entry->shape;
      warn_of_config(at, model, shape);
      if (shape == planned.shape) continue;
      equal = false;
      if (!shape_faults_.emplace(at.tensor, sources[i]->model).second) continue;
      const bool vocabulary = at.tensor->shape.front() == "vocab_size";
      const std::string sizes = planned.name + " is " + text_of(shape) + " in " +
                                model.reference.text() + " and " + text_of(planned.shape) + " in " +
                                first.reference.text();
      faults_.add(sources[i]->path,
                  vocabulary && shape.front() != planned.shape.front()
                      ? "vocabularies differ in size: " + sizes
                      : sizes,
                  vocabulary ? "use models with the same tokenizer; vocabularies are not aligned"
                             : "models must have the same layer sizes");
    }
    return equal;
  }

  // A shape that contradicts the model's own configuration merges, but the result may not load.
  void warn_of_config(const Position& at, const PlannedModel& model, const tensor::Shape& shape) {
    const auto expected = checkpoint::expected_shape(*at.tensor, model.checkpoint.config());
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
        set_value(parameter, lookup(parameter, at, nullptr, planned.name),
                  shared_path(at, parameter), planned.task.shared);
        continue;
      }
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const bool is_base =
            planned.task.base == i && info_.base_model == recipe::BaseModelUse::kRequired;
        const std::string name = at.tensor->in_layer(sources[i]->first_layer + at.layer_in_section);
        auto value = lookup(parameter, at, sources[i], name);
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
                                          at.section->parameters, layout_.module_parameters,
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
    values.set(parameter.name, std::move(*value));
  }

  const recipe::Recipe& recipe_;
  const recipe::MethodInfo& info_;
  MergePlan& plan_;
  const Layout& layout_;
  FaultList& faults_;
  std::set<std::pair<const TensorTemplate*, std::size_t>> shape_faults_;
  std::set<std::pair<const TensorTemplate*, std::size_t>> config_warnings_;
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

// Tensors of the inputs that the architecture does not have; they are left out, as mergekit does.
void warn_of_dropped(MergePlan& plan) {
  for (const PlannedModel& model : plan.models) {
    std::set<std::string, std::less<>> known;
    for (const TensorTemplate& tensor : model.architecture->before) known.insert(tensor.name);
    for (const TensorTemplate& tensor : model.architecture->after) known.insert(tensor.name);
    for (std::uint64_t layer = 0; layer < model.layers; ++layer) {
      for (const TensorTemplate& tensor : model.architecture->layer)
        known.insert(tensor.in_layer(layer));
    }
    std::string first;
    std::size_t count = 0;
    for (const std::string& name : model.checkpoint.tensor_names()) {
      if (known.contains(name) || name.ends_with("rotary_emb.inv_freq")) continue;
      if (count++ == 0) first = name;
    }
    if (count == 0) continue;
    plan.warnings.push_back({model.recipe_path,
                             model.reference.text() + " has " + std::to_string(count) +
                                 " tensors that a " + model.architecture->model_type +
                                 " model does not have (" + first + ", ...); they are left out",
                             ""});
  }
}

}  // namespace

Result<MergePlan> build_plan(const recipe::Recipe& recipe, const ModelResolver& resolver) {
  FaultList faults;
  MergePlan plan;
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
  const Layout layout = make_layout(recipe, plan.models, faults);
  if (!faults.empty()) return std::move(faults).error();
  plan.sliced = layout.sliced;
  for (std::size_t i = 0; i < plan.models.size(); ++i) {
    if (recipe.base_model && plan.models[i].reference == *recipe.base_model) plan.donor = i;
  }
  PlanBuilder(recipe, plan, layout, faults).build();
  if (!faults.empty()) return std::move(faults).error();
  warn_of_dropped(plan);
  return plan;
}

std::uint64_t MergePlan::output_bytes() const {
  std::uint64_t bytes = 0;
  for (const PlannedTensor& planned : tensors)
    bytes += planned.elements * tensor::byte_size(planned.output);
  return bytes;
}

std::uint64_t MergePlan::input_bytes() const {
  std::uint64_t bytes = 0;
  for (const PlannedTensor& planned : tensors) {
    for (const PlannedInput& input : planned.inputs) bytes += input.location.entry->bytes;
  }
  return bytes;
}

std::uint64_t MergePlan::parameters() const {
  std::uint64_t count = 0;
  for (const PlannedTensor& planned : tensors) count += planned.elements;
  return count;
}

tensor::DType MergePlan::main_dtype() const {
  std::map<DType, std::uint64_t> bytes;
  for (const PlannedTensor& planned : tensors) {
    if (!planned.copied)
      bytes[planned.output] += planned.elements * tensor::byte_size(planned.output);
  }
  const auto most =
      std::ranges::max_element(bytes, {}, [](const auto& item) { return item.second; });
  return most == bytes.end() ? DType::kF32 : most->first;
}

}  // namespace crucible::plan
