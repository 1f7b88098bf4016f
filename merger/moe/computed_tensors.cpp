#include "merger/moe/computed_tensors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace crucible::moe {
namespace {

using tensor::DType;

// Box-Muller on the words of one block: four independent N(0, 1).
std::array<float, 4> normals(std::uint64_t key, std::uint64_t block) {
  const auto words = philox(key, block);
  std::array<float, 4> out{};
  for (std::size_t pair = 0; pair < 4; pair += 2) {
    const double u = (words[pair] + 1.0) / 4294967296.0;  // (0, 1]
    const double angle = 2 * std::numbers::pi * words[pair + 1] / 4294967296.0;
    const double radius = std::sqrt(-2 * std::log(u));
    out[pair] = static_cast<float>(radius * std::cos(angle));
    out[pair + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return out;
}

void add_noise(std::span<float> values, std::uint64_t first, float scale, std::uint64_t key,
               DType dtype) {
  std::array<float, 4> noise{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t element = first + i;
    if (i == 0 || element % 4 == 0) noise = normals(key, element / 4);
    values[i] = tensor::round_to(dtype, values[i] + scale * noise[element % 4]);
  }
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  std::array<std::uint32_t, 4> x = {static_cast<std::uint32_t>(counter),
                                    static_cast<std::uint32_t>(counter >> 32), 0, 0};
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = kMultiplier0 * x[0];
    const std::uint64_t b = kMultiplier1 * x[2];
    x = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += kWeyl0;
    k1 += kWeyl1;
  }
  return x;
}

Status MemoryTensor::read(std::uint64_t first, std::span<std::byte> out) const {
  const float* from = values_->data() + first_ + first;
  std::memcpy(out.data(), from, out.size());
  return {};
}

Status ZeroTensor::read(std::uint64_t, std::span<std::byte> out) const {
  std::ranges::fill(out, std::byte{0});
  return {};
}

Status PerturbedTensor::read(std::uint64_t first, std::span<std::byte> out) const {
  if (auto status = inner_->read(first, out); !status) return status;
  const DType dtype = inner_->dtype();
  std::vector<float> values(out.size() / tensor::byte_size(dtype));
  tensor::to_float32(dtype, out, values);
  if (noise_scale_ != 0) add_noise(values, first, noise_scale_, key_, dtype);
  if (residual_scale_ != 1) {
    for (float& value : values) value = tensor::round_to(dtype, value * residual_scale_);
  }
  tensor::from_float32(dtype, values, out);
  return {};
}

}  // namespace crucible::moe
