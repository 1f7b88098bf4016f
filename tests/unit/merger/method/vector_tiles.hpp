#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "merger/method/method.hpp"
#include "merger/recipe/method_info.hpp"

namespace crucible::method::test {

// The defaults of parameters that the task lacks, for all its models.
inline void set_defaults(std::string_view method, TensorTask& task) {
  for (const recipe::ParameterInfo& info : recipe::find_method(method)->parameters) {
    if (!info.default_value) continue;
    if (!info.per_model && !task.shared.has(info.name))
      task.shared.set(info.name, *info.default_value);
    for (ParameterValues& model : task.models) {
      if (info.per_model && !model.has(info.name)) model.set(info.name, *info.default_value);
    }
  }
}

using Values = std::vector<float>;
using Inputs = std::vector<Values>;

// Tiles over vectors, one thread; tile order can be reversed.
class VectorTiles : public Tiles<float> {
 public:
  VectorTiles(const Inputs& inputs, std::size_t tile, bool reversed = false)
      : inputs_(inputs), tile_(tile), reversed_(reversed) {}
  std::uint64_t elements() const override { return inputs_.front().size(); }
  std::size_t tile_elements() const override { return tile_; }
  unsigned workers() const override { return 1; }

  Status scan(const Visit& visit, bool in_order = false) override {
    visit_all(tile_, reversed_ && !in_order, visit);
    return {};
  }
  Status scan_folding(const Visit& visit, const Visit& fold) override {
    visit_all(tile_, false, [&](unsigned worker, const Tile<float>& tile) {
      visit(worker, tile);
      fold(worker, tile);
    });
    return {};
  }
  Status scan_rows(std::uint64_t row_elements, const Visit& visit) override {
    visit_all(std::max<std::size_t>(tile_ / row_elements, 1) * row_elements, reversed_, visit);
    return {};
  }

 private:
  void visit_all(std::size_t size, bool backwards, const Visit& visit) {
    const std::uint64_t parts = (elements() + size - 1) / size;
    for (std::uint64_t i = 0; i < parts; ++i) {
      const std::uint64_t index = backwards ? parts - 1 - i : i;
      const std::uint64_t first = index * size;
      Tile<float> tile{index, first, std::min<std::size_t>(size, elements() - first), {}};
      std::vector<const float*> rows;
      for (const Values& input : inputs_) rows.push_back(input.data() + first);
      tile.inputs = rows;
      visit(0, tile);
    }
  }

  const Inputs& inputs_;
  std::size_t tile_;
  bool reversed_;
};

}  // namespace crucible::method::test
