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
