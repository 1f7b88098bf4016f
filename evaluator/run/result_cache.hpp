#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/io.hpp"

// Answers of a model that were computed once, kept in a folder so that an evaluation which was
// interrupted goes on where it stopped, and one that was run before costs nothing.
//
// Files `<model digest>-<n>.answers`: 16 bytes of header, then frames, each {magic u32, payload
// length u32, key 32 bytes, first 16 bytes of SHA-256 over key and payload, payload}, synced one by
// one. What a kill left torn at the end is cut; a frame whose checksum does not hold is not used.
// A process writes to the first file of its model that no other has locked, and reads all of them.
//
// Size: before a frame is added, whole files go, longest unused first, until the folder holds at
// most `limit_bytes`; locked ones stay. When this model's own file must go too, it starts anew.
namespace crucible::run {

class ResultCache {
 public:
  static constexpr std::uint64_t kLimitBytes = 1ULL << 30;

  // Makes the folder. kIo, kPermission, kNoSpace; kConflict when 64 others write for this model.
  static Result<ResultCache> open(const std::filesystem::path& folder, const Digest& model,
                                  std::uint64_t limit_bytes = kLimitBytes);
  ResultCache(ResultCache&&) noexcept = default;
  ResultCache& operator=(ResultCache&&) noexcept = default;

  // nullopt: not there, or damaged.
  std::optional<std::string> find(const Digest& key) const;
  // Durable when it returns.
  Status add(const Digest& key, std::string_view payload);

 private:
  // Owns the lock of a file for as long as it lives.
  class Lock {
   public:
    Lock() = default;
    explicit Lock(int fd) : fd_(fd) {}
    ~Lock();
    Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Lock& operator=(Lock&& other) noexcept {
      std::swap(fd_, other.fd_);
      return *this;
    }
    bool held() const { return fd_ >= 0; }
    // Takes the lock of a file that exists, without waiting.
    static Lock take(const std::filesystem::path& path);

   private:
    int fd_ = -1;
  };
  struct Place {
    std::size_t file = 0;
    std::uint64_t offset = 0;  // of the frame
  };

  ResultCache(std::filesystem::path folder, std::uint64_t limit_bytes)
      : folder_(std::move(folder)), limit_bytes_(limit_bytes) {}
  Status open_own(const Digest& model);
  Status open_others(const Digest& model);
  // Notes the frames of a file and gives the offset where the last whole one ends.
  Result<std::uint64_t> index(std::size_t file);
  Status start_anew();
  Status make_room(std::uint64_t bytes);

  std::filesystem::path folder_;
  std::uint64_t limit_bytes_ = 0;
  std::vector<io::File> files_;  // the first one is ours
  Lock lock_;
  std::uint64_t end_ = 0;  // of our file
  std::map<Digest, Place> places_;
};

}  // namespace crucible::run
