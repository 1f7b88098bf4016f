#include "evaluator/endpoint/response_cache.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "merger/base/json_text.hpp"

namespace crucible::endpoint {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::size_t kBlock = 1 << 20;
constexpr std::uint64_t kLongestLine = 512ULL << 20;
constexpr unsigned kMostFiles = 100'000;
constexpr std::uint64_t kNoteLimit = 1 << 20;
constexpr double kSameModel = 0.02;  // above what half precision and batching do
constexpr std::string_view kPrefix = "answers-";
constexpr std::string_view kKeyStart = "{\"key\":\"";

std::string line_of(const Digest& key, std::string_view body) {
  std::string line(kKeyStart);
  line += key.hex();
  line += "\",\"body\":";
  line += Json(body).dump(-1, ' ', false, Json::error_handler_t::replace);
  line += "}\n";
  return line;
}

// The key of a line without parsing its body; nullopt for a line of another form.
std::optional<std::string> key_of(std::string_view line) {
  if (!line.starts_with(kKeyStart) || !line.ends_with('}')) return std::nullopt;
  const std::string_view hex = line.substr(kKeyStart.size(), 64);
  if (!Digest::from_hex(hex)) return std::nullopt;
  return std::string(hex);
}

// Of two notes on models.
bool same_model(const Json& kept, const Json& wanted) {
  if (!kept.is_object() || !kept.contains("logprobs") || !kept["logprobs"].is_array() ||
      kept.value("endpoint", Json()) != wanted["endpoint"] ||
      kept.value("model", Json()) != wanted["model"]) {
    return false;
  }
  const Json& a = kept["logprobs"];
  const Json& b = wanted["logprobs"];
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Json& x, const Json& y) {
    return x.is_number() && std::abs(x.get<double>() - y.get<double>()) <= kSameModel;
  });
}

}  // namespace

ResponseCache::ResponseCache(ResponseCache&& other) noexcept
    : folder_(std::move(other.folder_)),
      places_(std::move(other.places_)),
      in_memory_(std::move(other.in_memory_)),
      files_(std::move(other.files_)),
      own_(other.own_),
      end_(other.end_) {}

Result<ResponseCache> ResponseCache::open(const fs::path& folder) {
  ResponseCache cache;
  cache.folder_ = folder;
  if (folder.empty()) return cache;
  if (auto made = io::make_folders(folder); !made) return fail(std::move(made.error()));
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(".jsonl")) found.push_back(entry.path());
  }
  if (error) return fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  std::sort(found.begin(), found.end());
  for (const fs::path& path : found) {
    if (auto read = cache.read_file(path); !read) return fail(std::move(read.error()));
  }
  return cache;
}

Status ResponseCache::read_file(const fs::path& path) {
  auto file = io::File::open_read(path);
  if (!file) return fail(std::move(file.error()));
  const auto size = file->size();
  if (!size) return fail(size.error());
  std::string rest;              // of a line that goes on
  std::uint64_t line_start = 0;  // its offset
  std::vector<char> block(kBlock);
  for (std::uint64_t offset = 0; offset < *size;) {
    const auto take = std::min<std::uint64_t>(kBlock, *size - offset);
    if (auto read = file->pread(std::as_writable_bytes(std::span(block.data(), take)), offset);
        !read) {
      return read;
    }
    offset += take;
    rest.append(block.data(), take);
    std::size_t start = 0;
    for (std::size_t end = rest.find('\n'); end != std::string::npos;
         end = rest.find('\n', start)) {
      const auto key = key_of(std::string_view(rest).substr(start, end - start));
      if (!key) {
        return fail(ErrorCode::kCorrupt, path.string() + ": at byte " + std::to_string(line_start) +
                                             " stands no kept answer; remove the file");
      }
      places_[*key] = {files_.size(), line_start, end - start};
      line_start += end - start + 1;
      start = end + 1;
    }
    rest.erase(0, start);
    if (rest.size() > kLongestLine) {
      return fail(ErrorCode::kCorrupt, path.string() + ": a line is too long; remove the file");
    }
  }
  files_.push_back(std::move(*file));
  return {};
}

Status ResponseCache::create_file() {
  for (unsigned number = 1; number < kMostFiles; ++number) {
    std::string digits = std::to_string(number);
    digits.insert(0, 6 - std::min<std::size_t>(6, digits.size()), '0');
    const fs::path path = folder_ / (std::string(kPrefix) + digits + ".jsonl");
    std::error_code ignored;
    if (fs::exists(path, ignored)) continue;
    auto file = io::File::create(path);
    if (!file && file.error().code == ErrorCode::kConflict)
      continue;  // another process was quicker
    if (!file) return fail(std::move(file.error()));
    own_ = files_.size();
    files_.push_back(std::move(*file));
    return {};
  }
  return fail(ErrorCode::kNoSpace, folder_.string() + " holds too many files; clear it");
}

Result<std::string> ResponseCache::space(const std::string& endpoint, const std::string& model,
                                         const std::vector<double>& logprobs) {
  const std::string name = endpoint + " " + model;
  if (folder_.empty() || logprobs.empty()) return name;
  const Json wanted = {{"endpoint", endpoint}, {"model", model}, {"logprobs", logprobs}};
  for (unsigned number = 1; number < kMostFiles; ++number) {
    const fs::path path = folder_ / ("model-" + std::to_string(number) + ".json");
    const auto text = io::read_text(path, kNoteLimit);
    if (!text && text.error().code == ErrorCode::kNotFound) {
      auto written = io::write_new_file(path, wanted.dump() + "\n");
      if (!written) return fail(std::move(written.error()));
    } else if (!text) {
      return fail(text.error());
    } else if (!same_model(parse_untrusted_json<Json>(*text), wanted)) {
      continue;
    }
    return name + " " + std::to_string(number);
  }
  return fail(ErrorCode::kNoSpace, folder_.string() + " holds too many files; clear it");
}

Digest ResponseCache::key(std::string_view space, std::string_view path, std::string_view body) {
  Sha256 hash;
  hash.field("crucible endpoint answer 1").field(space).field(path).field(body);
  return hash.finish();
}

std::optional<std::string> ResponseCache::find(const Digest& key) const {
  const std::string hex = key.hex();
  const std::lock_guard lock(mutex_);
  if (folder_.empty()) {
    const auto found = in_memory_.find(hex);
    return found == in_memory_.end() ? std::nullopt : std::optional(found->second);
  }
  const auto found = places_.find(hex);
  if (found == places_.end()) return std::nullopt;
  std::string line(found->second.size, '\0');
  const io::File& file = files_[found->second.file];
  if (!file.pread(std::as_writable_bytes(std::span(line)), found->second.offset)) {
    return std::nullopt;
  }
  const Json json = parse_untrusted_json<Json>(line);
  if (!json.is_object() || !json.contains("body") || !json["body"].is_string()) return std::nullopt;
  return json["body"].get<std::string>();
}

Status ResponseCache::store(const Digest& key, std::string_view body) {
  const std::string hex = key.hex();
  const std::lock_guard lock(mutex_);
  if (folder_.empty()) {
    in_memory_[hex] = body;
    return {};
  }
  if (!own_) {
    if (auto made = create_file(); !made) return made;
  }
  const std::string line = line_of(key, body);
  if (auto written = files_[*own_].pwrite(std::as_bytes(std::span(line)), end_); !written) {
    return written;
  }
  places_[hex] = {*own_, end_, line.size() - 1};
  end_ += line.size();
  return {};
}

}  // namespace crucible::endpoint
