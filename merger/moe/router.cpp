#include "merger/moe/router.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "merger/method/mt19937.hpp"
#include "merger/recipe/yaml_tree.hpp"

namespace crucible::moe {
namespace {

constexpr double kLeastLength = 1e-8;
constexpr double kDegenerate = 5;  // condition number from which experts are hard to tell apart

using Sums = std::vector<double>;  // [layers][hidden]

void normalize_rows(Sums& values, std::size_t width) {
  for (std::size_t row = 0; row < values.size(); row += width) {
    double squares = 0;
    for (std::size_t i = 0; i < width; ++i) squares += values[row + i] * values[row + i];
    const double length = std::max(std::sqrt(squares), kLeastLength);
    for (std::size_t i = 0; i < width; ++i) values[row + i] /= length;
  }
}

// torch.rand: 24 bits of each word.
std::vector<float> uniform(method::Mt19937& random, std::size_t count) {
  std::vector<std::uint32_t> words(count);
  random.draw(words);
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(words[i] & 0xFFFFFFU) / 16777216.0F;
  }
  return values;
}

// Box-Muller as torch applies it to 16 uniform numbers: the first 8 give radii, the others angles.
void to_normal(std::span<float> sixteen) {
  for (std::size_t i = 0; i < 8; ++i) {
    const double radius = std::sqrt(-2 * std::log(1.0 - static_cast<double>(sixteen[i])));
    const double angle = 2 * std::numbers::pi * static_cast<double>(sixteen[i + 8]);
    sixteen[i] = static_cast<float>(radius * std::cos(angle));
    sixteen[i + 8] = static_cast<float>(radius * std::sin(angle));
  }
}

// torch.randn of 16 or more numbers: blocks of 16, the last of which is drawn anew when it is not
// whole.
std::vector<float> normal(method::Mt19937& random, std::size_t count) {
  const std::size_t drawn = std::max<std::size_t>(count, 16);
  std::vector<float> values = uniform(random, drawn);
  const std::span<float> all(values);
  for (std::size_t block = 0; block + 16 <= drawn; block += 16) to_normal(all.subspan(block, 16));
  if (drawn % 16 != 0) {
    std::vector<float> last = uniform(random, 16);
    to_normal(last);
    std::ranges::copy(last, values.end() - 16);
  }
  values.resize(count);
  return values;
}

class RowMaker {
 public:
  RowMaker(const MoeRecipe& recipe, const SourceModels& sources, PromptModel& model,
           const ProgressSink& progress, std::stop_token stop)
      : recipe_(recipe),
        sources_(sources),
        model_(model),
        progress_(progress),
        stop_(std::move(stop)),
        layers_(static_cast<std::size_t>(sources.base_model().layers)),
        hidden_(static_cast<std::size_t>(sources.hidden)) {}

  // [layers][hidden] of one expert.
  Result<Sums> row(const Expert& expert) {
    auto positive = vector_of(expert.positive_prompts);
    if (!positive) return fail(std::move(positive.error()).with_context("positive_prompts"));
    if (!expert.negative_prompts.empty()) {
      auto negative = vector_of(expert.negative_prompts);
      if (!negative) return fail(std::move(negative.error()).with_context("negative_prompts"));
      for (std::size_t i = 0; i < positive->size(); ++i) (*positive)[i] -= (*negative)[i];
    }
    normalize_rows(*positive, hidden_);
    return positive;
  }

 private:
  Result<Sums> vector_of(const std::vector<std::string>& prompts) {
    const auto tokens = model_.encode(prompts);
    if (!tokens) return fail(tokens.error());
    std::size_t longest = 0;
    for (std::size_t i = 0; i < tokens->size(); ++i) {
      longest = std::max(longest, (*tokens)[i].size());
      if (!(*tokens)[i].empty()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  "prompt " + std::to_string(i) + " is empty, and the tokenizer has no BOS");
    }
    for (const TokenIds& ids : *tokens) {
      if (ids.size() == longest || model_.padding_token()) continue;
      return fail(ErrorCode::kInvalidArgument,
                  "the prompts have different lengths, and the tokenizer has neither BOS nor EOS "
                  "to fill the shorter ones with");
    }
    if (recipe_.gate_mode == GateMode::kCheapEmbed) return embedding_sum(*tokens);
    return mean_state(*tokens, longest);
  }

  Result<Sums> embedding_sum(const std::vector<TokenIds>& prompts) {
    const auto matrix = sources_.base_model().weights->find("model.embed_tokens.weight");
    std::vector<float> row(hidden_);
    Sums sum(hidden_);
    for (const TokenIds& ids : prompts) {
      for (const std::int32_t id : ids) {
        if (auto status = read_row(*matrix, static_cast<std::uint64_t>(id), row); !status)
          return fail(std::move(status.error()));
        for (std::size_t i = 0; i < hidden_; ++i) sum[i] += static_cast<double>(row[i]);
      }
    }
    normalize_rows(sum, hidden_);
    Sums all;
    for (std::size_t layer = 0; layer < layers_; ++layer)
      all.insert(all.end(), sum.begin(), sum.end());
    return all;
  }

  Result<Sums> mean_state(const std::vector<TokenIds>& prompts, std::size_t longest) {
    const bool average = recipe_.gate_mode == GateMode::kHiddenAverage;
    const auto states = model_.layer_inputs(
        prompts, average ? StatePosition::kSum : StatePosition::kLast, progress_, stop_);
    if (!states) return fail(states.error());
    Sums mean(layers_ * hidden_);
    std::size_t padding = 0;
    for (std::size_t p = 0; p < prompts.size(); ++p) {
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += static_cast<double>((*states)[p][i]);
      padding += longest - prompts[p].size();
    }
    if (average && padding > 0) {
      if (auto status = load_padding(); !status) return fail(std::move(status.error()));
      for (std::size_t i = 0; i < mean.size(); ++i) {
        mean[i] += static_cast<double>(padding) * static_cast<double>(padding_[i]);
      }
    }
    const double count =
        static_cast<double>(prompts.size()) * (average ? static_cast<double>(longest) : 1.0);
    for (double& value : mean) value /= count;
    return mean;
  }

  Status load_padding() {
    if (!padding_.empty()) return {};
    auto states = padding_states(sources_, model_.padding_token().value(), stop_);
    if (!states) return fail(std::move(states.error()));
    padding_ = std::move(*states);
    return {};
  }

  const MoeRecipe& recipe_;
  const SourceModels& sources_;
  PromptModel& model_;
  const ProgressSink& progress_;
  std::stop_token stop_;
  std::size_t layers_;
  std::size_t hidden_;
  LayerStates padding_;
};

std::vector<float> random_rows(GateMode mode, const RouterRows& shape, std::uint32_t seed) {
  method::Mt19937 random(seed);
  const auto count = static_cast<std::size_t>(shape.layers * shape.rows * shape.hidden);
  if (mode == GateMode::kRandom) return normal(random, count);
  std::vector<float> values = uniform(random, count);
  const auto scale = static_cast<float>(std::sqrt(1.0 / static_cast<double>(shape.hidden)));
  for (float& value : values) value = value * 2 * scale - scale;
  return values;
}

Result<std::vector<float>> prompted_rows(const MoeRecipe& recipe, const RouterRows& shape,
                                         RowMaker& maker) {
  std::vector<float> values(static_cast<std::size_t>(shape.layers * shape.rows * shape.hidden));
  for (std::size_t r = 0; r < shape.rows; ++r) {
    const std::size_t experts = recipe.experts.size();
    const bool shared = r >= experts;
    const std::size_t index = shared ? r - experts : r;
    auto row = maker.row(shared ? recipe.shared_experts[index] : recipe.experts[index]);
    if (!row) {
      const std::string where = recipe::child_path(shared ? "shared_experts" : "experts", index);
      return fail(std::move(row.error()).with_context(where));
    }
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
      for (std::size_t i = 0; i < shape.hidden; ++i) {
        values[(layer * shape.rows + r) * shape.hidden + i] =
            static_cast<float>((*row)[layer * shape.hidden + i]);
      }
    }
  }
  return values;
}

void warn_of_degenerate(RouterRows& rows) {
  std::string layers;
  std::size_t count = 0;
  const std::size_t size = static_cast<std::size_t>(rows.rows * rows.hidden);
  for (std::size_t layer = 0; layer < rows.layers; ++layer) {
    const std::span<const float> matrix(rows.values->data() + layer * size, size);
    if (condition_number(matrix, static_cast<std::size_t>(rows.rows)) <= kDegenerate) continue;
    layers += (count++ == 0 ? "" : ", ") + std::to_string(layer);
  }
  if (count == 0) return;
  rows.warnings.push_back("the router's rows of " +
                          (count == rows.layers ? std::string("all layers") : "layers " + layers) +
                          " are nearly dependent: the prompts may be too similar, and some experts "
                          "will be used little");
}

}  // namespace

Status read_row(const checkpoint::TensorSource& matrix, std::uint64_t row, std::span<float> out) {
  if (row >= matrix.shape().front())
    return fail(ErrorCode::kInvalidArgument,
                "token " + std::to_string(row) + " is beyond " + matrix.origin());
  std::vector<std::byte> raw(out.size() * tensor::byte_size(matrix.dtype()));
  if (auto status = matrix.read(row * out.size(), raw); !status) return status;
  tensor::to_float32(matrix.dtype(), raw, out);
  return {};
}

// Eigenvalues of the Gram matrix by cyclic Jacobi rotations (Golub and Van Loan, 8.5).
double condition_number(std::span<const float> values, std::size_t rows) {
  const std::size_t width = values.size() / std::max<std::size_t>(rows, 1);
  std::vector<double> gram(rows * rows);
  for (std::size_t a = 0; a < rows; ++a) {
    for (std::size_t b = 0; b < rows; ++b) {
      double dot = 0;
      for (std::size_t i = 0; i < width; ++i) {
        dot += static_cast<double>(values[a * width + i]) * values[b * width + i];
      }
      gram[a * rows + b] = dot;
    }
  }
  const auto at = [&](std::size_t a, std::size_t b) -> double& { return gram[a * rows + b]; };
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (std::size_t p = 0; p + 1 < rows; ++p) {
      for (std::size_t q = p + 1; q < rows; ++q) {
        if (at(p, q) == 0) continue;
        const double theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1));
        const double c = 1 / std::hypot(t, 1);
        const double s = t * c;
        for (std::size_t k = 0; k < rows; ++k) {
          const double kp = at(k, p);
          const double kq = at(k, q);
          at(k, p) = c * kp - s * kq;
          at(k, q) = s * kp + c * kq;
        }
        for (std::size_t k = 0; k < rows; ++k) {
          const double pk = at(p, k);
          const double qk = at(q, k);
          at(p, k) = c * pk - s * qk;
          at(q, k) = s * pk + c * qk;
        }
      }
    }
  }
  double most = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < rows; ++i) {
    most = std::max(most, at(i, i));
    least = std::min(least, at(i, i));
  }
  // Below this the smallest eigenvalue is rounding.
  if (least <= most * 1e-14) return std::numeric_limits<double>::infinity();
  return std::sqrt(most / least);
}

Result<RouterRows> make_router_rows(const MoeRecipe& recipe, const SourceModels& sources,
                                    std::uint32_t seed, const PromptModelLoader& load,
                                    const ProgressSink& progress, std::stop_token stop) {
  RouterRows rows;
  rows.layers = sources.base_model().layers;
  rows.rows = recipe.experts.size() + (recipe.shared_gates() ? recipe.shared_experts.size() : 0);
  rows.hidden = sources.hidden;
  std::vector<float> values;
  if (needs_prompts(recipe.gate_mode)) {
    auto model = load(*sources.base_model().checkpoint);
    if (!model) return fail(std::move(model.error()).with_context("base_model"));
    RowMaker maker(recipe, sources, **model, progress, std::move(stop));
    auto made = prompted_rows(recipe, rows, maker);
    if (!made) return fail(std::move(made.error()));
    values = std::move(*made);
  } else {
    values = random_rows(recipe.gate_mode, rows, seed);
  }
  rows.values = std::make_shared<const std::vector<float>>(std::move(values));
  warn_of_degenerate(rows);
  return rows;
}

}  // namespace crucible::moe
