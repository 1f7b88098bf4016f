#include <algorithm>
#include <utility>

#include "merger/moe/computed_tensors.hpp"
#include "merger/moe/moe.hpp"

namespace crucible::moe {
namespace {

using checkpoint::TensorSourcePtr;
using tensor::DType;

class MixturePlanner {
 public:
  MixturePlanner(const MoeRecipe& recipe, const SourceModels& sources, Layout layout,
                 std::uint64_t seed, const RouterRows* rows, plan::MergePlan& plan)
      : recipe_(recipe),
        sources_(sources),
        layout_(layout),
        seed_(seed),
        rows_(rows),
        plan_(plan),
        dtype_(output_dtype(recipe, sources)),
        base_(sources.base_model()) {}

  void build() {
    plan_.method = &method::passthrough();
    plan_.donor = sources_.base;
    plan_.layers = base_.layers;
    plan_.modules = {{base_.layers, false, {}}};
    for (const auto& tensor : sources_.tensors().before) copy_base(tensor, 0);
    for (std::uint64_t layer = 0; layer < base_.layers; ++layer) add_layer(layer);
    for (const auto& tensor : sources_.tensors().after) {
      // Loaders ignore an output matrix that the configuration ties to the embeddings.
      if (!tensor.tied_to.empty() && tied()) continue;
      copy_base(tensor, 0);
    }
    std::ranges::stable_sort(plan_.tensors, {}, &plan::PlannedTensor::order_key);
  }

 private:
  bool tied() const {
    const auto& config = base_.checkpoint->config();
    const auto found = config.find("tie_word_embeddings");
    return found != config.end() && *found == true;
  }

  void add(std::string name, std::size_t model, TensorSourcePtr source) {
    plan::PlannedTensor planned;
    planned.name = std::move(name);
    planned.shape = source->shape();
    planned.elements = tensor::element_count(planned.shape).value_or(0);
    planned.copied = !tensor::is_floating(source->dtype());
    planned.task.dtype = source->dtype() == DType::kF64 ? DType::kF64 : DType::kF32;
    planned.output = planned.copied ? source->dtype() : dtype_.value_or(source->dtype());
    planned.task.shape = planned.shape;
    planned.task.models.resize(1);
    planned.order_key = planned.name;
    planned.inputs.push_back({model, std::move(source)});
    plan_.tensors.push_back(std::move(planned));
  }

  void copy_base(const checkpoint::TensorTemplate& tensor, std::uint64_t layer) {
    auto source = find_tensor(base_, tensor, layer);
    if (source != nullptr) add(tensor.in_layer(layer), sources_.base, std::move(source));
  }

  void add_layer(std::uint64_t layer) {
    for (const auto& tensor : sources_.tensors().layer) {
      if (tensor.name.find(".mlp.") == std::string::npos) copy_base(tensor, layer);
    }
    if (layout_ == Layout::kQwen2Moe) add_missing_biases(layer);
    for (std::size_t i = 0; i < recipe_.experts.size(); ++i) {
      for (const MlpPart& part : parts()) {
        add_expert(expert_tensor(layout_, layer, i, part.name), layer, part, recipe_.experts[i],
                   sources_.experts[i]);
      }
    }
    if (!recipe_.shared_experts.empty()) {
      for (const MlpPart& part : parts()) {
        add_expert(shared_tensor(layout_, layer, part.name), layer, part,
                   recipe_.shared_experts.front(), sources_.shared.front());
      }
    }
    add_router(layer);
  }

  // Qwen2-MoE has biases in its query, key and value projections.
  void add_missing_biases(std::uint64_t layer) {
    for (const char* projection : {"q_proj", "k_proj", "v_proj"}) {
      const std::string stem = "model.layers." + std::to_string(layer) + ".self_attn." + projection;
      if (base_.weights->find(stem + ".bias") != nullptr) continue;
      const TensorSourcePtr weight = base_.weights->find(stem + ".weight");
      add(stem + ".bias", sources_.base,
          std::make_shared<ZeroTensor>(weight->dtype(), tensor::Shape{weight->shape().front()}));
    }
  }

  std::span<const MlpPart> parts() const { return mlp_parts(base_.architecture->model_type); }

  void add_expert(std::string name, std::uint64_t layer, const MlpPart& part, const Expert& expert,
                  std::size_t model) {
    TensorSourcePtr source = sources_.models[model].weights->find(
        "model.layers." + std::to_string(layer) + ".mlp." + std::string(part.name));
    const double scale = part.is_last ? expert.residual_scale : 1;
    if (expert.noise_scale != 0 || scale != 1) {
      source = std::make_shared<PerturbedTensor>(std::move(source), expert.noise_scale, scale,
                                                 noise_key(name));
    }
    add(std::move(name), model, std::move(source));
  }

  std::uint64_t noise_key(const std::string& name) const {
    Sha256 hash;
    hash.field("mixture noise").field(std::to_string(seed_)).field(name);
    const Digest digest = hash.finish();
    std::uint64_t key = 0;
    for (std::size_t i = 0; i < 8; ++i) key = key << 8 | digest.bytes()[i];
    return key;
  }

  void add_router(std::uint64_t layer) {
    const std::uint64_t experts = recipe_.experts.size();
    add(router_tensor(layout_, layer), sources_.base, rows_of(layer, 0, experts));
    if (layout_ != Layout::kQwen2Moe) return;
    add(shared_router_tensor(layer), sources_.base, rows_of(layer, experts, 1));
  }

  TensorSourcePtr rows_of(std::uint64_t layer, std::uint64_t first, std::uint64_t count) const {
    tensor::Shape shape = {count, sources_.hidden};
    if (rows_ == nullptr) return std::make_shared<ZeroTensor>(DType::kF32, std::move(shape));
    return std::make_shared<MemoryTensor>(rows_->values,
                                          (layer * rows_->rows + first) * rows_->hidden,
                                          std::move(shape), "the router's rows");
  }

  const MoeRecipe& recipe_;
  const SourceModels& sources_;
  Layout layout_;
  std::uint64_t seed_;
  const RouterRows* rows_;
  plan::MergePlan& plan_;
  std::optional<DType> dtype_;
  const plan::PlannedModel& base_;
};

void warn(plan::MergePlan& plan, const SourceModels& sources, Layout layout) {
  const auto& config = sources.base_model().checkpoint->config();
  const auto window = config.find("sliding_window");
  const bool drops = layout == Layout::kMixtral || layout == Layout::kQwen2Moe;
  const bool used = config.value("use_sliding_window", nlohmann::json(true)) == true;
  if (drops && used && window != config.end() && window->is_number_integer()) {
    plan.warnings.push_back({"base_model",
                             "the base attends to " + window->dump() +
                                 " positions, the mixture to all: its sliding_window is left out, "
                                 "as mergekit does",
                             ""});
  }
  if (layout == Layout::kPhixtral) {
    plan.warnings.push_back(
        {"",
         "transformers has no class of its own for the layout phixtral: it loads the mixture with "
         "trust_remote_code only, by " +
             std::string(model_code(layout).file) + " in the output folder",
         ""});
  }
  if (layout == Layout::kDeepseek) {
    plan.warnings.push_back(
        {"",
         "transformers has no class of its own for the layout deepseek: it loads the mixture with "
         "trust_remote_code only, from the code of deepseek-ai/deepseek-moe-16b-base",
         ""});
  }
}

}  // namespace

std::optional<DType> output_dtype(const MoeRecipe& recipe, const SourceModels& sources) {
  if (recipe.dtype) return recipe.dtype;
  const auto& config = sources.base_model().checkpoint->config();
  for (const char* key : {"dtype", "torch_dtype"}) {
    const auto found = config.find(key);
    if (found == config.end() || !found->is_string()) continue;
    const auto dtype = tensor::from_torch_name(found->get<std::string>());
    if (dtype && tensor::is_floating(*dtype)) return dtype;
  }
  return std::nullopt;
}

plan::MergePlan plan_mixture(const MoeRecipe& recipe, const SourceModels& sources, Layout layout,
                             std::uint64_t seed, const RouterRows* rows) {
  plan::MergePlan plan;
  MixturePlanner(recipe, sources, layout, seed, rows, plan).build();
  plan.identity = "mixture " + std::string(info(layout).name) + "\n" + recipe.source_text;
  if (rows != nullptr)
    plan.identity += "\n" + sha256(std::as_bytes(std::span(*rows->values))).hex();
  warn(plan, sources, layout);
  if (rows != nullptr) {
    for (const std::string& warning : rows->warnings) plan.warnings.push_back({"", warning, ""});
  }
  return plan;
}

}  // namespace crucible::moe
