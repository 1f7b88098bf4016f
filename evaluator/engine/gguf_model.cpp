#include "evaluator/engine/gguf_model.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "evaluator/engine/gguf.hpp"
#include "evaluator/engine/tensor_rows.hpp"
#include "ggml.h"
#include "merger/base/guarded.hpp"
#include "merger/tensor/finite.hpp"

namespace crucible::engine {
namespace {

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

// The types that llama.cpp's quantiser falls back to where rows are no whole blocks.
GgufType q4_k_type(std::uint64_t columns, bool is_output) {
  if (columns % 256 == 0) return is_output ? GgufType::kQ6K : GgufType::kQ4K;
  if (columns % 32 == 0) return is_output ? GgufType::kQ8_0 : GgufType::kQ5_0;
  return GgufType::kF16;
}

GgufType matrix_type(WeightType weights, std::uint64_t columns, bool is_output) {
  switch (weights) {
    case WeightType::kF32:
      return GgufType::kF32;
    case WeightType::kBF16:
      return GgufType::kBF16;
    case WeightType::kF16:
      return GgufType::kF16;
    case WeightType::kQ8_0:
      return columns % 32 == 0 ? GgufType::kQ8_0 : GgufType::kF16;
    case WeightType::kQ4K:
      return q4_k_type(columns, is_output);
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

void set_rope_scaling(GgufHeader& header, const std::string& prefix, const RopeScaling& rope) {
  const std::string scaling = prefix + "rope.scaling.";
  const auto original = static_cast<std::uint32_t>(rope.original_context);
  switch (rope.kind) {
    case RopeScaling::Kind::kNone:
    case RopeScaling::Kind::kLlama3:  // all in the divisors
      return;
    case RopeScaling::Kind::kLinear:
      header.set(scaling + "type", std::string_view("linear"));
      header.set(scaling + "factor", static_cast<float>(rope.factor));
      return;
    case RopeScaling::Kind::kYarn: {
      // llama.cpp multiplies by what the paper suggests itself.
      const double suggested = rope.factor <= 1 ? 1 : 0.1 * std::log(rope.factor) + 1;
      header.set(scaling + "type", std::string_view("yarn"));
      header.set(scaling + "factor", static_cast<float>(rope.factor));
      header.set(scaling + "original_context_length", original);
      header.set(scaling + "attn_factor", static_cast<float>(rope.attention_factor / suggested));
      header.set(scaling + "yarn_beta_fast", static_cast<float>(rope.beta_fast));
      header.set(scaling + "yarn_beta_slow", static_cast<float>(rope.beta_slow));
      return;
    }
    case RopeScaling::Kind::kLongRope:
      header.set(scaling + "type", std::string_view("longrope"));
      header.set(scaling + "original_context_length", original);
      header.set(scaling + "attn_factor", static_cast<float>(rope.attention_factor));
      return;
  }
}

void set_attention(GgufHeader& header, const std::string& prefix, const ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  header.set(prefix + "attention.head_count", shape.heads);
  header.set(prefix + "attention.head_count_kv", shape.kv_heads);
  header.set(prefix + "attention.key_length", shape.head_size);
  header.set(prefix + "attention.value_length", shape.head_size);
  const char* epsilon =
      table.rms_norm ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  header.set(prefix + epsilon, static_cast<float>(shape.norm_epsilon));
  if (shape.graph_window > 0) {
    header.set(prefix + "attention.sliding_window", shape.graph_window);
    header.set(prefix + "attention.sliding_window_pattern", shape.window_period);
    if (table.window_layers->own_rope) {
      header.set(prefix + "rope.freq_base_swa", static_cast<float>(shape.rope.window_theta));
    }
  }
  if (!table.rotary) return;
  header.set(prefix + "rope.dimension_count", shape.rope.dimensions);
  header.set(prefix + "rope.freq_base", static_cast<float>(shape.rope.theta));
  set_rope_scaling(header, prefix, shape.rope.scaling);
}

void set_metadata(GgufHeader& header, const ModelShape& shape) {
  const ArchitectureTable& table = *shape.architecture;
  const std::string prefix = table.gguf + ".";
  header.set("general.architecture", std::string_view(table.gguf));
  header.set(prefix + "vocab_size", shape.vocabulary);
  header.set(prefix + "context_length", shape.context);
  header.set(prefix + "embedding_length", shape.hidden);
  header.set(prefix + "block_count", shape.layers);
  header.set(prefix + "feed_forward_length", shape.feed_forward);
  set_attention(header, prefix, shape);
  for (const auto& [key, size] : table.metadata) {
    header.set(prefix + key, static_cast<std::uint32_t>(shape.sizes.at(size)));
  }
  for (const auto& [key, flag] : table.metadata_flags) {
    header.set_flag(prefix + key, shape.flags.at(flag));
  }
  for (const auto& [key, value] : shape.numbers) {
    header.set(prefix + key, static_cast<float>(value));
  }
}

GgufType type_of(const TensorPlan& plan, const ModelShape& shape, WeightType weights) {
  if (plan.is_vector() || plan.has(Change::kFloat32)) return GgufType::kF32;
  const bool output = plan.target == "output.weight" ||
                      (shape.tied_embeddings && plan.target == "token_embd.weight");
  return matrix_type(weights, plan.columns(), output);
}

std::uint64_t target_row_bytes(const TensorPlan& plan, GgufType type) {
  return plan.is_vector() ? sizeof(float) : row_bytes(type, plan.columns());
}

// The values as stored: themselves, or converted into `room`. Rows are quantised by themselves.
Result<std::span<const std::byte>> encode(GgufType type, std::span<const float> values,
                                          std::uint64_t columns, std::vector<std::byte>& room) {
  if (type == GgufType::kF32) return std::as_bytes(values);
  const std::uint64_t rows = values.size() / columns;
  room.resize(rows * row_bytes(type, columns));
  switch (type) {
    case GgufType::kF32:
      break;
    case GgufType::kF16: {
      constexpr float kLargest = 65504;
      const auto fits = [](float value) { return std::abs(value) <= kLargest; };
      if (!std::ranges::all_of(values, fits)) {
        return fail(ErrorCode::kUnsupported, "holds weights beyond the range of f16; use f32");
      }
      tensor::from_float32(tensor::DType::kF16, values, room);
      break;
    }
    case GgufType::kBF16:
      tensor::from_float32(tensor::DType::kBF16, values, room);
      break;
    case GgufType::kQ5_0:
    case GgufType::kQ8_0:
    case GgufType::kQ4K:
    case GgufType::kQ6K:
      ggml_quantize_chunk(static_cast<ggml_type>(type), values.data(), room.data(), 0,
                          static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns),
                          nullptr);
      break;
  }
  return std::span<const std::byte>(room);
}

// `first` is the target row at which the values begin.
Status check_finite(std::span<const float> values, const TensorPlan& plan, const ModelShape& shape,
                    std::uint64_t first) {
  if (tensor::count_not_finite(tensor::DType::kF32, std::as_bytes(values)) == 0) return {};
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  const auto row = first + static_cast<std::uint64_t>(bad - values.begin()) / plan.columns();
  return fail(ErrorCode::kCorrupt,
              plan.sources[source_row(plan, shape, row).source] + " holds NaN or infinite weights");
}

// The first failure of several threads.
class FirstFailure {
 public:
  bool happened() const { return happened_.load(std::memory_order_relaxed); }
  void keep(Error error) {
    happened_.store(true, std::memory_order_relaxed);
    error_.with([&](std::optional<Error>& first) {
      if (!first) first = std::move(error);
    });
  }
  Status status() {
    return error_.with([](std::optional<Error>& first) -> Status {
      if (first) return fail(std::move(*first));
      return {};
    });
  }

 private:
  std::atomic<bool> happened_ = false;
  Guarded<std::optional<Error>> error_;
};

}  // namespace

const std::string& gguf_architecture(const ModelShape& shape) { return shape.architecture->gguf; }

GgufImage::GgufImage(const checkpoint::ModelSource& source, const ModelShape& shape,
                     WeightType weights, const GgufDescription& description)
    : shape_(shape) {
  GgufHeader header;
  set_metadata(header, shape_);
  set_description(header, description);
  for (TensorPlan& plan : tensor_plans(source.tensors(), shape_)) {
    Placement placement{{}, type_of(plan, shape_, weights), 0};
    const std::vector<std::uint64_t> extents(plan.shape.rbegin(), plan.shape.rend());
    placement.offset = header.add_tensor(plan.target, extents, placement.type,
                                         plan.rows() * target_row_bytes(plan, placement.type));
    for (std::size_t i = 0; i < plan.sources.size(); ++i)
      uses_[plan.sources[i]].push_back({placements_.size(), i});
    placement.plan = std::move(plan);
    placements_.push_back(std::move(placement));
  }
  const auto add = [&](const char* name, std::vector<float> values) {
    if (values.empty()) return;
    const std::uint64_t offset =
        header.add_tensor(name, {values.size()}, GgufType::kF32, values.size() * sizeof(float));
    divisors_.push_back({std::move(values), offset});
  };
  add("rope_freqs.weight", rope_divisors(shape_.rope));
  add("rope_factors_short.weight", shape_.rope.scaling.short_factors);
  add("rope_factors_long.weight", shape_.rope.scaling.long_factors);
  head_ = header.serialize();
  bytes_ = head_.size() + header.data_bytes();
}

Status GgufImage::write_head(const GgufFile& file) const {
  if (file.calls.ftruncate(file.fd, static_cast<std::int64_t>(bytes_)) != 0) {
    return fail(from_errno(errno, "reserving space for the model"));
  }
  auto written = write_all(file.fd, std::as_bytes(std::span(head_)), 0, file.calls);
  for (const auto& [values, offset] : divisors_) {
    if (!written) break;
    const auto bytes = std::as_bytes(std::span(values));
    written = write_all(file.fd, bytes, head_.size() + offset, file.calls);
  }
  return written;
}

std::vector<std::uint64_t> GgufImage::plain_copies(const std::string& name) const {
  std::vector<std::uint64_t> offsets;
  const auto uses = uses_.find(name);
  if (uses == uses_.end()) return offsets;
  for (const Use& use : uses->second) {
    const Placement& placement = placements_[use.placement];
    const TensorPlan& plan = placement.plan;
    const auto harmless = [](Change change) {
      return change == Change::kFloat32 || change == Change::kFlatten;
    };
    if (placement.type != GgufType::kF32 || plan.packed_rows > 0 ||
        !std::ranges::all_of(plan.changes, harmless)) {
      return {};
    }
    const std::uint64_t rows = plan.rows() / plan.sources.size();
    offsets.push_back(head_.size() + placement.offset +
                      use.source * rows * target_row_bytes(plan, placement.type));
  }
  return offsets;
}

Status GgufImage::write_tensor(const std::string& name, const checkpoint::TensorSource& tensor,
                               const GgufFile& file, ThreadPool& pool) const {
  const auto uses = uses_.find(name);
  if (uses == uses_.end()) return {};
  for (const Use& use : uses->second) {
    if (auto written = write_part(use, tensor, file, pool); !written)
      return fail(std::move(written.error()).with_context(name));
  }
  return {};
}

Status GgufImage::write_part(const Use& use, const checkpoint::TensorSource& tensor,
                             const GgufFile& file, ThreadPool& pool) const {
  const Placement& placement = placements_[use.placement];
  const TensorPlan& plan = placement.plan;
  const std::uint64_t row = target_row_bytes(plan, placement.type);
  const std::uint64_t start = head_.size() + placement.offset;
  const auto pieces = row_pieces(plan, shape_, use.source);
  struct Room {
    TensorRows rows;
    std::vector<std::byte> encoded;
  };
  std::vector<Room> rooms(pool.workers(), Room{TensorRows(plan, shape_), {}});
  FirstFailure failure;
  pool.for_each(pieces.size(), [&](unsigned worker, std::size_t index) {
    if (failure.happened()) return;
    const RowRange& piece = pieces[index];
    const auto write = [&]() -> Status {
      if (file.stop.stop_requested())
        return fail(ErrorCode::kCancelled, "writing the model was cancelled");
      const auto values = rooms[worker].rows.read(tensor, piece);
      if (!values) return fail(values.error());
      if (auto finite = check_finite(*values, plan, shape_, piece.first); !finite) return finite;
      const auto bytes = encode(placement.type, *values, plan.columns(), rooms[worker].encoded);
      if (!bytes) return fail(bytes.error());
      return write_all(file.fd, *bytes, start + piece.first * row, file.calls);
    };
    if (auto written = write(); !written) failure.keep(std::move(written.error()));
  });
  return failure.status();
}

namespace {

// Writes what it is handed, and tells how far it is.
class ImageWriter final : public checkpoint::TensorVisitor {
 public:
  ImageWriter(const GgufImage& image, const GgufFile& file, std::uint64_t tensors_bytes,
              const ProgressSink& progress)
      : image_(image), file_(file), total_(tensors_bytes), progress_(progress), pool_(0) {}

  Status take(const std::string& name, const checkpoint::TensorSource& tensor,
              const std::optional<Digest>&) override {
    if (auto written = image_.write_tensor(name, tensor, file_, pool_); !written) return written;
    done_ += tensor::element_count(tensor.shape()).value_or(0) * tensor::byte_size(tensor.dtype());
    if (progress_) progress_({"write", done_, total_, "bytes"});
    return {};
  }

 private:
  const GgufImage& image_;
  const GgufFile& file_;
  std::uint64_t done_ = 0;
  std::uint64_t total_;
  const ProgressSink& progress_;
  ThreadPool pool_;
};

std::uint64_t stored_bytes(const checkpoint::TensorHeaders& tensors) {
  std::uint64_t bytes = 0;
  for (const auto& [name, header] : tensors)
    bytes += tensor::element_count(header.shape).value_or(0) * tensor::byte_size(header.dtype);
  return bytes;
}

}  // namespace

Status write_gguf(checkpoint::ModelSource& source, const ModelShape& shape, WeightType weights,
                  int fd, const GgufDescription& description, const ProgressSink& progress,
                  const std::stop_token& stop, io::Syscalls& calls) {
  const GgufImage image(source, shape, weights, description);
  const GgufFile file{fd, stop, calls};
  if (auto written = image.write_head(file); !written) return written;
  ImageWriter writer(image, file, stored_bytes(source.tensors()), progress);
  return source.visit(writer, {}, stop);
}

}  // namespace crucible::engine
