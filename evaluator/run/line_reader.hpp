#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "merger/base/io.hpp"

namespace crucible::run {

// The lines of a text file one by one, with bounded memory. A line longer than `longest` is
// kCorrupt. Not thread-safe.
class LineReader {
 public:
  static constexpr std::size_t kLongest = 16U << 20;

  static Result<LineReader> open(const std::filesystem::path& path, std::size_t longest = kLongest);
  // Without its newline; nullopt at the end.
  Result<std::optional<std::string>> next();
  std::uint64_t number() const { return number_; }  // of the line given last, from 1

 private:
  LineReader(io::File file, std::uint64_t size, std::size_t longest)
      : file_(std::move(file)), size_(size), longest_(longest) {}
  Status fill();

  io::File file_;
  std::uint64_t size_ = 0;
  std::uint64_t read_ = 0;
  std::size_t longest_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace crucible::run
