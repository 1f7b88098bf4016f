#include "merger/plan/hub_cache.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "merger/base/io.hpp"

namespace crucible::plan {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kRefLimitBytes = 4096;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool is_name_part(std::string_view part) {
  return !part.empty() && part.front() != '.' && std::ranges::all_of(part, [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// `NAME` or `ORG/NAME`, as the hub allows them.
bool is_hub_name(std::string_view name) {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return is_name_part(name);
  return is_name_part(name.substr(0, slash)) && is_name_part(name.substr(slash + 1));
}

// A branch or tag may have slashes, but must not lead out of `refs`.
bool is_revision(std::string_view revision) {
  while (!revision.empty()) {
    const auto slash = revision.find('/');
    if (!is_name_part(revision.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    revision.remove_prefix(slash + 1);
  }
  return false;
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::string repository_folder(std::string name) {
  const auto slash = name.find('/');
  if (slash != std::string::npos) name.replace(slash, 1, "--");
  return "models--" + name;
}

Result<fs::path> find_snapshot(const fs::path& repository, const std::string& revision) {
  const fs::path snapshots = repository / "snapshots";
  if (revision.find('/') == std::string::npos && is_folder(snapshots / revision)) {
    return snapshots / revision;  // a full commit
  }
  const auto commit = io::read_text(repository / "refs" / revision, kRefLimitBytes);
  if (!commit) return fail(commit.error());
  std::string name = *commit;
  while (!name.empty() && (name.back() == '\n' || name.back() == ' ')) name.pop_back();
  if (is_name_part(name) && is_folder(snapshots / name)) return snapshots / name;
  return fail(ErrorCode::kNotFound, (snapshots / name).string() + " is not there");
}

tl::unexpected<Error> not_found(const recipe::ModelReference& reference,
                                const std::string& revision, const fs::path& cache,
                                const std::string& why) {
  return fail(ErrorCode::kNotFound,
              reference.path + " is not a folder here and not in the local Hugging Face cache " +
                  cache.string() + " at revision " + revision +
                  (why.empty() ? "" : " (" + why + ")") + "; download it with: hf download " +
                  reference.path +
                  (reference.revision.empty() ? "" : " --revision " + reference.revision));
}

}  // namespace

fs::path hub_cache_folder() {
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return fs::path(cache) / "huggingface" / "hub";
  }
  const std::string home = variable("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "huggingface" / "hub";
}

ModelResolver with_hub_cache(ModelResolver local, fs::path cache) {
  return [local = std::move(local),
          cache = std::move(cache)](const recipe::ModelReference& reference) -> Result<fs::path> {
    auto found = local(reference);
    if (found || found.error().code != ErrorCode::kNotFound) return found;
    if (cache.empty() || !is_hub_name(reference.path)) return found;
    const std::string revision = reference.revision.empty() ? "main" : reference.revision;
    if (!is_revision(revision)) {
      return fail(ErrorCode::kInvalidArgument,
                  reference.path + ": \"" + revision + "\" is not a branch, tag or commit");
    }
    const fs::path repository = cache / repository_folder(reference.path);
    if (!is_folder(repository)) return not_found(reference, revision, cache, "");
    auto snapshot = find_snapshot(repository, revision);
    if (!snapshot) {
      return not_found(reference, revision, cache, "another revision of it is there");
    }
    return snapshot;
  };
}

ModelResolver resolve_locally(std::vector<fs::path> folders) {
  return with_hub_cache(resolve_beneath(std::move(folders)), hub_cache_folder());
}

}  // namespace crucible::plan
