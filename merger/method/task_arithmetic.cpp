#include "merger/method/task_vector.hpp"

namespace crucible::method {
namespace {

// Adds weighted differences to the base (Ilharco et al. 2022, arXiv:2212.04089). Prunes nothing.
class TaskArithmetic : public TypedMethod<TaskArithmetic> {
 public:
  bool accepts(std::size_t, bool has_base) const override { return has_base; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task,
                                              Tiles<typename A::Value>& tiles, Mt19937&) const {
    return apply_task_vectors<A>(read_task_vectors<A>(task, tiles.elements()));
  }
};

}  // namespace

const MergeMethod& task_arithmetic() {
  static const TaskArithmetic kMethod;
  return kMethod;
}

}  // namespace crucible::method
