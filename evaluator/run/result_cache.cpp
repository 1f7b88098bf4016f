#include "evaluator/run/result_cache.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace crucible::run {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "crucible.result1";  // 16 bytes
constexpr std::uint32_t kMagic = 0x4652'4331U;
constexpr std::size_t kChecksumBytes = 16;
constexpr std::size_t kFrameBytes = 4 + 4 + Digest::kBytes + kChecksumBytes;
constexpr std::uint32_t kLargestPayload = 256U << 20;
constexpr int kMostWriters = 64;
constexpr std::string_view kSuffix = ".answers";

using FrameHead = std::array<std::byte, kFrameBytes>;

fs::path file_of(const fs::path& folder, const Digest& model, int number) {
  return folder / (model.hex() + "-" + std::to_string(number) + std::string(kSuffix));
}

std::array<std::byte, kChecksumBytes> checksum(const Digest& key, std::string_view payload) {
  Sha256 hash;
  hash.update(std::as_bytes(key.bytes())).update(payload);
  const Digest digest = hash.finish();
  std::array<std::byte, kChecksumBytes> out{};
  std::memcpy(out.data(), digest.bytes().data(), out.size());
  return out;
}

FrameHead head_of(const Digest& key, std::string_view payload) {
  FrameHead head{};
  const auto size = static_cast<std::uint32_t>(payload.size());
  const auto sum = checksum(key, payload);
  std::memcpy(head.data(), &kMagic, 4);
  std::memcpy(head.data() + 4, &size, 4);
  std::memcpy(head.data() + 8, key.bytes().data(), Digest::kBytes);
  std::memcpy(head.data() + 8 + Digest::kBytes, sum.data(), sum.size());
  return head;
}

// Payload bytes; nullopt where no frame begins.
std::optional<std::uint32_t> payload_size(const FrameHead& head) {
  std::uint32_t magic = 0;
  std::uint32_t size = 0;
  std::memcpy(&magic, head.data(), 4);
  std::memcpy(&size, head.data() + 4, 4);
  if (magic != kMagic || size > kLargestPayload) return std::nullopt;
  return size;
}

Digest key_of(const FrameHead& head) {
  std::array<std::uint8_t, Digest::kBytes> bytes{};
  std::memcpy(bytes.data(), head.data() + 8, bytes.size());
  return Digest(bytes);
}

// The payload of the frame at `offset`; nullopt where its checksum does not hold.
std::optional<std::string> read_frame(const io::File& file, std::uint64_t offset) {
  FrameHead head{};
  if (!file.pread(head, offset)) return std::nullopt;
  const auto size = payload_size(head);
  if (!size) return std::nullopt;
  std::string payload(*size, '\0');
  if (!file.pread(std::as_writable_bytes(std::span(payload)), offset + kFrameBytes)) {
    return std::nullopt;
  }
  const auto sum = checksum(key_of(head), payload);
  if (!std::equal(sum.begin(), sum.end(), head.begin() + 8 + Digest::kBytes)) return std::nullopt;
  return payload;
}

}  // namespace

ResultCache::Lock::~Lock() {
  if (fd_ >= 0) ::close(fd_);
}

ResultCache::Lock ResultCache::Lock::take(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return {};
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return Lock(fd);
  ::close(fd);
  return {};
}

Result<ResultCache> ResultCache::open(const fs::path& folder, const Digest& model,
                                      std::uint64_t limit_bytes) {
  if (auto made = io::make_folders(folder); !made) return fail(std::move(made.error()));
  ResultCache cache(folder, limit_bytes);
  if (auto status = cache.open_own(model); !status) return fail(std::move(status.error()));
  if (auto status = cache.open_others(model); !status) return fail(std::move(status.error()));
  return cache;
}

Status ResultCache::open_own(const Digest& model) {
  for (int number = 0; number < kMostWriters; ++number) {
    const fs::path path = file_of(folder_, model, number);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) {
      if (auto made = io::File::create(path);
          !made && made.error().code != ErrorCode::kConflict && !fs::exists(path, ignored)) {
        return fail(std::move(made.error()));
      }
    }
    lock_ = Lock::take(path);
    if (!lock_.held()) continue;
    auto file = io::File::open_write(path);
    if (!file) return fail(std::move(file.error()));
    files_.push_back(std::move(*file));
    auto end = index(0);
    if (!end) return fail(std::move(end.error()));
    end_ = *end;
    files_.front().touch();  // used now
    return end_ == 0 ? start_anew() : files_.front().truncate(end_);
  }
  return fail(ErrorCode::kConflict, "too many evaluations of this model write to " +
                                        folder_.string() + "; use another cache folder");
}

Status ResultCache::open_others(const Digest& model) {
  for (int number = 0; number < kMostWriters; ++number) {
    const fs::path path = file_of(folder_, model, number);
    if (path == files_.front().path()) continue;
    auto file = io::File::open_read(path);
    if (!file) continue;  // mostly: there is none
    files_.push_back(std::move(*file));
    if (auto end = index(files_.size() - 1); !end) files_.pop_back();
  }
  return {};
}

Result<std::uint64_t> ResultCache::index(std::size_t number) {
  const io::File& file = files_[number];
  const auto size = file.size();
  if (!size) return fail(size.error());
  std::array<std::byte, kHeader.size()> header{};
  if (*size < header.size() || !file.pread(header, 0) ||
      std::memcmp(header.data(), kHeader.data(), header.size()) != 0) {
    return std::uint64_t{0};
  }
  std::uint64_t end = header.size();
  std::optional<std::uint64_t> last;
  FrameHead head{};
  while (end + kFrameBytes <= *size && file.pread(head, end)) {
    const auto payload = payload_size(head);
    if (!payload || end + kFrameBytes + *payload > *size) break;
    places_[key_of(head)] = {number, end};
    last = end;
    end += kFrameBytes + *payload;
  }
  // Only the last frame can be torn: those before it were synced.
  if (last && !read_frame(file, *last)) end = *last;
  return end;
}

Status ResultCache::start_anew() {
  std::erase_if(places_, [](const auto& entry) { return entry.second.file == 0; });
  io::File& file = files_.front();
  if (auto status = file.truncate(0); !status) return status;
  if (auto status = file.pwrite(std::as_bytes(std::span(kHeader)), 0); !status) return status;
  end_ = kHeader.size();
  return file.sync();
}

std::optional<std::string> ResultCache::find(const Digest& key) const {
  const auto found = places_.find(key);
  if (found == places_.end()) return std::nullopt;
  auto payload = read_frame(files_[found->second.file], found->second.offset);
  return payload;
}

Status ResultCache::make_room(std::uint64_t bytes) {
  struct Candidate {
    fs::file_time_type used;
    std::uint64_t size = 0;
    fs::path path;
  };
  std::vector<Candidate> candidates;
  std::uint64_t total = bytes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    std::error_code gone;
    if (entry.path().extension() != kSuffix || !entry.is_regular_file(gone)) continue;
    const std::uint64_t size = entry.file_size(gone);
    if (gone) continue;
    total += size;
    if (entry.path().filename() != files_.front().path().filename()) {
      candidates.push_back({entry.last_write_time(gone), size, entry.path()});
    }
  }
  std::ranges::sort(candidates, {}, &Candidate::used);
  for (const Candidate& candidate : candidates) {
    if (total <= limit_bytes_) return {};
    const Lock lock = Lock::take(candidate.path);
    if (!lock.held()) continue;
    if (fs::remove(candidate.path, error)) total -= candidate.size;
  }
  return total > limit_bytes_ && end_ > kHeader.size() ? start_anew() : Status{};
}

Status ResultCache::add(const Digest& key, std::string_view payload) {
  if (payload.size() > kLargestPayload) {
    return fail(ErrorCode::kUnsupported, "a segment's answers are larger than the cache holds");
  }
  if (auto room = make_room(kFrameBytes + payload.size()); !room) return room;
  const FrameHead head = head_of(key, payload);
  std::string frame(reinterpret_cast<const char*>(head.data()), head.size());
  frame += payload;
  io::File& file = files_.front();
  if (auto status = file.pwrite(std::as_bytes(std::span(frame)), end_); !status) {
    (void)file.truncate(end_);  // what does not hold is cut when the file is next opened
    return status;
  }
  if (auto status = file.sync(); !status) return status;
  places_[key] = {0, end_};
  end_ += frame.size();
  return {};
}

}  // namespace crucible::run
