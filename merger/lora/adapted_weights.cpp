#include "merger/lora/adapted_weights.hpp"

#include <optional>

#include "merger/lora/adapted_tensor.hpp"
#include "merger/lora/module_kind.hpp"

namespace crucible::lora {
namespace {

using checkpoint::TensorSource;
using checkpoint::TensorSourcePtr;
using tensor::DType;

std::string text_of(const tensor::Shape& shape) {
  std::string text = "[";
  for (const std::uint64_t extent : shape) {
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  }
  return text + "]";
}

}  // namespace

// Gives each tensor of the adapter its place in the base model.
class AdapterFitting {
 public:
  AdapterFitting(AdaptedWeights& weights, std::shared_ptr<const FactorStore> store,
                 const nlohmann::json& config)
      : weights_(weights), store_(std::move(store)), config_(config) {}

  Status fit() {
    if (config_.contains("quantization_config")) {
      return fail(ErrorCode::kUnsupported,
                  "the base model is quantised (config.json has quantization_config); an adapter "
                  "cannot be folded into it");
    }
    for (const auto& [name, entry] : store_->adapter().replacements()) replace(name, *entry);
    for (const AdapterModule& module : store_->adapter().modules()) {
      adapt(module);
      if (module.bias != nullptr) adapt_bias(module);
    }
    if (faults_.empty()) return {};
    return fail(
        Error{is_unsupported_ ? ErrorCode::kUnsupported : ErrorCode::kInvalidArgument,
              "the adapter " + store_->adapter().folder().string() + " does not fit its base model",
              std::move(faults_)});
  }

 private:
  void add_fault(const std::string& tensor, std::string message, std::string suggestion = "") {
    constexpr std::size_t kMostShown = 10;
    if (faults_.size() < kMostShown) {
      faults_.push_back({tensor, std::move(message), std::move(suggestion)});
    }
  }

  // The base model's tensor for a name of the adapter. Checkpoints of some models leave out the
  // part before the first dot that the model in memory has, or the reverse.
  std::optional<std::string> name_in_base(const std::string& name) const {
    std::vector<std::string> candidates = {name};
    const auto dot = name.find('.');
    if (dot != std::string::npos) candidates.push_back(name.substr(dot + 1));
    candidates.push_back("model." + name);
    candidates.push_back("transformer." + name);
    for (std::string& candidate : candidates) {
      if (weights_.base_->find(candidate) != nullptr) return std::move(candidate);
    }
    return std::nullopt;
  }

  // The base's tensor as far as it is changed by now; a fault and nullptr when there is none that
  // can be computed with.
  TensorSourcePtr find_base(const std::string& name, const std::string& adapter_tensor,
                            std::string& name_found) {
    auto found = name_in_base(name);
    if (!found) {
      const bool is_tied = name == "lm_head.weight" &&
                           config_.value("tie_word_embeddings", nlohmann::json()) == true;
      is_unsupported_ = is_unsupported_ || is_tied;
      add_fault(adapter_tensor,
                is_tied ? "it changes lm_head, which this base model does not store: it shares the "
                          "embeddings' weights"
                        : "the base model has no tensor " + name,
                is_tied ? "fold it with PEFT into a base model that was saved with "
                          "tie_word_embeddings: false"
                        : "use the base model that the adapter was trained on");
      return nullptr;
    }
    name_found = std::move(*found);
    TensorSourcePtr base = weights_.find(name_found);
    const DType dtype = base->dtype();
    if (dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16) return base;
    is_unsupported_ = true;
    add_fault(adapter_tensor, "the base model's " + name_found + " is " +
                                  std::string(tensor::torch_name(dtype)) +
                                  "; adapters are folded into float32, bfloat16 and float16");
    return nullptr;
  }

  void replace(const std::string& name, const safetensors::TensorEntry& entry) {
    std::string found;
    const TensorSourcePtr base = find_base(name, entry.name, found);
    if (base == nullptr) return;
    if (base->shape() != entry.shape) {
      add_fault(entry.name,
                "it is " + text_of(entry.shape) + ", the base model's " + found + " is " +
                    text_of(base->shape()),
                "give the base model the adapter's vocabulary first, if that was extended");
      return;
    }
    weights_.changed_[found] = std::make_shared<const ReplacedTensor>(base->dtype(), store_, entry);
  }

  // Whether the matrix lies transposed; nullopt when the factors do not fit it either way.
  std::optional<bool> orientation(const AdapterModule& module, const tensor::Shape& shape) const {
    const std::uint64_t inputs = module.a->shape[1];
    const std::uint64_t outputs = module.b->shape[0];
    const bool fits_plain = shape == tensor::Shape{outputs, inputs};
    const bool fits_transposed = shape == tensor::Shape{inputs, outputs};
    if (module.is_embedding) return fits_transposed ? std::optional(true) : std::nullopt;
    if (fits_plain && fits_transposed) {
      return store_->adapter().config().fan_in_fan_out() || is_stored_in_out(config_, module.name);
    }
    if (fits_plain) return false;
    return fits_transposed ? std::optional(true) : std::nullopt;
  }

  void adapt(const AdapterModule& module) {
    std::string found;
    const TensorSourcePtr base = find_base(module.name + ".weight", module.a->name, found);
    if (base == nullptr) return;
    const auto in_out = orientation(module, base->shape());
    if (!in_out) {
      add_fault(module.a->name,
                "A is " + text_of(module.a->shape) + " and B is " + text_of(module.b->shape) +
                    ", the base model's " + found + " is " + text_of(base->shape()),
                "use the base model that the adapter was trained on");
      return;
    }
    if (module.magnitude != nullptr &&
        tensor::element_count(module.magnitude->shape) != module.b->shape[0]) {
      add_fault(module.magnitude->name, "it is " + text_of(module.magnitude->shape) +
                                            ", but the module has " +
                                            std::to_string(module.b->shape[0]) + " outputs");
      return;
    }
    weights_.changed_[found] = std::make_shared<const AdaptedTensor>(base, store_, module, *in_out);
  }

  void adapt_bias(const AdapterModule& module) {
    std::string found;
    const TensorSourcePtr base = find_base(module.name + ".bias", module.bias->name, found);
    if (base == nullptr) return;
    if (base->shape() != module.bias->shape) {
      add_fault(module.bias->name, "it is " + text_of(module.bias->shape) +
                                       ", the base model's bias is " + text_of(base->shape()));
      return;
    }
    weights_.changed_[found] = std::make_shared<const AdaptedBias>(base, store_, module);
  }

  AdaptedWeights& weights_;
  std::shared_ptr<const FactorStore> store_;
  const nlohmann::json& config_;
  std::vector<Fault> faults_;
  bool is_unsupported_ = false;
};

std::vector<std::filesystem::path> AdaptedWeights::folders() const {
  auto folders = base_->folders();
  folders.push_back(folder_);
  return folders;
}

Result<std::unique_ptr<const checkpoint::Weights>> AdaptedWeights::create(
    std::unique_ptr<const checkpoint::Weights> base, Adapter adapter,
    const nlohmann::json& config) {
  std::unique_ptr<AdaptedWeights> weights(new AdaptedWeights(std::move(base), adapter.folder()));
  auto store = std::make_shared<const FactorStore>(std::move(adapter));
  if (auto status = AdapterFitting(*weights, std::move(store), config).fit(); !status) {
    return fail(std::move(status.error()));
  }
  return std::unique_ptr<const checkpoint::Weights>(std::move(weights));
}

TensorSourcePtr AdaptedWeights::find(std::string_view name) const {
  const auto found = changed_.find(name);
  return found != changed_.end() ? found->second : base_->find(name);
}

}  // namespace crucible::lora
