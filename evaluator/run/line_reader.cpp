#include "evaluator/run/line_reader.hpp"

#include <algorithm>
#include <span>

namespace crucible::run {
namespace {

constexpr std::size_t kPiece = 1U << 20;

}  // namespace

Result<LineReader> LineReader::open(const std::filesystem::path& path, std::size_t longest) {
  auto file = io::File::open_read(path);
  if (!file) return fail(std::move(file.error()));
  const auto size = file->size();
  if (!size) return fail(size.error());
  return LineReader(std::move(*file), *size, longest);
}

Status LineReader::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, size_ - read_));
  const std::size_t old = buffer_.size();
  buffer_.resize(old + count);
  auto status = file_.pread(std::as_writable_bytes(std::span(buffer_)).subspan(old, count), read_);
  read_ += count;
  return status;
}

Result<std::optional<std::string>> LineReader::next() {
  std::size_t searched = begin_;
  while (true) {
    const std::size_t end = buffer_.find('\n', searched);
    const bool last = read_ == size_;
    if (end != std::string::npos || (last && begin_ < buffer_.size())) {
      const std::size_t stop = std::min(end, buffer_.size());
      std::string line = buffer_.substr(begin_, stop - begin_);
      begin_ = std::min(stop + 1, buffer_.size());
      ++number_;
      return std::optional(std::move(line));
    }
    if (last) return std::optional<std::string>();
    if (buffer_.size() - begin_ > longest_) {
      return fail(ErrorCode::kCorrupt, file_.path().string() + ": line " +
                                           std::to_string(number_ + 1) + " is longer than " +
                                           std::to_string(longest_) + " bytes");
    }
    searched = buffer_.size() - begin_;  // where it will lie after the move
    if (auto status = fill(); !status) return fail(std::move(status.error()));
  }
}

}  // namespace crucible::run
