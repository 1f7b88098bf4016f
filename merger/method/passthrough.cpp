#include "merger/method/method.hpp"
#include "merger/method/offsets.hpp"

// One model's tensor, as it is or times `scale`; with slices it stacks layers of several models.
namespace crucible::method {
namespace {

class Passthrough : public TypedMethod<Passthrough> {
 public:
  bool accepts(std::size_t inputs, bool) const override { return inputs == 1; }

  template <typename A>
  Result<Apply<typename A::Value>> prepare_as(const TensorTask& task, Tiles<typename A::Value>&,
                                              Mt19937&) const {
    using Value = typename A::Value;
    if (!task.models.front().has("scale")) return copy_input<Value>(0);
    const auto scale = static_cast<Value>(task.models.front().number("scale"));
    return [scale](const Tile<Value>& tile, Value* out) {
      multiply<A>(tile.inputs[0], scale, out, tile.count);
    };
  }
};

}  // namespace

const MergeMethod& passthrough() {
  static const Passthrough kMethod;
  return kMethod;
}

}  // namespace crucible::method
