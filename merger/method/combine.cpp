#include "merger/method/combine.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "merger/tensor/simd.hpp"

namespace crucible::method {
namespace {

// torch sums a stack of tensors over the models column by column, 32 float32 (16 float64) columns
// at a time; what is left at the end of the tensor is summed by four interleaved partial sums.
// Which of the two applies is visible from five addends on. 16-bit types are widened first and
// never interleave.
constexpr std::size_t kInterleave = 4;

template <typename A>
constexpr std::uint64_t kColumns = 0;
template <>
constexpr std::uint64_t kColumns<F32> = 32;
template <>
constexpr std::uint64_t kColumns<F64> = 16;

template <typename Value>
CRUCIBLE_CPU_LEVELS void add_to(Value* sum, const Value* row, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += row[i];
}

template <typename A>
CRUCIBLE_CPU_LEVELS void round_all(typename A::Value* values, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = A::round(values[i]);
}

template <typename Value>
Value interleaved_sum(std::span<const Value* const> rows, std::size_t column) {
  std::array<Value, kInterleave> partial{};
  const std::size_t whole = rows.size() / kInterleave * kInterleave;
  for (std::size_t m = 0; m < whole; ++m) partial[m % kInterleave] += rows[m][column];
  for (std::size_t m = whole; m < rows.size(); ++m) partial[0] += rows[m][column];
  return ((partial[0] + partial[1]) + partial[2]) + partial[3];
}

template <typename A>
CRUCIBLE_CPU_LEVELS void divide(typename A::Value* mixed, const typename A::Value* divisor,
                                std::size_t count) {
  using Value = typename A::Value;
  for (std::size_t i = 0; i < count; ++i) {
    mixed[i] = A::round(mixed[i] / (divisor[i] == Value{0} ? Value{1} : divisor[i]));
  }
}

template <typename A>
CRUCIBLE_CPU_LEVELS void divide_by(typename A::Value* mixed, typename A::Value divisor,
                                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) mixed[i] = A::round(mixed[i] / divisor);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void add_base(const typename A::Value* base, const typename A::Value* mixed,
                                  typename A::Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(base[i] + mixed[i]);
}

}  // namespace

template <typename A>
CRUCIBLE_CPU_LEVELS void subtract(const typename A::Value* a, const typename A::Value* b,
                                  typename A::Value* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = A::round(a[i] - b[i]);
}

template <typename A>
CRUCIBLE_CPU_LEVELS void scale(typename A::Value* values, typename A::Value factor,
                               std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = A::round(values[i] * factor);
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void zero_unmarked(Value* values, const std::uint8_t* keep, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) values[i] = keep[i] != 0 ? values[i] : Value{0};
}

template <typename Value>
CRUCIBLE_CPU_LEVELS void keep_agreeing(const Value* votes, const Value* elected, Value weight,
                                       const Value* row, Value* kept, Value* kept_weight,
                                       std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const bool positive = elected[i] >= Value{0};
    const bool agrees = positive ? votes[i] > Value{0} : votes[i] < Value{0};
    const Value keep = agrees ? Value{1} : Value{0};
    kept[i] = row[i] * keep;
    kept_weight[i] = weight * keep;
  }
}

template <typename A>
RowSum<A>::RowSum(std::size_t models, std::uint64_t elements) : interleaved_from_(UINT64_MAX) {
  if constexpr (kColumns<A> != 0) {
    if (models > kInterleave) interleaved_from_ = elements / kColumns<A> * kColumns<A>;
  }
}

template <typename A>
void RowSum<A>::sum(std::span<const Value* const> rows, std::uint64_t first, Value* out,
                    std::size_t count) const {
  std::fill_n(out, count, Value{0});
  for (const Value* row : rows) add_to<Value>(out, row, count);
  const std::uint64_t end = first + count;
  for (std::uint64_t element = std::max(first, interleaved_from_); element < end; ++element) {
    out[element - first] = interleaved_sum<Value>(rows, element - first);
  }
  round_all<A>(out, count);
}

template <typename A>
Combiner<A>::Combiner(std::span<const Value> weights, bool elect_sign, bool normalize,
                      double lambda, std::uint64_t elements)
    : weights_(weights.begin(), weights.end()),
      elect_sign_(elect_sign),
      normalize_(normalize),
      has_lambda_(lambda != 1),
      lambda_(static_cast<Value>(lambda)),
      weight_sum_(0),
      row_sum_(weights.size(), elements) {
  for (const Value weight : weights_) weight_sum_ += weight;
  weight_sum_ = A::round(weight_sum_);
  constexpr double kSmallestDivisor = 1e-8;
  if (std::abs(static_cast<double>(weight_sum_)) < kSmallestDivisor) weight_sum_ = 1;
}

template <typename A>
void Combiner<A>::sum_agreeing(std::span<const Value* const> rows, std::uint64_t first,
                               std::size_t count) {
  elected_.resize(count);
  divisor_.resize(count);
  kept_.resize(rows.size() * count);
  kept_weight_.resize(rows.size() * count);
  row_sum_.sum(rows, first, elected_.data(), count);
  std::vector<const Value*> kept(rows.size());
  std::vector<const Value*> kept_weight(rows.size());
  for (std::size_t m = 0; m < rows.size(); ++m) {
    keep_agreeing<Value>(rows[m], elected_.data(), weights_[m], rows[m], kept_.data() + m * count,
                         kept_weight_.data() + m * count, count);
    kept[m] = kept_.data() + m * count;
    kept_weight[m] = kept_weight_.data() + m * count;
  }
  row_sum_.sum(kept, first, mixed_.data(), count);
  row_sum_.sum(kept_weight, first, divisor_.data(), count);
}

template <typename A>
void Combiner<A>::combine(std::span<const Value* const> rows, const Value* base,
                          std::uint64_t first, Value* out, std::size_t count) {
  mixed_.resize(count);
  if (elect_sign_) {
    sum_agreeing(rows, first, count);
    if (normalize_) divide<A>(mixed_.data(), divisor_.data(), count);
  } else {
    row_sum_.sum(rows, first, mixed_.data(), count);
    if (normalize_) divide_by<A>(mixed_.data(), weight_sum_, count);
  }
  if (has_lambda_) scale<A>(mixed_.data(), lambda_, count);
  add_base<A>(base, mixed_.data(), out, count);
}

#define CRUCIBLE_INSTANTIATE(A)                                                        \
  template void subtract<A>(const A::Value*, const A::Value*, A::Value*, std::size_t); \
  template void scale<A>(A::Value*, A::Value, std::size_t);                            \
  template class RowSum<A>;                                                            \
  template class Combiner<A>
CRUCIBLE_INSTANTIATE(F64);
CRUCIBLE_INSTANTIATE(F32);
CRUCIBLE_INSTANTIATE(BF16);
CRUCIBLE_INSTANTIATE(F16);
#undef CRUCIBLE_INSTANTIATE
template void zero_unmarked<float>(float*, const std::uint8_t*, std::size_t);
template void zero_unmarked<double>(double*, const std::uint8_t*, std::size_t);
template void keep_agreeing<float>(const float*, const float*, float, const float*, float*, float*,
                                   std::size_t);
template void keep_agreeing<double>(const double*, const double*, double, const double*, double*,
                                    double*, std::size_t);

}  // namespace crucible::method
