#include <cmath>

#include "merger/base/parallel.hpp"
#include "merger/moe/router.hpp"

namespace crucible::moe {
namespace {

constexpr std::uint64_t kBandElements = 1U << 20;  // of a matrix, read at a time by one thread

double norm_epsilon(const nlohmann::json& config) {
  const auto found = config.find("rms_norm_eps");
  return found != config.end() && found->is_number() ? found->get<double>() : 1e-6;
}

// "gelu_new": the tanh approximation of Hendrycks and Gimpel 2016 (arXiv:1606.08415).
float gelu_tanh(float value) {
  const double x = static_cast<double>(value);
  const double root = std::sqrt(2.0 / 3.14159265358979323846);
  return static_cast<float>(0.5 * x * (1 + std::tanh(root * (x + 0.044715 * x * x * x))));
}

// One vector through the MLPs of a model, layer by layer.
class PaddingStates {
 public:
  PaddingStates(const SourceModels& sources, std::stop_token stop)
      : model_(sources.base_model()), hidden_(sources.hidden), stop_(std::move(stop)) {}

  Result<LayerStates> compute(std::int32_t token) {
    std::vector<float> x(static_cast<std::size_t>(hidden_));
    const auto embedding = model_.weights->find("model.embed_tokens.weight");
    if (auto status = read_row(*embedding, static_cast<std::uint64_t>(token), x); !status)
      return fail(std::move(status.error()));
    LayerStates states;
    for (std::uint64_t layer = 0; layer < model_.layers; ++layer) {
      states.insert(states.end(), x.begin(), x.end());
      if (layer + 1 == model_.layers) break;
      if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "the merge was cancelled");
      if (auto status = add_mlp(layer, x); !status) return fail(std::move(status.error()));
    }
    return states;
  }

 private:
  Status add_mlp(std::uint64_t layer, std::vector<float>& x) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    if (model_.architecture->model_type == "phi") return add_phi(prefix, x);
    auto normal = rms_norm(prefix + "post_attention_layernorm.weight", x);
    if (!normal) return fail(std::move(normal.error()));
    auto gate = multiply(prefix + "mlp.gate_proj.weight", *normal);
    if (!gate) return fail(std::move(gate.error()));
    auto up = multiply(prefix + "mlp.up_proj.weight", *normal);
    if (!up) return fail(std::move(up.error()));
    for (std::size_t i = 0; i < up->size(); ++i) {
      const double g = static_cast<double>((*gate)[i]);
      (*up)[i] = static_cast<float>(g / (1 + std::exp(-g)) * static_cast<double>((*up)[i]));
    }
    auto down = multiply(prefix + "mlp.down_proj.weight", *up);
    if (!down) return fail(std::move(down.error()));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += (*down)[i];
    return {};
  }

  // Phi computes attention and MLP beside each other, and its projections have biases: attention
  // to nothing leaves the last one's.
  Status add_phi(const std::string& prefix, std::vector<float>& x) {
    auto normal = layer_norm(prefix + "input_layernorm", x);
    if (!normal) return fail(std::move(normal.error()));
    auto inner = multiply_add(prefix + "mlp.fc1", *normal);
    if (!inner) return fail(std::move(inner.error()));
    for (float& value : *inner) value = gelu_tanh(value);
    auto outer = multiply_add(prefix + "mlp.fc2", *inner);
    if (!outer) return fail(std::move(outer.error()));
    std::vector<float> bias(x.size());
    if (auto status = read_vector(prefix + "self_attn.dense.bias", bias); !status) return status;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += bias[i] + (*outer)[i];
    return {};
  }

  Status read_vector(const std::string& name, std::vector<float>& out) const {
    const auto found = find(name);
    if (!found) return fail(found.error());
    if ((*found)->shape() != tensor::Shape{out.size()})
      return fail(ErrorCode::kInvalidArgument, (*found)->origin() + " has another length");
    return read_row(**found, 0, out);
  }

  Result<std::vector<float>> multiply_add(const std::string& stem, const std::vector<float>& x) {
    auto out = multiply(stem + ".weight", x);
    if (!out) return out;
    std::vector<float> bias(out->size());
    if (auto status = read_vector(stem + ".bias", bias); !status)
      return fail(std::move(status.error()));
    for (std::size_t i = 0; i < bias.size(); ++i) (*out)[i] += bias[i];
    return out;
  }

  Result<std::vector<float>> layer_norm(const std::string& stem,
                                        const std::vector<float>& x) const {
    std::vector<float> weight(x.size());
    std::vector<float> bias(x.size());
    if (auto status = read_vector(stem + ".weight", weight); !status)
      return fail(std::move(status.error()));
    if (auto status = read_vector(stem + ".bias", bias); !status)
      return fail(std::move(status.error()));
    double mean = 0;
    for (const float value : x) mean += static_cast<double>(value);
    mean /= static_cast<double>(x.size());
    double squares = 0;
    for (const float value : x) {
      squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    }
    const auto& config = model_.checkpoint->config();
    const auto given = config.find("layer_norm_eps");
    const double epsilon =
        given != config.end() && given->is_number() ? given->get<double>() : 1e-5;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double normal = (static_cast<double>(x[i]) - mean) * scale;
      weight[i] = static_cast<float>(normal * static_cast<double>(weight[i])) + bias[i];
    }
    return weight;
  }

  Result<checkpoint::TensorSourcePtr> find(const std::string& name) const {
    auto tensor = model_.weights->find(name);
    if (tensor == nullptr)
      return fail(ErrorCode::kInvalidArgument, model_.reference.text() + " lacks tensor " + name);
    return tensor;
  }

  Result<std::vector<float>> rms_norm(const std::string& name, const std::vector<float>& x) const {
    const auto weight = find(name);
    if (!weight) return fail(weight.error());
    std::vector<float> out(x.size());
    if (auto status = read_row(**weight, 0, out); !status) return fail(std::move(status.error()));
    double squares = 0;
    for (const float value : x) squares += static_cast<double>(value) * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) +
                                       norm_epsilon(model_.checkpoint->config()));
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i] *= static_cast<float>(static_cast<double>(x[i]) * scale);
    return out;
  }

  // Matrix times vector in bands of rows; sums in double.
  Result<std::vector<float>> multiply(const std::string& name, const std::vector<float>& x) {
    const auto found = find(name);
    if (!found) return fail(found.error());
    const checkpoint::TensorSource& matrix = **found;
    const std::uint64_t columns = x.size();
    if (matrix.shape().size() != 2 || matrix.shape()[1] != columns)
      return fail(ErrorCode::kInvalidArgument, matrix.origin() + " has another width");
    const std::uint64_t rows = matrix.shape()[0];
    const std::uint64_t band = std::max<std::uint64_t>(1, kBandElements / columns);
    std::vector<float> out(static_cast<std::size_t>(rows));
    std::vector<Status> results(static_cast<std::size_t>((rows + band - 1) / band));
    pool_.for_each(results.size(), [&](unsigned, std::size_t index) {
      const std::uint64_t first = index * band;
      const std::uint64_t count = std::min(band, rows - first);
      results[index] = multiply_band(matrix, first, count, x, out);
    });
    for (Status& result : results) {
      if (!result) return fail(std::move(result.error()));
    }
    return out;
  }

  static Status multiply_band(const checkpoint::TensorSource& matrix, std::uint64_t first,
                              std::uint64_t count, const std::vector<float>& x,
                              std::vector<float>& out) {
    const std::size_t columns = x.size();
    std::vector<std::byte> raw(count * columns * tensor::byte_size(matrix.dtype()));
    if (auto status = matrix.read(first * columns, raw); !status) return status;
    std::vector<float> values(count * columns);
    tensor::to_float32(matrix.dtype(), raw, values);
    for (std::size_t row = 0; row < count; ++row) {
      double sum = 0;
      const float* from = values.data() + row * columns;
      for (std::size_t i = 0; i < columns; ++i) sum += static_cast<double>(from[i]) * x[i];
      out[first + row] = static_cast<float>(sum);
    }
    return {};
  }

  const plan::PlannedModel& model_;
  std::uint64_t hidden_;
  std::stop_token stop_;
  ThreadPool pool_{0};
};

}  // namespace

Result<LayerStates> padding_states(const SourceModels& sources, std::int32_t token,
                                   std::stop_token stop) {
  return PaddingStates(sources, std::move(stop)).compute(token);
}

}  // namespace crucible::moe
