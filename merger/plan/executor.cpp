#include "merger/plan/executor.hpp"

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>

#include "merger/checkpoint/content_digest.hpp"
#include "merger/plan/tensor_tiles.hpp"
#include "merger/tensor/finite.hpp"

namespace crucible::plan {
namespace {

using tensor::DType;

void narrow(DType dtype, std::span<const float> values, std::span<std::byte> out) {
  tensor::from_float32(dtype, values, out);
}
void narrow(DType dtype, std::span<const double> values, std::span<std::byte> out) {
  tensor::from_float64(dtype, values, out);
}

// Bytes written so far, reported by the calling thread a few times a second.
class ByteProgress {
 public:
  ByteProgress(const ProgressSink& sink, std::uint64_t total) : sink_(sink), total_(total) {}
  void add(unsigned worker, std::uint64_t bytes) {
    const std::uint64_t done = done_.fetch_add(bytes) + bytes;
    if (worker != 0 || !sink_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(250)) return;
    last_ = now;
    sink_({"merge", done, total_, "bytes"});
  }
  void finish() const {
    if (sink_) sink_({"merge", done_.load(), total_, "bytes"});
  }

 private:
  const ProgressSink& sink_;
  std::uint64_t total_;
  std::atomic<std::uint64_t> done_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

class Execution {
 public:
  Execution(const MergePlan& plan, const MergeOptions& options, TensorSink& sink,
            const ProgressSink& progress, std::stop_token stop)
      : plan_(plan),
        sink_(sink),
        digests_(sink.wants_digests()),
        buffers_(plan_buffers(plan, options)),
        pool_(buffers_.workers),
        floats_(buffers_.workers),
        doubles_(buffers_.workers),
        kept_(std::make_unique_for_overwrite<std::byte[]>(buffers_.kept_bytes)),
        progress_(progress, plan.output_bytes()),
        only_finite_(!options.allow_nonfinite),
        stop_(std::move(stop)),
        random_(static_cast<std::uint32_t>(options.seed)) {}

  Status run() {
    for (std::size_t number = 0; number < plan_.tensors.size(); ++number) {
      const PlannedTensor& planned = plan_.tensors[number];
      if (stop_.stop_requested()) return cancelled();
      const auto found = sink_.find(number, random_.drawn(), pool_);
      if (!found) return fail(found.error());
      if (found->has_value()) {
        random_.skip((*found)->draws - random_.drawn());
        progress_.add(0, planned.output_bytes());
        continue;
      }
      auto status = compute(number, planned);
      if (!status) return fail(std::move(status.error()).with_context("tensor " + planned.name));
    }
    progress_.finish();
    return {};
  }

 private:
  static tl::unexpected<Error> cancelled() {
    return fail(ErrorCode::kCancelled, "the merge was cancelled");
  }

  Status compute(std::size_t number, const PlannedTensor& planned) {
    not_finite_ = 0;
    if (digests_) leaves_.assign(checkpoint::digest_chunk_count(planned.output_bytes()), Digest());
    if (auto status = sink_.begin(number); !status) return status;
    if (auto status = run_tensor(number, planned); !status) return status;
    FinishedTensor finished{{}, not_finite_.load(), random_.drawn()};
    if (digests_) {
      finished.digest =
          checkpoint::tensor_digest(planned.name, planned.output, planned.shape, leaves_);
    }
    return sink_.finish(number, finished);
  }

  void hash(std::uint64_t offset, std::span<const std::byte> data) {
    checkpoint::hash_chunks(
        data, std::span(leaves_).subspan(offset / checkpoint::kDigestChunkBytes,
                                         checkpoint::digest_chunk_count(data.size())));
  }

  Status run_tensor(std::size_t number, const PlannedTensor& planned) {
    if (planned.copied) return copy_tensor(number, planned);
    if (planned.task.dtype == DType::kF64) return merge_tensor(number, planned, doubles_);
    return merge_tensor(number, planned, floats_);
  }

  template <typename Value>
  Status merge_tensor(std::size_t number, const PlannedTensor& planned,
                      std::vector<TileBuffers<Value>>& buffers) {
    TensorTiles<Value> tiles(planned, tile_elements(planned, buffers_), pool_, buffers,
                             buffers_.keeps[number] ? kept_.get() : nullptr, only_finite_, stop_);
    auto apply = plan_.method->prepare(planned.task, tiles, random_);
    if (!apply) return fail(std::move(apply.error()));
    const std::size_t size = tensor::byte_size(planned.output);
    return tiles.scan_with([&](unsigned worker, const method::Tile<Value>& tile) -> Status {
      TileBuffers<Value>& room = buffers[worker];
      room.result.resize(std::max(room.result.size(), tile.count));
      room.result_raw.resize(std::max(room.result_raw.size(), tile.count * size));
      (*apply)(tile, room.result.data());
      const std::span<std::byte> raw(room.result_raw.data(), tile.count * size);
      narrow(planned.output, std::span<const Value>(room.result.data(), tile.count), raw);
      return emit(worker, number, planned, tile.first * size, raw);
    });
  }

  // Not floating: the inputs must be the same bytes.
  Status copy_tensor(std::size_t number, const PlannedTensor& planned) {
    std::vector<std::byte> first(16 * checkpoint::kDigestChunkBytes);
    std::vector<std::byte> other(first.size());
    const std::uint64_t element = tensor::byte_size(planned.output);
    const std::uint64_t bytes = planned.elements * element;
    for (std::uint64_t offset = 0; offset < bytes; offset += first.size()) {
      if (stop_.stop_requested()) return cancelled();
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(first.size(), bytes - offset));
      const std::span<std::byte> expected(first.data(), size);
      for (std::size_t i = 0; i < planned.inputs.size(); ++i) {
        const std::span<std::byte> data(i == 0 ? first.data() : other.data(), size);
        if (auto status = planned.inputs[i].source->read(offset / element, data); !status)
          return status;
        if (std::memcmp(data.data(), expected.data(), size) != 0) {
          return fail(
              ErrorCode::kInvalidArgument,
              "is not a floating type and differs between the models, so it cannot be merged");
        }
      }
      if (auto status = emit(0, number, planned, offset, expected); !status) return status;
    }
    return {};
  }

  Status emit(unsigned worker, std::size_t number, const PlannedTensor& planned,
              std::uint64_t offset, std::span<const std::byte> raw) {
    if (digests_) hash(offset, raw);
    not_finite_ += tensor::count_not_finite(planned.output, raw);
    if (auto status = sink_.write(number, offset, raw); !status) return status;
    progress_.add(worker, raw.size());
    return {};
  }

  const MergePlan& plan_;
  TensorSink& sink_;
  bool digests_;
  BufferPlan buffers_;
  ThreadPool pool_;
  std::vector<TileBuffers<float>> floats_;
  std::vector<TileBuffers<double>> doubles_;
  std::unique_ptr<std::byte[]> kept_;  // inputs of the tensor in work; memory once written to
  ByteProgress progress_;
  bool only_finite_;
  std::stop_token stop_;
  method::Mt19937 random_;
  std::vector<Digest> leaves_;  // of the tensor in work
  std::atomic<std::uint64_t> not_finite_ = 0;
};

}  // namespace

Status merge_tensors(const MergePlan& plan, const MergeOptions& options, TensorSink& sink,
                     const ProgressSink& progress, std::stop_token stop) {
  return Execution(plan, options, sink, progress, std::move(stop)).run();
}

}  // namespace crucible::plan
