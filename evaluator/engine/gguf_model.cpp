#include "evaluator/engine/gguf_model.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "evaluator/engine/gguf.hpp"
#include "ggml.h"
#include "merger/base/io.hpp"

namespace crucible::engine {
namespace {

constexpr std::uint64_t kChunkBytes = 4ULL << 20;

// One tensor on its way: rows of `columns` elements, a vector being rows of one.
struct Placement {
  TensorPlan plan;
  std::uint64_t rows = 0;
  std::uint64_t columns = 1;
  GgufType type = GgufType::kF32;
  std::uint64_t offset = 0;  // in the data section
};

Status write_all(int fd, std::span<const std::byte> data, std::uint64_t offset,
                 io::Syscalls& calls) {
  while (!data.empty()) {
    const std::ptrdiff_t written =
        calls.pwrite(fd, data.data(), data.size(), static_cast<std::int64_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail(from_errno(errno, "writing the model"));
    data = data.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

GgufType matrix_type(WeightType weights, std::uint64_t columns) {
  switch (weights) {
    case WeightType::kF32:
      return GgufType::kF32;
    case WeightType::kBF16:
      return GgufType::kBF16;
    case WeightType::kF16:
      return GgufType::kF16;
    case WeightType::kQ8_0:
      return columns % 32 == 0 ? GgufType::kQ8_0 : GgufType::kF16;
  }
  return GgufType::kF32;
}

void set_description(GgufHeader& header, const GgufDescription& description) {
  if (!description.name.empty()) header.set("general.name", std::string_view(description.name));
  if (description.file_type) {
    header.set("general.file_type", *description.file_type);
    header.set("general.quantization_version", std::uint32_t{GGML_QNT_VERSION});
  }
  if (description.vocabulary != nullptr) {
    set_vocabulary(header, *description.vocabulary);
  } else {
    header.set("tokenizer.ggml.model", std::string_view("none"));
  }
}

void set_metadata(GgufHeader& header, const ModelShape& shape) {
  const std::string architecture = gguf_architecture(shape);
  const std::string prefix = architecture + ".";
  header.set("general.architecture", std::string_view(architecture));
  header.set(prefix + "vocab_size", shape.vocabulary);
  header.set(prefix + "context_length", shape.context);
  header.set(prefix + "embedding_length", shape.hidden);
  header.set(prefix + "block_count", shape.layers);
  header.set(prefix + "feed_forward_length", shape.feed_forward);
  header.set(prefix + "attention.head_count", shape.heads);
  header.set(prefix + "attention.head_count_kv", shape.kv_heads);
  header.set(prefix + "attention.key_length", shape.head_size);
  header.set(prefix + "attention.value_length", shape.head_size);
  header.set(prefix + "attention.layer_norm_rms_epsilon", static_cast<float>(shape.norm_epsilon));
  header.set(prefix + "rope.dimension_count", shape.head_size);
  header.set(prefix + "rope.freq_base", static_cast<float>(shape.rope_theta));
  if (shape.rope.kind == RopeScaling::Kind::kLinear) {
    header.set(prefix + "rope.scaling.type", std::string_view("linear"));
    header.set(prefix + "rope.scaling.factor", static_cast<float>(shape.rope.factor));
  }
}

std::vector<Placement> place_tensors(GgufHeader& header, const ModelShape& shape,
                                     WeightType weights) {
  std::vector<Placement> placements;
  for (TensorPlan& plan : tensor_plans(shape)) {
    Placement placement;
    const bool matrix = plan.shape.size() == 2;
    placement.rows = plan.shape[0];
    if (matrix) placement.columns = plan.shape[1];
    placement.type = matrix ? matrix_type(weights, placement.columns) : GgufType::kF32;
    const std::vector<std::uint64_t> extents(plan.shape.rbegin(), plan.shape.rend());
    const std::uint64_t bytes = placement.rows * row_bytes(placement.type, placement.columns);
    placement.offset = header.add_tensor(plan.target, extents, placement.type, bytes);
    placement.plan = std::move(plan);
    placements.push_back(std::move(placement));
  }
  return placements;
}

// Rows of one head from two halves (i, i + size/2) to pairs (2i, 2i + 1): transformers' rotate_half
// and llama.cpp's interleaved rotary embedding pair the same elements that way.
void interleave_heads(std::span<const float> in, std::span<float> out, std::uint64_t head_size,
                      std::uint64_t columns) {
  const std::uint64_t rows = in.size() / columns;
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::uint64_t head = row / head_size * head_size;
    const std::uint64_t i = row % head_size;
    const std::uint64_t half = head_size / 2;
    const std::uint64_t target = head + (i < half ? 2 * i : 2 * (i - half) + 1);
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(row * columns), columns,
                out.begin() + static_cast<std::ptrdiff_t>(target * columns));
  }
}

std::vector<std::byte> encode(GgufType type, std::span<const float> values, std::uint64_t columns) {
  const std::uint64_t rows = values.size() / columns;
  std::vector<std::byte> out(rows * row_bytes(type, columns));
  switch (type) {
    case GgufType::kF32:
      std::memcpy(out.data(), values.data(), out.size());
      break;
    case GgufType::kF16:
      tensor::from_float32(tensor::DType::kF16, values, out);
      break;
    case GgufType::kBF16:
      tensor::from_float32(tensor::DType::kBF16, values, out);
      break;
    case GgufType::kQ8_0:
      ggml_quantize_chunk(GGML_TYPE_Q8_0, values.data(), out.data(), 0,
                          static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns),
                          nullptr);
      break;
  }
  return out;
}

// Where tensors go: the file, and who is told and asked in between.
struct Sink {
  int fd;
  std::uint64_t data_start;
  std::uint64_t total;
  const ProgressSink& progress;
  const std::stop_token& stop;
  io::Syscalls& calls;
};

Status copy_tensor(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                   const Placement& placement, const Sink& sink) {
  const checkpoint::TensorLocation found = checkpoint.find(placement.plan.source);
  const std::uint64_t element = tensor::byte_size(found.entry->dtype);
  const std::uint64_t head = placement.plan.interleave ? shape.head_size : 1;
  const std::uint64_t fitting = kChunkBytes / (placement.columns * 4) / head * head;
  const std::uint64_t chunk = std::min(std::max(fitting, head), placement.rows);
  std::vector<std::byte> raw(chunk * placement.columns * element);
  std::vector<float> values(chunk * placement.columns);
  std::vector<float> reordered(placement.plan.interleave ? values.size() : 0);
  const std::uint64_t out_row = row_bytes(placement.type, placement.columns);
  for (std::uint64_t row = 0; row < placement.rows; row += chunk) {
    const std::uint64_t count = std::min(chunk, placement.rows - row) * placement.columns;
    const auto bytes = std::span(raw).first(count * element);
    const std::uint64_t from = row * placement.columns * element;
    if (auto read = found.shard->read(*found.entry, from, bytes); !read) return read;
    std::span<float> block = std::span(values).first(count);
    tensor::to_float32(found.entry->dtype, bytes, block);
    if (placement.plan.interleave) {
      interleave_heads(block, std::span(reordered).first(count), head, placement.columns);
      block = std::span(reordered).first(count);
    }
    const auto encoded = encode(placement.type, block, placement.columns);
    const std::uint64_t to = sink.data_start + placement.offset + row * out_row;
    if (auto written = write_all(sink.fd, encoded, to, sink.calls); !written) return written;
    if (sink.progress) sink.progress({"write", to + encoded.size(), sink.total, "bytes"});
    if (sink.stop.stop_requested()) {
      return fail(ErrorCode::kCancelled, "writing the model was cancelled");
    }
  }
  return {};
}

}  // namespace

std::string gguf_architecture(const ModelShape& shape) {
  return shape.interleaved_rope() ? "llama" : std::string(model_type(shape.family));
}

Status write_gguf(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                  WeightType weights, int fd, const GgufDescription& description,
                  const ProgressSink& progress, const std::stop_token& stop, io::Syscalls& calls) {
  GgufHeader header;
  set_metadata(header, shape);
  set_description(header, description);
  const std::vector<Placement> placements = place_tensors(header, shape, weights);
  const std::vector<float> divisors = rope_divisors(shape);
  const auto divisor_bytes = std::as_bytes(std::span(divisors));
  std::uint64_t divisor_offset = 0;
  if (!divisors.empty()) {
    divisor_offset = header.add_tensor("rope_freqs.weight", {divisors.size()}, GgufType::kF32,
                                       divisor_bytes.size());
  }
  const std::string head = header.serialize();
  const std::uint64_t total = head.size() + header.data_bytes();
  if (calls.ftruncate(fd, static_cast<std::int64_t>(total)) != 0) {
    return fail(from_errno(errno, "reserving space for the model"));
  }
  if (auto written = write_all(fd, std::as_bytes(std::span(head)), 0, calls); !written) {
    return written;
  }
  const Sink sink{fd, head.size(), total, progress, stop, calls};
  for (const Placement& placement : placements) {
    if (auto copied = copy_tensor(checkpoint, shape, placement, sink); !copied) {
      return fail(std::move(copied.error()).with_context(placement.plan.source));
    }
  }
  return write_all(fd, divisor_bytes, head.size() + divisor_offset, calls);
}

}  // namespace crucible::engine
