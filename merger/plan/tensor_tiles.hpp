#pragma once

#include <algorithm>
#include <atomic>
#include <optional>
#include <stop_token>
#include <vector>

#include "merger/base/guarded.hpp"
#include "merger/base/parallel.hpp"
#include "merger/plan/merge_plan.hpp"

namespace crucible::plan {

// One worker's room for a tile; grows to what the tensors need and is used again and again.
template <typename Value>
struct TileBuffers {
  std::vector<std::byte> raw;
  std::vector<Value> values;  // input-major
  std::vector<const Value*> inputs;
  std::vector<Value> result;
  std::vector<std::byte> result_raw;
};

// Reads `count` elements of an input from element `first` and brings them to the work type.
Status load_values(const checkpoint::TensorLocation& location, tensor::DType work,
                   std::uint64_t first, std::size_t count, std::vector<std::byte>& raw,
                   float* values);
Status load_values(const checkpoint::TensorLocation& location, tensor::DType work,
                   std::uint64_t first, std::size_t count, std::vector<std::byte>& raw,
                   double* values);

// The tiles of one planned tensor, read from its inputs' files at every pass.
template <typename Value>
class TensorTiles : public method::Tiles<Value> {
 public:
  using typename method::Tiles<Value>::Visit;
  TensorTiles(const PlannedTensor& planned, std::size_t tile_elements, ThreadPool& pool,
              std::vector<TileBuffers<Value>>& buffers, std::stop_token stop)
      : planned_(planned),
        tile_elements_(tile_elements),
        pool_(pool),
        buffers_(buffers),
        stop_(std::move(stop)) {}

  std::uint64_t elements() const override { return planned_.elements; }
  std::size_t tile_elements() const override { return tile_elements_; }
  unsigned workers() const override { return pool_.workers(); }

  Status scan(const Visit& visit, bool in_order = false) override {
    return scan_with(
        [&visit](unsigned worker, const method::Tile<Value>& tile) -> Status {
          visit(worker, tile);
          return {};
        },
        in_order ? method::kChunkElements / tile_elements_ : 1);
  }

  // As scan, with a body that can fail. The first failure ends the pass. `run` tiles at a time are
  // visited in order by one worker.
  template <typename Body>
  Status scan_with(const Body& body, std::uint64_t run = 1) {
    Guarded<std::optional<Error>> failure;
    std::atomic<bool> failed = false;
    const std::uint64_t tiles = this->count();
    const auto runs = static_cast<std::size_t>((tiles + run - 1) / run);
    pool_.for_each(runs, [&](unsigned worker, std::size_t index) {
      const std::uint64_t end = std::min<std::uint64_t>(tiles, (index + 1) * run);
      for (std::uint64_t tile = index * run; tile < end; ++tile) {
        if (failed.load(std::memory_order_relaxed)) return;
        Status status = visit_tile(worker, static_cast<std::size_t>(tile), body);
        if (status) continue;
        failed.store(true, std::memory_order_relaxed);
        failure.with([&](std::optional<Error>& first) {
          if (!first) first = std::move(status.error());
        });
      }
    });
    return failure.with([](std::optional<Error>& first) -> Status {
      if (first) return fail(std::move(*first));
      return {};
    });
  }

 private:
  template <typename Body>
  Status visit_tile(unsigned worker, std::size_t index, const Body& body) {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "the merge was cancelled");
    TileBuffers<Value>& buffers = buffers_[worker];
    method::Tile<Value> tile;
    tile.index = index;
    tile.first = index * tile_elements_;
    tile.count = static_cast<std::size_t>(
        std::min<std::uint64_t>(tile_elements_, planned_.elements - tile.first));
    const std::size_t inputs = planned_.inputs.size();
    if (buffers.values.size() < inputs * tile.count) buffers.values.resize(inputs * tile.count);
    buffers.inputs.resize(inputs);
    for (std::size_t i = 0; i < inputs; ++i) {
      Value* values = buffers.values.data() + i * tile.count;
      auto status = load_values(planned_.inputs[i].location, planned_.task.dtype, tile.first,
                                tile.count, buffers.raw, values);
      if (!status) return status;
      buffers.inputs[i] = values;
    }
    tile.inputs = buffers.inputs;
    return body(worker, tile);
  }

  const PlannedTensor& planned_;
  std::size_t tile_elements_;
  ThreadPool& pool_;
  std::vector<TileBuffers<Value>>& buffers_;
  std::stop_token stop_;
};

}  // namespace crucible::plan
