#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "evaluator/engine/gguf_vocabulary.hpp"
#include "evaluator/engine/llama_model.hpp"
#include "evaluator/engine/model_shape.hpp"
#include "merger/base/io.hpp"
#include "merger/base/parallel.hpp"
#include "merger/base/progress.hpp"

namespace crucible::engine {

// What a GGUF file says beside weights and hyperparameters.
struct GgufDescription {
  std::string name;                            // general.name; "" = none
  std::optional<std::uint32_t> file_type;      // general.file_type, as llama.cpp numbers them
  const GgufVocabulary* vocabulary = nullptr;  // nullptr: none, for callers that hand in ids
};

// llama.cpp's name of the graph that computes this shape.
const std::string& gguf_architecture(const ModelShape& shape);

// Where a model is written to: an empty file or memfd.
struct GgufFile {
  int fd = -1;
  const std::stop_token& stop;
  io::Syscalls& calls;
};

// A GGUF model before its weights: the header, and where what each tensor of the source gives
// belongs. Matrices get the element type of `weights` (q8_0 only where rows are a multiple of 32,
// else f16; q4_k with llama.cpp's own exceptions: the output matrix q6_k, rows that are no multiple
// of 256 q5_0, q8_0 or f16); vectors and routers are f32. The source's tensors must have passed
// check_tensors; a vocabulary must have as many tokens as the shape.
class GgufImage {
 public:
  GgufImage(const checkpoint::ModelSource& source, const ModelShape& shape, WeightType weights,
            const GgufDescription& description);

  // All that is not weights. Images with the same head have the same layout.
  const std::string& head() const { return head_; }
  std::uint64_t bytes() const { return bytes_; }  // of the whole file
  // Sets the file's size and writes the head and what is computed from the shape.
  Status write_head(const GgufFile& file) const;
  // Where the elements of the tensor lie one after the other as f32, unchanged: the offsets in the
  // file. Empty where one of its targets is something else.
  std::vector<std::uint64_t> plain_copies(const std::string& name) const;
  // Writes whatever `tensor` of that name gives, a few MiB in each thread at a time, or a whole
  // transposed tensor. Weights that are NaN or infinite are kCorrupt, those beyond f16 asked for
  // as such kUnsupported; kCancelled.
  Status write_tensor(const std::string& name, const checkpoint::TensorSource& tensor,
                      const GgufFile& file, ThreadPool& pool) const;

 private:
  struct Placement {
    TensorPlan plan;
    GgufType type = GgufType::kF32;
    std::uint64_t offset = 0;  // in the data section
  };
  struct Use {
    std::size_t placement = 0;
    std::size_t source = 0;  // of the plan's
  };
  struct Divisors {  // of rope frequencies
    std::vector<float> values;
    std::uint64_t offset = 0;
  };
  Status write_part(const Use& use, const checkpoint::TensorSource& tensor, const GgufFile& file,
                    ThreadPool& pool) const;

  ModelShape shape_;
  std::vector<Placement> placements_;
  std::map<std::string, std::vector<Use>> uses_;  // by name of a source's tensor
  std::vector<Divisors> divisors_;
  std::string head_;
  std::uint64_t bytes_ = 0;
};

// Writes the source as a GGUF model to `fd`, an empty file or memfd, from offset 0. Progress counts
// bytes of the source's tensors. Errors: GgufImage's, those of the source.
Status write_gguf(checkpoint::ModelSource& source, const ModelShape& shape, WeightType weights,
                  int fd, const GgufDescription& description = {},
                  const ProgressSink& progress = {}, const std::stop_token& stop = {},
                  io::Syscalls& calls = io::system());

}  // namespace crucible::engine
