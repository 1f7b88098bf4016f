#include "evaluator/engine/gguf_model.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <span>
#include <thread>
#include <utility>

#include "evaluator/engine/gguf.hpp"
#include "evaluator/engine/tensor_rows.hpp"
#include "ggml.h"
#include "merger/base/io.hpp"

namespace crucible::engine {
namespace {

// One tensor on its way.
struct Placement {
  TensorPlan plan;
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

std::vector<Placement> place_tensors(GgufHeader& header, const checkpoint::Checkpoint& checkpoint,
                                     const ModelShape& shape, WeightType weights) {
  std::vector<Placement> placements;
  for (TensorPlan& plan : tensor_plans(checkpoint, shape)) {
    Placement placement;
    const bool matrix = !plan.is_vector() && !plan.has(Change::kFloat32);
    const bool output = plan.target == "output.weight" ||
                        (shape.tied_embeddings && plan.target == "token_embd.weight");
    if (matrix) placement.type = matrix_type(weights, plan.columns(), output);
    const std::vector<std::uint64_t> extents(plan.shape.rbegin(), plan.shape.rend());
    const std::uint64_t row =
        plan.is_vector() ? sizeof(float) : row_bytes(placement.type, plan.columns());
    placement.offset = header.add_tensor(plan.target, extents, placement.type, plan.rows() * row);
    placement.plan = std::move(plan);
    placements.push_back(std::move(placement));
  }
  return placements;
}

// Rows are quantised by themselves, whatever the number of threads.
void quantise(GgufType type, std::span<const float> values, std::uint64_t columns,
              std::vector<std::byte>& out) {
  constexpr std::uint64_t kSmall = 1U << 16;  // elements that one thread does soonest
  const std::uint64_t rows = values.size() / columns;
  const std::uint64_t most = values.size() < kSmall ? 1 : std::thread::hardware_concurrency();
  const std::uint64_t threads = std::clamp<std::uint64_t>(most, 1, rows);
  const auto part = [&](std::uint64_t first, std::uint64_t count) {
    ggml_quantize_chunk(static_cast<ggml_type>(type), values.data(), out.data(),
                        static_cast<std::int64_t>(first * columns),
                        static_cast<std::int64_t>(count), static_cast<std::int64_t>(columns),
                        nullptr);
  };
  const std::uint64_t each = (rows + threads - 1) / threads;
  std::vector<std::jthread> workers;
  for (std::uint64_t first = each; first < rows; first += each) {
    workers.emplace_back(part, first, std::min(each, rows - first));
  }
  part(0, std::min(each, rows));
}

Result<std::vector<std::byte>> encode(GgufType type, std::span<const float> values,
                                      std::uint64_t columns) {
  std::vector<std::byte> out(values.size() / columns * row_bytes(type, columns));
  switch (type) {
    case GgufType::kF32:
      std::memcpy(out.data(), values.data(), out.size());
      break;
    case GgufType::kF16: {
      constexpr float kLargest = 65504;
      const auto fits = [](float value) { return std::abs(value) <= kLargest; };
      if (!std::ranges::all_of(values, fits)) {
        return fail(ErrorCode::kUnsupported, "holds weights beyond the range of f16; use f32");
      }
      tensor::from_float32(tensor::DType::kF16, values, out);
      break;
    }
    case GgufType::kBF16:
      tensor::from_float32(tensor::DType::kBF16, values, out);
      break;
    case GgufType::kQ5_0:
    case GgufType::kQ8_0:
    case GgufType::kQ4K:
    case GgufType::kQ6K:
      quantise(type, values, columns, out);
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

// `first` is the target row at which the values begin.
Status check_finite(std::span<const float> values, const TensorPlan& plan, const ModelShape& shape,
                    std::uint64_t first) {
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return {};
  const auto row = first + static_cast<std::uint64_t>(bad - values.begin()) / plan.columns();
  return fail(ErrorCode::kCorrupt,
              plan.sources[source_row(plan, shape, row).source] + " holds NaN or infinite weights");
}

Status copy_tensor(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                   const Placement& placement, const Sink& sink) {
  const TensorPlan& plan = placement.plan;
  TensorRows rows(checkpoint, plan, shape);
  const std::uint64_t out_row =
      plan.is_vector() ? sizeof(float) : row_bytes(placement.type, plan.columns());
  std::uint64_t row = 0;
  while (row < plan.rows()) {
    const auto block = rows.read(row);
    if (!block) return fail(Error(block.error()).with_context(plan.sources.front()));
    if (auto finite = check_finite(*block, plan, shape, row); !finite) return finite;
    const auto encoded = encode(placement.type, *block, plan.columns());
    if (!encoded) return fail(Error(encoded.error()).with_context(plan.sources.front()));
    const std::uint64_t to = sink.data_start + placement.offset + row * out_row;
    if (auto written = write_all(sink.fd, *encoded, to, sink.calls); !written) return written;
    if (sink.progress) sink.progress({"write", to + encoded->size(), sink.total, "bytes"});
    if (sink.stop.stop_requested()) {
      return fail(ErrorCode::kCancelled, "writing the model was cancelled");
    }
    row += block->size() / plan.columns();
  }
  return {};
}

// Divisors of rope frequencies and where they go.
struct Divisors {
  std::vector<float> values;
  std::uint64_t offset = 0;
};

std::vector<Divisors> place_divisors(GgufHeader& header, const ModelShape& shape) {
  std::vector<Divisors> all;
  const auto add = [&](const char* name, std::vector<float> values) {
    if (values.empty()) return;
    const std::uint64_t offset =
        header.add_tensor(name, {values.size()}, GgufType::kF32, values.size() * sizeof(float));
    all.push_back({std::move(values), offset});
  };
  add("rope_freqs.weight", rope_divisors(shape.rope));
  add("rope_factors_short.weight", shape.rope.scaling.short_factors);
  add("rope_factors_long.weight", shape.rope.scaling.long_factors);
  return all;
}

}  // namespace

const std::string& gguf_architecture(const ModelShape& shape) { return shape.architecture->gguf; }

Status write_gguf(const checkpoint::Checkpoint& checkpoint, const ModelShape& shape,
                  WeightType weights, int fd, const GgufDescription& description,
                  const ProgressSink& progress, const std::stop_token& stop, io::Syscalls& calls) {
  GgufHeader header;
  set_metadata(header, shape);
  set_description(header, description);
  const auto placements = place_tensors(header, checkpoint, shape, weights);
  const auto divisors = place_divisors(header, shape);
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
    if (auto copied = copy_tensor(checkpoint, shape, placement, sink); !copied) return copied;
  }
  for (const auto& [values, offset] : divisors) {
    const auto bytes = std::as_bytes(std::span(values));
    if (auto written = write_all(fd, bytes, head.size() + offset, calls); !written) return written;
  }
  return {};
}

}  // namespace crucible::engine
