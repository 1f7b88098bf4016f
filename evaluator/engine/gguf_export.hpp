#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"
#include "merger/base/io.hpp"
#include "merger/base/progress.hpp"

// Hugging Face checkpoints as GGUF files that other programs built on llama.cpp load.
namespace crucible::engine {

enum class GgufFileType { kF32, kF16, kBF16, kQ8_0, kQ4KM };

struct GgufTypeInfo {
  GgufFileType type;
  std::string_view name;        // "q4_k_m"
  std::uint32_t file_type = 0;  // general.file_type: llama.cpp's llama_ftype
};
std::span<const GgufTypeInfo> gguf_types();

struct GgufExportOptions {
  GgufFileType type = GgufFileType::kF16;
  std::string name;      // general.name; "" = the folder's
  unsigned threads = 0;  // of llama.cpp's quantiser (q4_k_m); 0 = one per hardware thread
};

struct GgufReport {
  std::string architecture;   // llama.cpp's: "llama"
  std::string tokenizer;      // "gpt2" or "llama"
  std::string pre_tokenizer;  // llama.cpp's name of the rule that splits text
  std::uint64_t tokens = 0;   // with unused ones
  std::uint64_t bytes = 0;    // of the file
  std::vector<std::string> warnings;
  double seconds = 0;
};

// Writes the checkpoint in `folder` as `out`, which appears whole and synced or not at all; work in
// progress lies in a hidden folder beside it. q4_k_m goes through an unquantised GGUF there, of as
// many bytes as the checkpoint; llama.cpp's quantiser holds a few hundred MiB and does not stop
// early. Before anything is written, text must be encoded by llama.cpp as by tokenizer.json
// (vocabulary_probe.hpp). Errors: kConflict (`out` exists), kUnsupported (architecture, tokenizer),
// kCorrupt, kInvalidArgument (no tokenizer.json), kCancelled and those of writing.
Result<GgufReport> export_gguf(const std::filesystem::path& folder,
                               const std::filesystem::path& out, const GgufExportOptions& options,
                               const ProgressSink& progress, std::stop_token stop,
                               io::Syscalls& calls = io::system());

}  // namespace crucible::engine
