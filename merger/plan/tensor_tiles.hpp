#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "merger/base/guarded.hpp"
#include "merger/base/parallel.hpp"
#include "merger/plan/buffers.hpp"
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

// Reads elements of a source from element `first` on, as many as `bytes` holds.
// only_finite: NaN or infinity is kInvalidArgument, naming tensor and file.
Status read_elements(const checkpoint::TensorSource& source, std::uint64_t first, bool only_finite,
                     std::span<std::byte> bytes);
// Brings stored elements to the work type. `bytes` may be the memory of `values` where the stored
// type is Value.
void to_work_type(tensor::DType stored, tensor::DType work, std::span<const std::byte> bytes,
                  std::span<float> values);
void to_work_type(tensor::DType stored, tensor::DType work, std::span<const std::byte> bytes,
                  std::span<double> values);

// The tiles of one planned tensor. Its inputs are read at every pass, or at the first one only
// where there is room to keep them.
template <typename Value>
class TensorTiles : public method::Tiles<Value> {
 public:
  using typename method::Tiles<Value>::Visit;
  // kept: kept_bytes(planned) of memory for the inputs between passes, or nullptr.
  TensorTiles(const PlannedTensor& planned, std::size_t tile_elements, ThreadPool& pool,
              std::vector<TileBuffers<Value>>& buffers, std::byte* kept, bool only_finite,
              std::stop_token stop)
      : planned_(planned),
        tile_elements_(tile_elements),
        pool_(pool),
        buffers_(buffers),
        kept_(kept),
        only_finite_(only_finite),
        stop_(std::move(stop)) {}

  std::uint64_t elements() const override { return planned_.elements; }
  std::size_t tile_elements() const override { return tile_elements_; }
  unsigned workers() const override { return pool_.workers(); }

  Status scan(const Visit& visit, bool in_order = false) override {
    const std::uint64_t run = in_order ? method::kChunkElements / tile_elements_ : 1;
    return scan_to_keep(tile_elements_, run, always_well(visit));
  }

  Status scan_folding(const Visit& visit, const Visit& fold) override {
    Turns turns;
    const auto visit_and_fold = [&](unsigned worker, const method::Tile<Value>& tile) {
      visit(worker, tile);
      turns.wait(tile.index);
      fold(worker, tile);
    };
    return scan_to_keep(tile_elements_, 1, always_well(visit_and_fold), &turns);
  }

  Status scan_rows(std::uint64_t row_elements, const Visit& visit) override {
    const std::uint64_t rows = std::max<std::uint64_t>(tile_elements_ / row_elements, 1);
    return scan_to_keep(static_cast<std::size_t>(rows * row_elements), 1, always_well(visit));
  }

  // The last pass: as scan, with a body that can fail. The first failure ends it.
  template <typename Body>
  Status scan_with(const Body& body) {
    if (state_ != Kept::kWhole) state_ = Kept::kNothing;
    return scan_ranges(tile_elements_, 1, body);
  }

 private:
  // Lets workers through by the number of their tile. Tiles are handed out in ascending order, so
  // the one whose turn it is is always in work; every tile passes its turn on, read or not.
  class Turns {
   public:
    void wait(std::uint64_t index) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return next_ == index; });
    }
    void pass(std::uint64_t index) {
      wait(index);
      const std::lock_guard lock(mutex_);
      ++next_;
      changed_.notify_all();
    }

   private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t next_ = 0;
  };
  struct Turn {
    Turns* turns;
    std::uint64_t index;
    ~Turn() {
      if (turns != nullptr) turns->pass(index);
    }
  };

  template <typename Visitor>
  static auto always_well(const Visitor& visit) {
    return [&visit](unsigned worker, const method::Tile<Value>& tile) -> Status {
      visit(worker, tile);
      return {};
    };
  }

  // A pass with others to come.
  template <typename Body>
  Status scan_to_keep(std::size_t size, std::uint64_t run, const Body& body,
                      Turns* turns = nullptr) {
    if (state_ != Kept::kWhole) state_ = kept_ == nullptr ? Kept::kNothing : Kept::kFilling;
    auto status = scan_ranges(size, run, body, turns);
    if (status && state_ == Kept::kFilling) state_ = Kept::kWhole;
    return status;
  }

  // `run` tiles at a time are visited in order by one worker.
  template <typename Body>
  Status scan_ranges(std::size_t size, std::uint64_t run, const Body& body,
                     Turns* turns = nullptr) {
    Guarded<std::optional<Error>> failure;
    std::atomic<bool> failed = false;
    const std::uint64_t tiles = (planned_.elements + size - 1) / size;
    const auto runs = static_cast<std::size_t>((tiles + run - 1) / run);
    pool_.for_each(runs, [&](unsigned worker, std::size_t index) {
      const std::uint64_t end = std::min<std::uint64_t>(tiles, (index + 1) * run);
      for (std::uint64_t tile = index * run; tile < end; ++tile) {
        const Turn turn{turns, tile};
        if (failed.load(std::memory_order_relaxed)) return;
        Status status = visit_tile(worker, tile, size, body);
        if (status) continue;
        failed.store(true, std::memory_order_relaxed);
        failure.with([&](std::optional<Error>& first) {
          if (!first) first = std::move(status.error());
        });
      }
    });
    auto status = failure.with([](std::optional<Error>& first) -> Status {
      if (first) return fail(std::move(*first));
      return {};
    });
    if (status) only_finite_ = false;
    return status;
  }

  template <typename Body>
  Status visit_tile(unsigned worker, std::uint64_t index, std::size_t size, const Body& body) {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "the merge was cancelled");
    TileBuffers<Value>& buffers = buffers_[worker];
    method::Tile<Value> tile;
    tile.index = index;
    tile.first = index * size;
    tile.count =
        static_cast<std::size_t>(std::min<std::uint64_t>(size, planned_.elements - tile.first));
    const std::size_t inputs = planned_.inputs.size();
    if (buffers.values.size() < inputs * tile.count) buffers.values.resize(inputs * tile.count);
    buffers.inputs.resize(inputs);
    std::byte* kept = kept_;
    for (std::size_t i = 0; i < inputs; ++i) {
      const checkpoint::TensorSource& source = *planned_.inputs[i].source;
      const std::span<Value> values(buffers.values.data() + i * tile.count, tile.count);
      const std::span<std::byte> raw = room_for(source.dtype(), tile, values, kept, buffers);
      if (state_ != Kept::kWhole) {
        auto status = read_elements(source, tile.first, only_finite_, raw);
        if (!status) return status;
      }
      to_work_type(source.dtype(), planned_.task.dtype, raw, values);
      buffers.inputs[i] = values.data();
      if (kept != nullptr) kept += kept_bytes(planned_, i);
    }
    tile.inputs = buffers.inputs;
    return body(worker, tile);
  }

  // Where the stored elements of one input's tile go: to the place in `kept` that begins the input,
  // else to `values` itself when nothing needs converting, else to the worker's buffer.
  std::span<std::byte> room_for(tensor::DType stored, const method::Tile<Value>& tile,
                                std::span<Value> values, std::byte* kept,
                                TileBuffers<Value>& buffers) const {
    const std::size_t element = tensor::byte_size(stored);
    const std::size_t bytes = tile.count * element;
    if (state_ != Kept::kNothing) return {kept + tile.first * element, bytes};
    if (stored == kStoredAsIs) return std::as_writable_bytes(values);
    buffers.raw.resize(std::max(buffers.raw.size(), bytes));
    return {buffers.raw.data(), bytes};
  }

  static constexpr tensor::DType kStoredAsIs =
      sizeof(Value) == 8 ? tensor::DType::kF64 : tensor::DType::kF32;
  enum class Kept { kNothing, kFilling, kWhole };

  const PlannedTensor& planned_;
  std::size_t tile_elements_;
  ThreadPool& pool_;
  std::vector<TileBuffers<Value>>& buffers_;
  std::byte* kept_;  // the inputs one after the other
  Kept state_ = Kept::kNothing;
  bool only_finite_;  // until a pass has seen the whole tensor
  std::stop_token stop_;
};

}  // namespace crucible::plan
