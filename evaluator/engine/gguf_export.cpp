#include "evaluator/engine/gguf_export.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <utility>

#include "evaluator/engine/gguf_model.hpp"
#include "evaluator/engine/llama_loading.hpp"
#include "evaluator/engine/model_shape.hpp"
#include "evaluator/engine/vocabulary_probe.hpp"
#include "llama.h"
#include "merger/base/staging_folder.hpp"

namespace crucible::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kQuantiserBytes = 64ULL << 20;  // of rows, read and written

constexpr GgufTypeInfo kTypes[] = {
    {GgufFileType::kF32, "f32", LLAMA_FTYPE_ALL_F32},
    {GgufFileType::kF16, "f16", LLAMA_FTYPE_MOSTLY_F16},
    {GgufFileType::kBF16, "bf16", LLAMA_FTYPE_MOSTLY_BF16},
    {GgufFileType::kQ8_0, "q8_0", LLAMA_FTYPE_MOSTLY_Q8_0},
    {GgufFileType::kQ4KM, "q4_k_m", LLAMA_FTYPE_MOSTLY_Q4_K_M},
};

std::uint32_t file_type(GgufFileType type) {
  for (const GgufTypeInfo& info : kTypes) {
    if (info.type == type) return info.file_type;
  }
  return LLAMA_FTYPE_ALL_F32;
}

// The file type of llama.cpp that a file of such weights has.
std::uint32_t file_type(WeightType weights) {
  switch (weights) {
    case WeightType::kF32:
      return LLAMA_FTYPE_ALL_F32;
    case WeightType::kF16:
      return LLAMA_FTYPE_MOSTLY_F16;
    case WeightType::kBF16:
      return LLAMA_FTYPE_MOSTLY_BF16;
    case WeightType::kQ8_0:
      return LLAMA_FTYPE_MOSTLY_Q8_0;
    case WeightType::kQ4K:
      return LLAMA_FTYPE_MOSTLY_Q4_K_S;
  }
  return LLAMA_FTYPE_ALL_F32;
}

class Descriptor {
 public:
  Descriptor(int fd, io::Syscalls& calls) : fd_(fd), calls_(calls) {}
  ~Descriptor() {
    if (fd_ >= 0) calls_.close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
  io::Syscalls& calls_;
};

Status sync_file(const fs::path& path, io::Syscalls& calls) {
  const Descriptor file(calls.open(path.c_str(), O_RDWR | O_CLOEXEC, 0), calls);
  if (file.get() < 0) return fail(from_errno(errno, "cannot open " + path.string()));
  if (calls.fsync(file.get()) != 0) return fail(from_errno(errno, "cannot sync " + path.string()));
  return {};
}

// Weights that lose nothing of the checkpoint's, for the quantiser to start from.
WeightType lossless_type(const checkpoint::ModelSource& source, const ModelShape& shape) {
  bool all_f16 = true;
  bool all_bf16 = true;
  for (const TensorPlan& plan : tensor_plans(source.tensors(), shape)) {
    if (plan.is_vector()) continue;
    const tensor::DType dtype = source.tensors().find(plan.sources.front())->second.dtype;
    all_f16 = all_f16 && dtype == tensor::DType::kF16;
    all_bf16 = all_bf16 && dtype == tensor::DType::kBF16;
  }
  return all_f16 ? WeightType::kF16 : all_bf16 ? WeightType::kBF16 : WeightType::kF32;
}

WeightType written_type(const checkpoint::ModelSource& source, const ModelShape& shape,
                        GgufFileType type) {
  switch (type) {
    case GgufFileType::kF32:
      return WeightType::kF32;
    case GgufFileType::kF16:
      return WeightType::kF16;
    case GgufFileType::kBF16:
      return WeightType::kBF16;
    case GgufFileType::kQ8_0:
      return WeightType::kQ8_0;
    case GgufFileType::kQ4KM:
      return lossless_type(source, shape);
  }
  return WeightType::kF32;
}

Status quantise(const fs::path& from, const fs::path& to, const GgufExportOptions& options) {
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(file_type(options.type));
  params.nthread = static_cast<std::int32_t>(options.threads);
  params.max_buf_size = kQuantiserBytes;
  forget_complaint();
  try {
    if (llama_model_quantize(from.c_str(), to.c_str(), &params) == 0) return {};
  } catch (const std::exception& error) {
    return fail(ErrorCode::kIo, std::string("llama.cpp's quantiser: ") + error.what());
  }
  return fail(ErrorCode::kIo, with_complaint("llama.cpp's quantiser failed"));
}

Status refuse_existing(const fs::path& out) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(out, error);
  if (status.type() == fs::file_type::not_found) return {};
  return fail(ErrorCode::kConflict, out.string() + " exists; remove it or choose another name");
}

// A checkpoint that has passed all checks, and its vocabulary.
struct Source {
  checkpoint::StoredModel model;
  ModelShape shape;
  tokenizer::Tokenizer tokenizer;
  GgufVocabulary vocabulary;
};

Result<Source> read_source(const fs::path& folder) {
  auto model = checkpoint::StoredModel::open(folder);
  if (!model) return fail(std::move(model.error()));
  const auto shape = read_shape(*model);
  if (!shape) return fail(shape.error());
  if (auto fits = check_tensors(*model, *shape); !fits) return fail(std::move(fits.error()));
  auto tokenizer =
      tokenizer::Tokenizer::load(model->documents(), model->config(), shape->vocabulary);
  if (!tokenizer) return fail(std::move(tokenizer.error()));
  auto vocabulary = read_vocabulary(model->checkpoint(), *tokenizer, shape->vocabulary);
  if (!vocabulary) return fail(std::move(vocabulary.error()));
  const auto fitted = fit_vocabulary(*vocabulary, gguf_architecture(*shape), *tokenizer);
  if (!fitted) return fail(fitted.error());
  if (shape->sliding_window > 0 && shape->sliding_window < shape->context) {
    vocabulary->warnings.push_back("the model attends to the last " +
                                   std::to_string(shape->sliding_window) +
                                   " tokens only; llama.cpp attends to all: results differ past "
                                   "them");
  }
  return Source{std::move(*model), *shape, std::move(*tokenizer), std::move(*vocabulary)};
}

Status write_file(Source& source, WeightType weights, const std::string& name, const fs::path& path,
                  const ProgressSink& progress, const std::stop_token& stop, io::Syscalls& calls) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC;
  const Descriptor file(calls.open(path.c_str(), flags, 0666), calls);
  if (file.get() < 0) return fail(from_errno(errno, "cannot create " + path.string()));
  const GgufDescription description{name, file_type(weights), &source.vocabulary};
  return write_gguf(source.model, source.shape, weights, file.get(), description, progress, stop,
                    calls);
}

Status publish(const fs::path& file, const fs::path& out, io::Syscalls& calls) {
  if (auto synced = sync_file(file, calls); !synced) return synced;
  if (calls.rename_noreplace(file.c_str(), out.c_str()) != 0) {
    if (errno == EEXIST) return fail(ErrorCode::kConflict, out.string() + " exists");
    return fail(from_errno(errno, "cannot rename " + file.string()));
  }
  const fs::path parent = out.parent_path();
  auto synced = io::sync_folder(parent.empty() ? fs::path(".") : parent, calls);
  if (!synced) calls.unlink(out.c_str());
  return synced;
}

std::string name_of(const fs::path& folder) {
  const fs::path path = fs::absolute(folder).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

// llama.cpp takes models whose name has "phi3" in it for Microsoft's and refuses vocabularies
// without their special tokens: such a model stays without a name.
bool is_mistaken_for_phi3(std::string name, const GgufVocabulary& vocabulary) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (name.find("phi3") == std::string::npos && name.find("phi-3") == std::string::npos) {
    return false;
  }
  constexpr std::array kTheirs = {"<unk>", "<s>", "</s>", "<|endoftext|>"};
  return !std::ranges::all_of(kTheirs, [&](const char* token) {
    return std::ranges::find(vocabulary.tokens, token) != vocabulary.tokens.end();
  });
}

GgufReport report_on(const Source& source, const fs::path& out) {
  GgufReport report;
  report.architecture = gguf_architecture(source.shape);
  report.tokenizer = source.vocabulary.model;
  report.pre_tokenizer = source.vocabulary.pre;
  report.tokens = source.vocabulary.tokens.size();
  report.warnings = source.vocabulary.warnings;
  std::error_code ignored;
  report.bytes = fs::file_size(out, ignored);
  return report;
}

}  // namespace

std::span<const GgufTypeInfo> gguf_types() { return kTypes; }

Result<GgufReport> export_gguf(const fs::path& folder, const fs::path& out,
                               const GgufExportOptions& options, const ProgressSink& progress,
                               std::stop_token stop, io::Syscalls& calls) {
  const auto started = std::chrono::steady_clock::now();
  if (auto fresh = refuse_existing(out); !fresh) return fail(std::move(fresh.error()));
  auto source = read_source(folder);
  if (!source) return fail(source.error());
  auto staging = io::StagingFolder::create(out, calls);
  if (!staging) return fail(std::move(staging.error()));
  const WeightType weights = written_type(source->model, source->shape, options.type);
  std::string name = options.name.empty() ? name_of(folder) : options.name;
  if (is_mistaken_for_phi3(name, source->vocabulary)) {
    source->vocabulary.warnings.push_back("the name " + name +
                                          " is left out: llama.cpp takes the model for a Phi-3");
    name.clear();
  }
  fs::path file = staging->path() / "written.gguf";
  if (auto written = write_file(*source, weights, name, file, progress, stop, calls); !written) {
    return fail(std::move(written.error()).with_context(out.string()));
  }
  if (options.type == GgufFileType::kQ4KM) {
    if (progress) progress({"quantise", 0, 0, "bytes"});
    const fs::path from = std::exchange(file, staging->path() / "quantised.gguf");
    if (auto made = quantise(from, file, options); !made) return fail(std::move(made.error()));
    calls.unlink(from.c_str());
  }
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "the export was cancelled");
  const auto same = verify_vocabulary(file, source->tokenizer, source->vocabulary);
  if (!same) return fail(same.error());
  if (auto done = publish(file, out, calls); !done) return fail(std::move(done.error()));
  GgufReport report = report_on(*source, out);
  report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return report;
}

}  // namespace crucible::engine
