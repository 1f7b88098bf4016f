#include "merger/plan/buffers.hpp"

#include <algorithm>
#include <bit>
#include <thread>

namespace crucible::plan {
namespace {

// A worker's room for a tile of a few inputs then stays in its second-level cache; larger tiles
// cost half as much time again, smaller ones gain nothing.
constexpr std::uint64_t kLargestTile = 2 * method::kBlockElements;

// One element in one worker: the value of every input, one raw input, the output as value and raw.
std::uint64_t bytes_per_element(const PlannedTensor& planned) {
  const std::uint64_t value = planned.task.dtype == tensor::DType::kF64 ? 8 : 4;
  std::uint64_t raw = 0;
  for (const PlannedInput& input : planned.inputs) {
    raw = std::max<std::uint64_t>(raw, tensor::byte_size(input.source->dtype()));
  }
  return (planned.inputs.size() + 1) * value + raw + tensor::byte_size(planned.output);
}

}  // namespace

BufferPlan plan_buffers(const MergePlan& plan, const MergeOptions& options) {
  BufferPlan buffers;
  const unsigned threads =
      options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  std::uint64_t element = 0;
  std::uint64_t statistics = 0;
  for (const PlannedTensor& planned : plan.tensors) {
    element = std::max(element, bytes_per_element(planned));
    statistics = std::max(statistics, plan.method->statistics_bytes(planned.inputs.size()));
  }
  const std::uint64_t smallest = element * method::kBlockElements + statistics;
  buffers.workers = static_cast<unsigned>(std::clamp<std::uint64_t>(
      smallest == 0 ? threads : options.memory_bytes / smallest, 1, threads));
  const std::uint64_t fixed = statistics * buffers.workers;
  buffers.budget_bytes = std::max(options.memory_bytes > fixed ? options.memory_bytes - fixed : 0,
                                  element * method::kBlockElements);
  for (const PlannedTensor& planned : plan.tensors) {
    const std::uint64_t tiles =
        buffers.workers * bytes_per_element(planned) * tile_elements(planned, buffers);
    const std::uint64_t whole =
        planned.copied ? 0
                       : plan.method->tensor_bytes(planned.task, planned.elements, buffers.workers);
    std::uint64_t kept = 0;
    if (!planned.copied && plan.method->statistics_bytes(planned.inputs.size()) > 0)
      kept = kept_bytes(planned);
    if (fixed + tiles + whole + kept > options.memory_bytes) kept = 0;
    buffers.keeps.push_back(kept > 0);
    buffers.kept_bytes = std::max(buffers.kept_bytes, kept);
    buffers.bytes = std::max(buffers.bytes, fixed + tiles + whole + kept);
  }
  return buffers;
}

std::uint64_t kept_bytes(const PlannedTensor& planned, std::size_t input) {
  constexpr std::uint64_t kCacheLine = 64;
  const std::uint64_t element = tensor::byte_size(planned.inputs[input].source->dtype());
  return (planned.elements * element + kCacheLine - 1) / kCacheLine * kCacheLine;
}

std::uint64_t kept_bytes(const PlannedTensor& planned) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < planned.inputs.size(); ++i) bytes += kept_bytes(planned, i);
  return bytes;
}

std::size_t tile_elements(const PlannedTensor& planned, const BufferPlan& buffers) {
  const std::uint64_t affordable =
      buffers.budget_bytes / (buffers.workers * bytes_per_element(planned));
  // Small tensors are cut into several tiles for each worker, so that all of them have work.
  const std::uint64_t shared = std::bit_ceil(planned.elements / (4ULL * buffers.workers) + 1);
  const std::uint64_t tile = std::min({std::bit_floor(affordable), shared, kLargestTile});
  return static_cast<std::size_t>(std::max<std::uint64_t>(tile, method::kBlockElements));
}

}  // namespace crucible::plan
