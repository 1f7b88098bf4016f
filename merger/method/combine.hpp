#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "merger/method/arithmetic.hpp"

// Elementwise kernels of the task-vector methods; each rounds to the work type after every
// operation.
namespace crucible::method {

template <typename A>
void subtract(const typename A::Value* a, const typename A::Value* b, typename A::Value* out,
              std::size_t count);

template <typename A>
void scale(typename A::Value* values, typename A::Value factor, std::size_t count);

// values[i] stays where keep[i] is 1, not 0.
template <typename Value>
void zero_unmarked(Value* values, const std::uint8_t* keep, std::size_t count);

// The sum over the models, element by element, rounded once. `elements` is the whole tensor's size:
// float32 sums of five and more models take another order in its last columns, as torch's CPU
// reduction does.
template <typename A>
class RowSum {
 public:
  using Value = typename A::Value;
  RowSum(std::size_t models, std::uint64_t elements);
  // rows: one pointer a model to `count` values; `first`: the first element's number.
  void sum(std::span<const Value* const> rows, std::uint64_t first, Value* out,
           std::size_t count) const;

 private:
  std::uint64_t interleaved_from_;
};

// What agrees with the elected sign of one model's values, and its weight where they do. The sign
// is that of `elected`, 0 counts as positive; a zero value has no sign and never agrees.
template <typename Value>
void keep_agreeing(const Value* votes, const Value* elected, Value weight, const Value* row,
                   Value* kept, Value* kept_weight, std::size_t count);

// The consensus of weighted differences: their sum, or the sum of those whose sign agrees with the
// sum's.
template <typename A>
class Combiner {
 public:
  using Value = typename A::Value;
  // `elements`: see RowSum.
  Combiner(std::span<const Value> weights, bool elect_sign, bool normalize, double lambda,
           std::uint64_t elements);

  // rows: one pointer a model to `count` weighted differences; `first`: the first element's number.
  void combine(std::span<const Value* const> rows, const Value* base, std::uint64_t first,
               Value* out, std::size_t count);

 private:
  void sum_agreeing(std::span<const Value* const> rows, std::uint64_t first, std::size_t count);

  std::vector<Value> weights_;
  bool elect_sign_;
  bool normalize_;
  bool has_lambda_;
  Value lambda_;
  Value weight_sum_;
  RowSum<A> row_sum_;
  std::vector<Value> elected_, mixed_, divisor_;
  std::vector<Value> kept_, kept_weight_;  // model-major, one row a model
};

}  // namespace crucible::method
