#include "merger/lora/adapted_tensor.hpp"

#include <algorithm>
#include <cmath>

#include "merger/tensor/rounding.hpp"
#include "merger/tensor/simd.hpp"

namespace crucible::lora {
namespace {

using tensor::DType;

constexpr std::size_t kRowsAtOnce = 8;

CRUCIBLE_CPU_LEVELS void add_scaled(float* values, const float* product, float scale,
                                    std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = values[i] + product[i] * scale;
}

CRUCIBLE_CPU_LEVELS void add_scaled_bf16(float* values, const float* product, float scale,
                                         std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = values[i] + tensor::round_bf16(product[i] * scale);
  }
}

CRUCIBLE_CPU_LEVELS void add_scaled_f16(float* values, const float* product, float scale,
                                        std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = values[i] + tensor::round_f16(product[i] * scale);
  }
}

CRUCIBLE_CPU_LEVELS void multiply_each(float* values, const float* factors, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = factors[i] * values[i];
}

CRUCIBLE_CPU_LEVELS void multiply_all(float* values, float factor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = factor * values[i];
}

std::string folded(const checkpoint::TensorSource& base, const Adapter& adapter) {
  return base.origin() + " with " + adapter.folder().string();
}

}  // namespace

Result<std::shared_ptr<const Factors>> FactorStore::load(const AdapterModule& module,
                                                         bool in_out) const {
  auto a = adapter_.read(*module.a);
  if (!a) return fail(std::move(a.error()));
  auto b = adapter_.read(*module.b);
  if (!b) return fail(std::move(b.error()));
  const auto rank = static_cast<std::size_t>(module.rank);
  const auto inputs = static_cast<std::size_t>(module.a->shape[1]);
  const auto outputs = static_cast<std::size_t>(module.b->shape[0]);
  if (!in_out) {
    return std::make_shared<const Factors>(Factors{std::move(*b), Panels::of(*a, rank, inputs)});
  }
  std::vector<float> left(a->size());
  for (std::size_t k = 0; k < rank; ++k) {
    for (std::size_t i = 0; i < inputs; ++i) left[i * rank + k] = (*a)[k * inputs + i];
  }
  return std::make_shared<const Factors>(
      Factors{std::move(left), Panels::of_transposed(*b, rank, outputs)});
}

Result<std::shared_ptr<const Factors>> FactorStore::get(const AdapterModule& module,
                                                        bool in_out) const {
  return kept_.with([&](Kept& kept) -> Result<std::shared_ptr<const Factors>> {
    const auto found = std::ranges::find(kept, &module, &Kept::value_type::first);
    if (found != kept.end()) return found->second;
    auto loaded = load(module, in_out);
    if (!loaded) return loaded;
    if (kept.size() == kKeptModules) kept.pop_front();
    kept.emplace_back(&module, *loaded);
    return loaded;
  });
}

std::uint64_t AdaptedTensor::stored_bytes() const {
  return base_->stored_bytes() * (module_.magnitude == nullptr ? 1 : 2) + module_.a->bytes +
         module_.b->bytes;
}

std::string AdaptedTensor::origin() const { return folded(*base_, store_->adapter()); }

// A part of the tensor as pieces of one row and blocks of several whole rows.
template <typename Visit>
Status AdaptedTensor::for_each_segment(std::uint64_t first, std::size_t count,
                                       const Visit& visit) const {
  const auto columns = static_cast<std::size_t>(shape()[1]);
  for (std::size_t done = 0; done < count;) {
    const auto row = static_cast<std::size_t>((first + done) / columns);
    const auto begin = static_cast<std::size_t>((first + done) % columns);
    const std::size_t left = count - done;
    Segment segment{row, 1, begin, std::min(columns, begin + left)};
    if (begin == 0 && left >= columns) segment.rows = std::min(kRowsAtOnce, left / columns);
    if (auto status = visit(segment, done); !status) return status;
    done += segment.rows * (segment.end - segment.begin);
  }
  return {};
}

void AdaptedTensor::add_difference(const Factors& factors, const Segment& segment,
                                   Scratch& scratch) const {
  const std::size_t first_panel = segment.begin / kPanelColumns;
  const std::size_t end_panel = (segment.end + kPanelColumns - 1) / kPanelColumns;
  const std::size_t stride = (end_panel - first_panel) * kPanelColumns;
  const std::size_t rank = factors.right.depth();
  scratch.product.resize(std::max(scratch.product.size(), segment.rows * stride));
  for (std::size_t panel = first_panel; panel < end_panel; ++panel) {
    multiply_panel(&factors.left[segment.row * rank], rank, segment.rows, rank,
                   factors.right.panel(panel),
                   &scratch.product[(panel - first_panel) * kPanelColumns], stride);
  }
  const std::size_t width = segment.end - segment.begin;
  // An embedding's difference is rounded by itself, but not under DoRA.
  const bool rounds = module_.is_embedding && module_.magnitude == nullptr;
  const auto add = rounds && dtype() == DType::kBF16  ? add_scaled_bf16
                   : rounds && dtype() == DType::kF16 ? add_scaled_f16
                                                      : add_scaled;
  for (std::size_t i = 0; i < segment.rows; ++i) {
    add(&scratch.values[i * width],
        &scratch.product[i * stride + segment.begin - first_panel * kPanelColumns], module_.scale,
        width);
  }
}

Status AdaptedTensor::normalise(const Segment& segment, Scratch& scratch) const {
  std::call_once(magnitudes_once_, [this] { magnitudes_status_ = compute_magnitudes(); });
  if (!magnitudes_status_) return magnitudes_status_;
  const std::size_t width = segment.end - segment.begin;
  for (std::size_t i = 0; i < segment.rows; ++i) {
    float* values = &scratch.values[i * width];
    if (in_out_) {
      multiply_each(values, &magnitudes_[segment.begin], width);
    } else {
      multiply_all(values, magnitudes_[segment.row + i], width);
    }
  }
  return {};
}

Status AdaptedTensor::compute_magnitudes() const {
  auto magnitudes = store_->adapter().read(*module_.magnitude);
  if (!magnitudes) return fail(std::move(magnitudes.error()));
  const auto factors = store_->get(module_, in_out_);
  if (!factors) return fail(factors.error());
  const auto rows = static_cast<std::size_t>(shape()[0]);
  const auto columns = static_cast<std::size_t>(shape()[1]);
  std::vector<double> squares(magnitudes->size());
  std::vector<std::byte> raw(kRowsAtOnce * columns * tensor::byte_size(dtype()));
  Scratch scratch;
  for (std::size_t row = 0; row < rows; row += kRowsAtOnce) {
    const Segment segment{row, std::min(kRowsAtOnce, rows - row), 0, columns};
    const std::size_t count = segment.rows * columns;
    const std::span<std::byte> bytes(raw.data(), count * tensor::byte_size(dtype()));
    if (auto status = base_->read(row * columns, bytes); !status) return status;
    scratch.values.resize(count);
    tensor::to_float32(dtype(), bytes, scratch.values);
    add_difference(**factors, segment, scratch);
    for (std::size_t i = 0; i < count; ++i) {
      const double value = scratch.values[i];
      squares[in_out_ ? i % columns : row + i / columns] += value * value;
    }
  }
  for (std::size_t i = 0; i < squares.size(); ++i) {
    (*magnitudes)[i] /= static_cast<float>(std::sqrt(squares[i]));
  }
  magnitudes_ = std::move(*magnitudes);
  return {};
}

Status AdaptedTensor::read(std::uint64_t first, std::span<std::byte> out) const {
  if (auto status = base_->read(first, out); !status) return status;
  const auto factors = store_->get(module_, in_out_);
  if (!factors) return fail(factors.error());
  const std::size_t size = tensor::byte_size(dtype());
  Scratch scratch;
  return for_each_segment(
      first, out.size() / size, [&](const Segment& segment, std::size_t done) -> Status {
        const std::size_t count = segment.rows * (segment.end - segment.begin);
        const std::span<std::byte> part = out.subspan(done * size, count * size);
        scratch.values.resize(count);
        tensor::to_float32(dtype(), part, scratch.values);
        add_difference(**factors, segment, scratch);
        if (module_.magnitude != nullptr) {
          if (auto status = normalise(segment, scratch); !status) return status;
        }
        tensor::from_float32(dtype(), scratch.values, part);
        return {};
      });
}

std::uint64_t AdaptedBias::stored_bytes() const {
  return base_->stored_bytes() + module_.bias->bytes;
}

std::string AdaptedBias::origin() const { return folded(*base_, store_->adapter()); }

Status AdaptedBias::read(std::uint64_t first, std::span<std::byte> out) const {
  if (auto status = base_->read(first, out); !status) return status;
  const auto bias = store_->adapter().read(*module_.bias);
  if (!bias) return fail(bias.error());
  std::vector<float> values(out.size() / tensor::byte_size(dtype()));
  tensor::to_float32(dtype(), out, values);
  add_scaled(values.data(), bias->data() + first, module_.scale, values.size());
  tensor::from_float32(dtype(), values, out);
  return {};
}

std::string ReplacedTensor::origin() const {
  return "tensor " + entry_.name + " in " + store_->adapter().file().path().string();
}

Status ReplacedTensor::read(std::uint64_t first, std::span<std::byte> out) const {
  const safetensors::Reader& file = store_->adapter().file();
  const std::size_t stored = tensor::byte_size(entry_.dtype);
  if (dtype_ == entry_.dtype) return file.read(entry_, first * stored, out);
  const std::size_t count = out.size() / tensor::byte_size(dtype_);
  std::vector<std::byte> raw(count * stored);
  if (auto status = file.read(entry_, first * stored, raw); !status) return status;
  std::vector<float> values(count);
  tensor::to_float32(entry_.dtype, raw, values);
  tensor::from_float32(dtype_, values, out);
  return {};
}

}  // namespace crucible::lora
