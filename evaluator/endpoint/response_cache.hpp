#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "merger/base/digest.hpp"
#include "merger/base/error.hpp"
#include "merger/base/io.hpp"

// Answers of an endpoint that were paid for once, kept in a folder so that an evaluation that was
// interrupted does not pay again.
//
// A name does not say which weights a server has today. `space` therefore tells models apart by the
// log-probabilities of one known prompt.
//
// Format: files `model-<n>.json`, {"endpoint", "model", "logprobs": […]}, and files
// `answers-<n>.jsonl`, one JSON object a line: {"key": 64 hex digits, "body": text}.
// A process writes only to a file that it created itself and reads all. A last line that is torn
// counts for nothing.
namespace crucible::endpoint {

class ResponseCache {
 public:
  // Makes the folder. Without a folder the cache lives in memory only. kIo, kPermission, kNoSpace;
  // a file that is no such journal is kCorrupt.
  static Result<ResponseCache> open(const std::filesystem::path& folder);

  ResponseCache(ResponseCache&& other) noexcept;

  // A name for the model behind an endpoint: the same as before when its log-probabilities are
  // within 0.02 of those noted then, else a new one. Without a folder, or log-probabilities, the
  // name of endpoint and model is all there is.
  Result<std::string> space(const std::string& endpoint, const std::string& model,
                            const std::vector<double>& logprobs);

  // Identity of a question: who is asked, where, what.
  static Digest key(std::string_view space, std::string_view path, std::string_view body);

  // Thread-safe.
  std::optional<std::string> find(const Digest& key) const;
  Status store(const Digest& key, std::string_view body);

 private:
  ResponseCache() = default;
  // Where a body lies: in memory, or in a file at an offset.
  struct Place {
    std::size_t file = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  Status read_file(const std::filesystem::path& path);
  Status create_file();

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Place> places_;           // by hex key
  std::unordered_map<std::string, std::string> in_memory_;  // without a folder
  std::vector<io::File> files_;
  std::optional<std::size_t> own_;  // index of the file that this process writes
  std::uint64_t end_ = 0;
};

}  // namespace crucible::endpoint
