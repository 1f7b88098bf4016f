#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/progress.hpp"
#include "merger/method/compatibility.hpp"
#include "merger/recipe/recipe.hpp"

// The merge engine's public face: preflight a recipe, run it, get a folder that transformers loads.
namespace crucible::plan {

// Turns a recipe's model reference into a folder on this machine.
using ModelResolver = std::function<Result<std::filesystem::path>(const recipe::ModelReference&)>;
// Absolute paths as they are; relative ones against each of `folders` in order, first that exists.
ModelResolver resolve_beneath(std::vector<std::filesystem::path> folders);

struct MergeOptions {
  std::uint64_t seed = 0;
  method::Compatibility compatibility = method::Compatibility::kNone;
  bool allow_nonfinite = false;  // else NaN or infinity in an input is an error
  // Goes on where a merge of the same recipe, inputs and options into the same folder was killed;
  // and if this one fails or is cancelled, what is done is kept for the next.
  bool resume = false;
  bool allow_mixed_architectures = false;     // else inputs of several architectures are an error
  unsigned threads = 0;                       // 0 = one per hardware thread
  std::uint64_t memory_bytes = 512ULL << 20;  // bound of tensor buffers
  std::uint64_t shard_bytes =
      5'000'000'000ULL;  // as mergekit: a new shard when the next tensor would exceed it
};

// What will come out and what it needs; from headers and configs only.
struct Preflight {
  std::string architecture;  // "llama"
  std::uint64_t layers = 0;
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t input_bytes = 0;  // read once per pass
  std::uint64_t memory_bytes = 0;
  std::uint64_t free_disk_bytes = 0;  // where the output will lie
  std::string dtype;                  // of the output
  std::vector<Fault> warnings;
};
// Error kInvalidArgument with every fault: shapes, layers, dtypes, missing tensors, disk.
Result<Preflight> preflight(const recipe::Recipe& recipe, const ModelResolver& resolver,
                            const MergeOptions& options, const std::filesystem::path& out_parent);

struct MergeReport {
  Digest content_digest;  // of the written checkpoint, as checkpoint::content_digest gives it
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t resumed_tensors = 0;  // found finished
  double seconds = 0;
  std::vector<std::string> warnings;  // NaN or infinity in a tensor, and the like
};
// Writes a complete model folder to `out`, which must not exist; it appears whole or not at all
// (made beside it and renamed). Same inputs, recipe and seed give the same bytes whatever `threads`
// is. Errors: as preflight, kNoSpace, kIo, kCancelled.
Result<MergeReport> merge(const recipe::Recipe& recipe, const ModelResolver& resolver,
                          const MergeOptions& options, const std::filesystem::path& out,
                          const ProgressSink& progress, std::stop_token stop);

}  // namespace crucible::plan
