#include <algorithm>

#include "merger/moe/layout.hpp"
#include "merger/plan/layout.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::moe {
namespace {

using plan::PlannedModel;

std::string activation(const PlannedModel& model) {
  const auto& config = model.checkpoint->config();
  const auto found = config.find("hidden_act");
  if (found != config.end() && found->is_string()) return found->get<std::string>();
  return model.architecture->model_type == "phi" ? "gelu_new" : "silu";
}

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

class SourceOpener {
 public:
  SourceOpener(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
               plan::FaultList& faults)
      : recipe_(recipe), resolver_(resolver), faults_(faults) {}

  SourceModels open() {
    sources_.base = model(recipe_.base_model, "base_model");
    open_experts(recipe_.experts, "experts", sources_.experts);
    open_experts(recipe_.shared_experts, "shared_experts", sources_.shared);
    if (!faults_.empty()) return std::move(sources_);
    check_base();
    if (!faults_.empty()) return std::move(sources_);
    sources_.expert_size = check_experts(sources_.experts, "experts");
    sources_.shared_size = check_experts(sources_.shared, "shared_experts");
    return std::move(sources_);
  }

 private:
  // Its index in the list of distinct models.
  std::size_t model(const recipe::ModelReference& reference, const std::string& path) {
    const auto known = std::ranges::find(sources_.models, reference, &PlannedModel::reference);
    if (known != sources_.models.end())
      return static_cast<std::size_t>(known - sources_.models.begin());
    auto opened = plan::open_model(reference, path, resolver_, faults_);
    if (!opened) return 0;
    sources_.models.push_back(std::move(*opened));
    return sources_.models.size() - 1;
  }

  void open_experts(const std::vector<Expert>& experts, const char* key,
                    std::vector<std::size_t>& indices) {
    for (std::size_t i = 0; i < experts.size(); ++i) {
      const std::string path = recipe::child_path(recipe::child_path(key, i), "source_model");
      indices.push_back(model(experts[i].source_model, path));
    }
  }

  void check_base() {
    const PlannedModel& base = sources_.base_model();
    const std::string& type = base.architecture->model_type;
    if (base.architecture->inferred ||
        std::ranges::find(kExpertTypes, type) == std::end(kExpertTypes)) {
      faults_.add(
          "base_model",
          base.reference.text() + " is a " +
              (type.empty() ? "model of unknown type" : type + " model") +
              ", and no layout holds experts of that kind: mixtral and deepseek hold llama "
              "and mistral models, qwen2_moe also qwen2 models, qwen3_moe qwen3 models, phixtral "
              "phi models",
          "mergekit-moe has no layout for it either", ErrorCode::kUnsupported);
      return;
    }
    const auto embedding = base.weights->find("model.embed_tokens.weight");
    if (embedding == nullptr || embedding->shape().size() != 2) {
      faults_.add("base_model", base.reference.text() + " has no matrix model.embed_tokens.weight",
                  "", ErrorCode::kUnsupported);
      return;
    }
    sources_.hidden = embedding->shape()[1];
    const auto missing = [&](const std::string& name) {
      faults_.add("base_model", base.reference.text() + " lacks tensor " + name);
    };
    const auto check = [&](const checkpoint::TensorTemplate& tensor, std::uint64_t layer) {
      if (tensor.optional || tensor.name.find(".mlp.") != std::string::npos) return;
      if (find_tensor(base, tensor, layer) == nullptr) missing(tensor.in_layer(layer));
    };
    for (const auto& tensor : sources_.tensors().after) check(tensor, 0);
    for (std::uint64_t layer = 0; layer < base.layers; ++layer) {
      for (const auto& tensor : sources_.tensors().layer) check(tensor, layer);
    }
  }

  // The intermediate size that all of them have.
  std::uint64_t check_experts(const std::vector<std::size_t>& experts, const char* key) {
    std::uint64_t size = 0;
    for (std::size_t i = 0; i < experts.size(); ++i) {
      const PlannedModel& expert = sources_.models[experts[i]];
      const std::string path = recipe::child_path(recipe::child_path(key, i), "source_model");
      if (!check_kind(expert, path)) continue;
      const std::uint64_t own = check_projections(expert, path);
      if (size == 0) size = own;
      if (own == 0 || own == size) continue;
      faults_.add(path,
                  expert.reference.text() + " has an intermediate size of " + std::to_string(own) +
                      ", the first expert " + std::to_string(size),
                  "use experts of one size");
    }
    return size;
  }

  bool check_kind(const PlannedModel& expert, const std::string& path) {
    const PlannedModel& base = sources_.base_model();
    if (expert.architecture->inferred ||
        expert.architecture->model_type != base.architecture->model_type) {
      faults_.add(path,
                  expert.reference.text() + " is a " + expert.architecture->model_type +
                      " model, the base a " + base.architecture->model_type + " model",
                  "use experts of the base's architecture");
      return false;
    }
    if (expert.layers != base.layers) {
      faults_.add(path, expert.reference.text() + " has " + std::to_string(expert.layers) +
                            " layers, the base " + std::to_string(base.layers));
      return false;
    }
    if (activation(expert) != activation(base)) {
      faults_.add(path, expert.reference.text() + " has the activation " + activation(expert) +
                            ", the base " + activation(base));
    }
    return true;
  }

  std::uint64_t check_projections(const PlannedModel& expert, const std::string& path) {
    std::uint64_t size = 0;
    for (std::uint64_t layer = 0; layer < expert.layers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".mlp.";
      for (const MlpPart& part : mlp_parts(expert.architecture->model_type)) {
        const std::string name = prefix + std::string(part.name);
        const auto tensor = expert.weights->find(name);
        if (tensor == nullptr) {
          faults_.add(path, expert.reference.text() + " lacks tensor " + name);
          return 0;
        }
        if (!check_biases(expert, name, path)) return 0;
        const tensor::Shape& shape = tensor->shape();
        if (size == 0 && shape.size() == 2) size = shape.front();  // the first part is a weight
        const tensor::Shape expected = shape_of(part, sources_.hidden, size);
        if (shape == expected && tensor::is_floating(tensor->dtype())) continue;
        faults_.add(path, tensor->origin() + " is " +
                              std::string(tensor::safetensors_name(tensor->dtype())) + " " +
                              text_of(shape) + ", expected floating " + text_of(expected));
        return 0;
      }
    }
    return size;
  }

  // A gated MLP may have none: the layouts' experts have no room for them.
  bool check_biases(const PlannedModel& expert, const std::string& weight,
                    const std::string& path) {
    if (expert.architecture->model_type == "phi") return true;
    const std::string bias = weight.substr(0, weight.rfind('.')) + ".bias";
    if (expert.weights->find(bias) == nullptr) return true;
    faults_.add(
        path,
        expert.reference.text() + " has biases in its MLP (" + bias + "), which no layout can hold",
        "", ErrorCode::kUnsupported);
    return false;
  }

  const MoeRecipe& recipe_;
  const plan::ModelResolver& resolver_;
  plan::FaultList& faults_;
  SourceModels sources_;
};

}  // namespace

checkpoint::TensorSourcePtr find_tensor(const PlannedModel& model,
                                        const checkpoint::TensorTemplate& tensor,
                                        std::uint64_t layer) {
  for (const std::string& name : tensor.spellings(layer)) {
    if (auto found = model.weights->find(name)) return found;
  }
  return nullptr;
}

SourceModels open_sources(const MoeRecipe& recipe, const plan::ModelResolver& resolver,
                          plan::FaultList& faults) {
  return SourceOpener(recipe, resolver, faults).open();
}

}  // namespace crucible::moe
