#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merger/base/error.hpp"

// The only door to files. Syscalls goes straight to the system in production; tests hand in a fake
// that fails the n-th call. Everything above works on descriptors and whole-operation functions, so
// EINTR and short writes are handled in one place.
namespace crucible::io {

// One method per system call, same arguments and errno convention (-1 and errno on failure).
// Thread-safe.
class Syscalls {
 public:
  virtual ~Syscalls() = default;
  virtual int open(const char* path, int flags, unsigned mode);
  virtual int close(int fd);
  virtual std::ptrdiff_t pread(int fd, void* data, std::size_t size, std::int64_t offset);
  virtual std::ptrdiff_t pwrite(int fd, const void* data, std::size_t size, std::int64_t offset);
  virtual int fsync(int fd);
  // Asks for the pages of a range to be written out soon; does not wait for them.
  virtual int start_writeback(int fd, std::int64_t offset, std::int64_t size);
  virtual int fallocate(int fd, std::int64_t size);  // posix_fallocate from 0; errno set
  virtual int ftruncate(int fd, std::int64_t size);
  virtual int rename_noreplace(const char* from, const char* to);  // renameat2 RENAME_NOREPLACE
  virtual int rename(const char* from, const char* to);
  virtual int mkdir(const char* path, unsigned mode);
  virtual int unlink(const char* path);
};

Syscalls& system();  // stateless

// An owned descriptor. Move-only. Reads and writes of one File from several threads are safe as
// long as their ranges do not overlap; close and sync are the owner's.
class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  // Read-only; must be a regular file (no FIFO, device or folder; never blocks on one).
  static Result<File> open_read(const std::filesystem::path& path, Syscalls& calls = system());
  // Creates a new file, read and write; fails when it exists.
  static Result<File> create(const std::filesystem::path& path, Syscalls& calls = system());
  // An existing regular file, read and write.
  static Result<File> open_write(const std::filesystem::path& path, Syscalls& calls = system());

  const std::filesystem::path& path() const { return path_; }
  Result<std::uint64_t> size() const;
  // Reads exactly data.size() bytes; a short read is kCorrupt ("file ends early").
  Status pread(std::span<std::byte> data, std::uint64_t offset) const;
  Status pwrite(std::span<const std::byte> data, std::uint64_t offset);
  Status truncate(std::uint64_t size);
  Status reserve(std::uint64_t size);  // space for `size` bytes, or kNoSpace
  // Has the system begin to write a range out, so that a later sync finds less to do. A hint: where
  // it fails, sync reports what matters.
  void start_writeback(std::uint64_t offset, std::uint64_t size);
  void touch();  // its times are now; a hint
  // A failed sync is final: the file must be thrown away (the kernel may have dropped the pages).
  Status sync();
  Status close();  // reports what the destructor would swallow

 private:
  static Result<File> open(const std::filesystem::path& path, int flags, Syscalls& calls);
  File(int fd, std::filesystem::path path, Syscalls& calls)
      : fd_(fd), path_(std::move(path)), calls_(&calls) {}
  int fd_ = -1;
  std::filesystem::path path_;
  Syscalls* calls_ = nullptr;
};

// Whole small files. `limit_bytes` bounds what an untrusted file can cost.
Result<std::string> read_text(const std::filesystem::path& path, std::uint64_t limit_bytes,
                              Syscalls& calls = system());
// Creates `path` with `text`, fsynced; fails when it exists.
Status write_new_file(const std::filesystem::path& path, std::string_view text,
                      Syscalls& calls = system());
// Writes beside `path`, fsyncs, renames over it, fsyncs the folder: readers see old or new, whole.
Status replace_file(const std::filesystem::path& path, std::string_view text,
                    Syscalls& calls = system());
// Makes a rename or a create in `folder` durable.
Status sync_folder(const std::filesystem::path& folder, Syscalls& calls = system());
Status make_folder(const std::filesystem::path& folder,
                   Syscalls& calls = system());            // one level, must be new
Status make_folders(const std::filesystem::path& folder);  // like mkdir -p
// Publishes a folder: kConflict when `to` exists; fsyncs both parents, and undoes it if that fails.
Status publish_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                      Syscalls& calls = system());
// Bytes free to this user on the file system of `path` (its nearest existing parent).
Result<std::uint64_t> free_bytes(const std::filesystem::path& path);

}  // namespace crucible::io
