#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "merger/method/arithmetic.hpp"
#include "merger/method/compatibility.hpp"
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
  tensor::Shape shape;                        // of the inputs and of the output, row-major
  Compatibility compatibility = Compatibility::kNone;
  std::optional<std::size_t> base;  // which input is the base model's
  ParameterValues shared;
  std::vector<ParameterValues> models;  // one for each input
};

// kMerge: as if the recipe named only those that have it, if accepts() says so. kCopy: there is one
// input, which the method copies. kDrop: the output goes without the tensor.
enum class Incomplete : std::uint8_t { kMerge, kCopy, kDrop };

// Stateless; one object a method.
class MergeMethod {
 public:
  virtual ~MergeMethod() = default;

  // Whether the method can merge a tensor that so many of the models have.
  virtual bool accepts(std::size_t inputs, bool has_base) const = 0;

  // What becomes of an optional tensor that only some of the models have.
  virtual Incomplete when_incomplete(std::size_t /*inputs*/, bool /*has_base*/) const {
    return Incomplete::kMerge;
  }

  // Memory that statistics passes take in each worker, beside the tiles.
  virtual std::uint64_t statistics_bytes(std::size_t /*inputs*/) const { return 0; }

  // Memory beyond that for methods that need the whole tensor at a time, with so many workers.
  virtual std::uint64_t tensor_bytes(const TensorTask& /*task*/, std::uint64_t /*elements*/,
                                     unsigned /*workers*/) const {
    return 0;
  }

  // What is wrong with the parameters of one tensor together; each alone is in its bounds. Asked
  // when the merge is planned.
  virtual Status check(const TensorTask& /*task*/) const { return {}; }

  // The type that the output has when the recipe names none: the work type but for the few methods
  // whose reference returns float32.
  virtual tensor::DType result_dtype(tensor::DType work) const { return work; }

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
const MergeMethod& della();
const MergeMethod& della_linear();
const MergeMethod& breadcrumbs();
const MergeMethod& breadcrumbs_ties();
const MergeMethod& sce();
const MergeMethod& ram();
const MergeMethod& ramplus_tl();
const MergeMethod& nuslerp();
const MergeMethod& multislerp();
const MergeMethod& karcher();
const MergeMethod& model_stock();
const MergeMethod& nearswap();
const MergeMethod& arcee_fusion();
const MergeMethod& consensus_ta();

}  // namespace crucible::method
