#include "evaluator/run/open_model.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "merger/base/io.hpp"

namespace crucible::run {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kSmallFile = 1U << 20;

// Changing a file's bytes changes its times; ctime cannot be set back.
Status add_file(Sha256& hash, const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    return fail(from_errno(errno, "cannot read " + path.string()));
  }
  hash.field(path.filename().string()).field(std::to_string(info.st_size));
  if (static_cast<std::uintmax_t>(info.st_size) <= kSmallFile) {
    auto text = io::read_text(path, kSmallFile);
    if (!text) return fail(std::move(text.error()));
    hash.field(*text);
    return {};
  }
  for (const timespec& time : {info.st_mtim, info.st_ctim}) {
    hash.field(std::to_string(time.tv_sec)).field(std::to_string(time.tv_nsec));
  }
  return {};
}

Result<std::set<fs::path>> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return std::set<fs::path>{path};
  std::set<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    if (entry.is_regular_file(error)) files.insert(entry.path());
  }
  if (error) return fail(ErrorCode::kIo, "cannot list " + path.string() + ": " + error.message());
  return files;
}

}  // namespace

Result<std::unique_ptr<engine::LanguageModel>> open_model(const std::string& name,
                                                          const engine::LlamaOptions& options) {
  std::error_code ignored;
  if (!fs::exists(name, ignored)) {
    return fail(ErrorCode::kNotFound, "there is no model folder or .gguf file " + name);
  }
  return engine::load_llama_model(name, options);
}

Result<Digest> model_identity(const fs::path& model, const fs::path& weights_file) {
  auto files = files_of(model);
  if (!files) return fail(std::move(files.error()));
  if (!weights_file.empty()) files->insert(weights_file);
  Sha256 hash;
  hash.field("crucible.model identity.1");
  for (const fs::path& file : *files) {
    if (auto status = add_file(hash, file); !status) return fail(std::move(status.error()));
  }
  return hash.finish();
}

}  // namespace crucible::run
