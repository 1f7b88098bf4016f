#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "evaluator/engine/architecture_table.hpp"
#include "evaluator/engine/rope_scaling.hpp"
#include "merger/checkpoint/model_source.hpp"

// What a decoder-only checkpoint computes, as plain data: read from config.json by the table of its
// architecture and held against the tensors before an engine sees any of it.
namespace crucible::engine {

struct ModelShape {
  const ArchitectureTable* architecture = nullptr;
  std::uint32_t vocabulary = 0;  // embedding rows
  std::uint32_t hidden = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_size = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t context = 0;         // max_position_embeddings
  std::uint32_t sliding_window = 0;  // that the graph does not compute; 0 = full attention
  std::uint32_t graph_window = 0;    // that it computes, in all but every window_period-th layer
  std::uint32_t window_period = 0;
  double norm_epsilon = 1e-6;
  Rope rope;
  double query_scale = 1;        // for Change::kQueryScale
  bool tied_embeddings = false;  // the output matrix is the embedding
  Sizes sizes;                   // the above and those of the architecture, for expressions
  Flags flags;
  std::vector<std::pair<std::string, double>> numbers;  // of the architecture, for metadata

  // Positions up to which the engine computes what transformers does.
  std::uint32_t longest() const;
};

// kUnsupported names an architecture, rope type, activation or quantisation this build cannot
// compute; kInvalidArgument lists every impossible value as `config.json <key>`.
Result<ModelShape> read_shape(const checkpoint::ModelSource& source);

// "llama", as in config.json.
inline const std::string& model_type(const ModelShape& shape) {
  return shape.architecture->model_type;
}

// One tensor of the GGUF file and where it comes from. Rows are those of matrices of `columns`
// elements; vectors have one column.
struct TensorPlan {
  std::vector<std::string> sources;  // several are stacked
  std::string target;                // "blk.0.attn_q.weight"
  tensor::Shape storage;             // of each source
  tensor::Shape shape;               // of the target, outermost first
  std::vector<Change> changes;
  // Of each expert in a source that holds all of them: rows, and the first that counts. 0: no such.
  std::uint64_t packed_rows = 0;
  std::uint64_t packed_first = 0;

  bool has(Change change) const;
  bool is_vector() const { return shape.size() == 1; }
  std::uint64_t columns() const { return is_vector() ? 1 : shape.back(); }
  std::uint64_t rows() const;
};

// A row of a source, all sources of a plan seen as one matrix.
struct SourceRow {
  std::uint64_t source = 0;
  std::uint64_t row = 0;
};
SourceRow source_row(const TensorPlan& plan, const ModelShape& shape, std::uint64_t target_row);

// All tensors that a model of this shape consists of; of alternative names those that
// are there.
std::vector<TensorPlan> tensor_plans(const checkpoint::TensorHeaders& tensors,
                                     const ModelShape& shape);

// Every missing, misshapen, non-floating or unknown tensor, all at once: kCorrupt.
Status check_tensors(const checkpoint::ModelSource& source, const ModelShape& shape);

}  // namespace crucible::engine
