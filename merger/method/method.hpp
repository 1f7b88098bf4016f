#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "merger/method/arithmetic.hpp"
#include "merger/method/mt19937.hpp"
#include "merger/method/parameter_values.hpp"
#include "merger/method/tiles.hpp"

// The arithmetic of merge methods. What a method accepts is data in merger/recipe/method_info.hpp;
// what it computes is one file here and one line in registry.cpp.
namespace crucible::method {

// One output tensor: its inputs are the models that have it, in recipe order, the base last unless
// the recipe lists it.
struct TensorTask {
  tensor::DType dtype = tensor::DType::kF32;  // work type: inputs are cast to it on load
  std::optional<std::size_t> base;            // which input is the base model's
  ParameterValues shared;
  std::vector<ParameterValues> models;  // one for each input
};

// Stateless; one object a method.
class MergeMethod {
 public:
  virtual ~MergeMethod() = default;

  // Whether the method can work when some models lack an optional tensor.
  virtual bool accepts(std::size_t inputs, bool has_base) const = 0;

  // Memory that statistics passes take in each worker, beside the tiles.
  virtual std::uint64_t statistics_bytes(std::size_t /*inputs*/) const { return 0; }

  // Runs the statistics passes that the tensor needs and returns what computes a tile. `random` is
  // the merge's one stream: tensors are prepared one after the other, so draws come in a fixed
  // order.
  virtual Result<Apply<float>> prepare(const TensorTask& task, Tiles<float>& tiles,
                                       Mt19937& random) const = 0;
  virtual Result<Apply<double>> prepare(const TensorTask& task, Tiles<double>& tiles,
                                        Mt19937& random) const = 0;
};

// Turns one function template, prepare_as<A>, into the two virtual functions.
template <typename Method>
class TypedMethod : public MergeMethod {
 public:
  Result<Apply<float>> prepare(const TensorTask& task, Tiles<float>& tiles,
                               Mt19937& random) const final {
    const auto& method = static_cast<const Method&>(*this);
    switch (task.dtype) {
      case tensor::DType::kBF16:
        return method.template prepare_as<BF16>(task, tiles, random);
      case tensor::DType::kF16:
        return method.template prepare_as<F16>(task, tiles, random);
      default:
        return method.template prepare_as<F32>(task, tiles, random);
    }
  }
  Result<Apply<double>> prepare(const TensorTask& task, Tiles<double>& tiles,
                                Mt19937& random) const final {
    return static_cast<const Method&>(*this).template prepare_as<F64>(task, tiles, random);
  }
};

const MergeMethod* find(std::string_view name);  // nullptr for an unknown name
std::vector<std::string_view> names();           // ascending

// One a method; defined in the method's own file.
const MergeMethod& linear();
const MergeMethod& slerp();
const MergeMethod& passthrough();
const MergeMethod& task_arithmetic();
const MergeMethod& ties();
const MergeMethod& dare_linear();
const MergeMethod& dare_ties();

}  // namespace crucible::method
