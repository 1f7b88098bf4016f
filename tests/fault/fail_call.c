// Fails the n-th call of a family of system calls on files below given folders; for LD_PRELOAD.
//
// FAIL_CALL_CONTROL  file that holds struct Control, shared by the script and all processes
// FAIL_CALL_JOURNAL  file that gets a line for each counted call (see note())
// FAIL_CALL_BELOW    folders with ':' between them; calls on anything else are not counted
//
// A program whose first argument is "work" is a worker, any other is the daemon; they are counted
// apart. The daemon clears its workers' environment, so execve puts these variables back. Calls
// that the C library makes inside (stdio, closedir) are not seen. Linux on x86-64 and AArch64.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum Family { kWrite, kSync, kRename, kOpen, kClose, kReserve, kMakeFolder, kRemove, kFamilies };
enum { kDaemon, kWorker, kRoles };

// Not an errno: half of the bytes are written, as a disk that fills up or a signal may cause.
enum { kShortWrite = 1000 };
enum { kFirstDescriptor = 900, kNeedleBytes = 256 };

// All fields of 8 bytes: the script reads and writes it by offset.
struct Control {
  atomic_ullong sequence;
  atomic_ullong counts[kRoles][kFamilies];
  atomic_ullong role;      // of the calls that fail
  atomic_ullong trigger;   // family whose `first`-th call begins the fault
  atomic_ullong first;     // counted from 1; 0 = no fault
  atomic_ullong families;  // bit set of those that fail from then on
  atomic_ullong error;     // errno, or kShortWrite
  atomic_ullong most;      // calls to fail
  atomic_ullong armed;     // set by the first failure
  atomic_ullong hits;
  char needles[2][kNeedleBytes];  // a write that holds one is marked in the journal
};

static struct Control* control;
static int journal = -1;
static int role = kDaemon;
static const char* below = "";
static char variables[4][PATH_MAX + 64];

// What a call is about.
struct Subject {
  char path[PATH_MAX];
  char other[PATH_MAX];     // new name of a rename
  unsigned long long file;  // inode, 0 = unknown
};

#define REAL(name) ((__typeof__(&name))real(&name##_pointer, #name))
#define DECLARE(name) static void* name##_pointer

DECLARE(write);
DECLARE(writev);
DECLARE(pwrite);
DECLARE(fsync);
DECLARE(fdatasync);
DECLARE(sync_file_range);
DECLARE(rename);
DECLARE(renameat);
DECLARE(renameat2);
DECLARE(openat);
DECLARE(close);
DECLARE(fallocate);
DECLARE(posix_fallocate);
DECLARE(ftruncate);
DECLARE(mkdir);
DECLARE(unlink);
DECLARE(unlinkat);
DECLARE(rmdir);
DECLARE(syscall);
DECLARE(execve);

static void* real(void** pointer, const char* name) {
  if (*pointer == NULL) *pointer = dlsym(RTLD_NEXT, name);
  return *pointer;
}

static bool is_counted(const char* path) {
  if (control == NULL) return false;
  for (const char* folder = below; *folder != '\0';) {
    const size_t size = strcspn(folder, ":");
    if (size > 0 && strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0')) {
      return true;
    }
    folder += size + (folder[size] == ':');
  }
  return false;
}

static bool subject_of_fd(int fd, struct Subject* subject) {
  if (control == NULL) return false;
  const int before = errno;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, subject->path, sizeof subject->path - 1);
  subject->path[size > 0 ? size : 0] = '\0';
  subject->other[0] = '\0';
  struct stat facts;
  subject->file = fstat(fd, &facts) == 0 ? facts.st_ino : 0;
  errno = before;
  return is_counted(subject->path);
}

static void absolute(int folder, const char* path, char* into) {
  char base[PATH_MAX / 2] = "";
  if (path[0] != '/') {
    char link[64] = "/proc/self/cwd";
    if (folder != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    const ssize_t size = readlink(link, base, sizeof base - 1);
    base[size > 0 ? size : 0] = '\0';
  }
  if (strcmp(path, ".") == 0) path = "";
  snprintf(into, PATH_MAX, "%.*s%s%.*s", PATH_MAX / 2, base, *base && *path ? "/" : "",
           PATH_MAX / 2 - 2, path);
}

static unsigned long long inode_of(const char* path) {
  struct stat facts;
  return lstat(path, &facts) == 0 ? facts.st_ino : 0;
}

static bool subject_of_path(int folder, const char* path, struct Subject* subject) {
  if (control == NULL || path == NULL) return false;
  const int before = errno;
  absolute(folder, path, subject->path);
  subject->other[0] = '\0';
  subject->file = inode_of(subject->path);
  errno = before;
  return is_counted(subject->path);
}

// Counts the call; the error that it must fail with, 0 = none.
static int fault_of(enum Family family) {
  const unsigned long long count = atomic_fetch_add(&control->counts[role][family], 1) + 1;
  if (atomic_load(&control->role) != (unsigned long long)role) return 0;
  if (atomic_load(&control->trigger) == family && atomic_load(&control->first) == count) {
    atomic_store(&control->armed, 1);
  }
  if (!atomic_load(&control->armed) || !(atomic_load(&control->families) >> family & 1U)) return 0;
  if (atomic_fetch_add(&control->hits, 1) >= atomic_load(&control->most)) {
    atomic_fetch_sub(&control->hits, 1);
    return 0;
  }
  return (int)atomic_load(&control->error);
}

// One line: sequence, role, operation, errno or 0, "!" where it was made to fail, inode, inode of
// the folder, path, new path; tabs between. `error` is the call's own.
static void note(const char* operation, int error, bool injected, const struct Subject* subject) {
  const int before = errno;
  char folder[PATH_MAX];
  snprintf(folder, sizeof folder, "%s", subject->path);
  char* slash = strrchr(folder, '/');
  if (slash != NULL) *slash = '\0';
  char line[2 * PATH_MAX + 128];
  const int size =
      snprintf(line, sizeof line, "%llu\t%d\t%s\t%d\t%s\t%llu\t%llu\t%s\t%s\n",
               (unsigned long long)atomic_fetch_add(&control->sequence, 1), role, operation, error,
               injected ? "!" : "", subject->file, inode_of(folder), subject->path, subject->other);
  if (journal >= 0 && REAL(write)(journal, line, (size_t)size) < 0) abort();
  errno = before;
}

// Runs `call` unless it must fail, and notes what became of it.
#define COUNTED(operation, family, subject, call)                   \
  ({                                                                \
    const int fault_ = fault_of(family);                            \
    __typeof__(call) result_ = -1;                                  \
    if (fault_ != 0) {                                              \
      errno = fault_;                                               \
    } else {                                                        \
      result_ = (call);                                             \
    }                                                               \
    note(operation, result_ < 0 ? errno : 0, fault_ != 0, subject); \
    result_;                                                        \
  })

// A write's name in the journal, with the numbers of the needles in it.
static const char* written(const void* data, size_t size) {
  static const char* const kNames[] = {"write", "write 0", "write 1", "write 0 1"};
  unsigned found = 0;
  for (unsigned i = 0; i < 2; ++i) {
    const char* needle = control->needles[i];
    if (*needle == '\0' || memmem(data, size, needle, strlen(needle)) == NULL) continue;
    found |= 1U << i;
  }
  return kNames[found];
}

// Writes go through here: one that is cut short is done in part.
static ssize_t write_counted(int fd, const void* data, size_t size, const off_t* offset,
                             const struct Subject* subject) {
  int fault = fault_of(kWrite);
  const bool injected = fault != 0;
  if (fault == kShortWrite) {
    size = size > 1 ? size / 2 : size;
    fault = 0;
  }
  ssize_t result = -1;
  if (fault != 0) {
    errno = fault;
  } else if (offset != NULL) {
    result = REAL(pwrite)(fd, data, size, *offset);
  } else {
    result = REAL(write)(fd, data, size);
  }
  note(written(data, size), result < 0 ? errno : 0, injected, subject);
  return result;
}

ssize_t write(int fd, const void* data, size_t size) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(write)(fd, data, size);
  return write_counted(fd, data, size, NULL, &subject);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(pwrite)(fd, data, size, offset);
  return write_counted(fd, data, size, &offset, &subject);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off_t offset)
    __attribute__((alias("pwrite")));

ssize_t writev(int fd, const struct iovec* parts, int count) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(writev)(fd, parts, count);
  return COUNTED("write", kWrite, &subject, REAL(writev)(fd, parts, count));
}

int fsync(int fd) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(fsync)(fd);
  return COUNTED("sync", kSync, &subject, REAL(fsync)(fd));
}

int fdatasync(int fd) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(fdatasync)(fd);
  return COUNTED("sync", kSync, &subject, REAL(fdatasync)(fd));
}

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(sync_file_range)(fd, offset, size, flags);
  return COUNTED("sync range", kSync, &subject, REAL(sync_file_range)(fd, offset, size, flags));
}

static bool subject_of_rename(int from_folder, const char* from, int to_folder, const char* to,
                              struct Subject* subject) {
  if (!subject_of_path(from_folder, from, subject)) return false;
  absolute(to_folder, to, subject->other);
  return true;
}

int rename(const char* from, const char* to) {
  struct Subject subject;
  if (!subject_of_rename(AT_FDCWD, from, AT_FDCWD, to, &subject)) return REAL(rename)(from, to);
  return COUNTED("rename", kRename, &subject, REAL(rename)(from, to));
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) {
  struct Subject subject;
  if (!subject_of_rename(from_folder, from, to_folder, to, &subject)) {
    return REAL(renameat)(from_folder, from, to_folder, to);
  }
  return COUNTED("rename", kRename, &subject, REAL(renameat)(from_folder, from, to_folder, to));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  struct Subject subject;
  if (!subject_of_rename(from_folder, from, to_folder, to, &subject)) {
    return REAL(renameat2)(from_folder, from, to_folder, to, flags);
  }
  return COUNTED("rename", kRename, &subject,
                 REAL(renameat2)(from_folder, from, to_folder, to, flags));
}

// Passes a new file's descriptor on, and notes its inode.
static int now_known(int fd, struct Subject* subject) {
  struct stat facts;
  if (fd >= 0 && fstat(fd, &facts) == 0) subject->file = facts.st_ino;
  return fd;
}

static int open_counted(int folder, const char* path, int flags, mode_t mode) {
  struct Subject subject;
  if (!subject_of_path(folder, path, &subject)) return REAL(openat)(folder, path, flags, mode);
  const char* operation = (flags & O_CREAT) != 0 && subject.file == 0 ? "create" : "open";
  return COUNTED(operation, kOpen, &subject,
                 now_known(REAL(openat)(folder, path, flags, mode), &subject));
}

static mode_t mode_in(int flags, va_list rest) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
}

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_counted(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));

int openat(int folder, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_in(flags, rest);
  va_end(rest);
  return open_counted(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) __attribute__((alias("openat")));

int creat(const char* path, mode_t mode) {
  return open_counted(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

// The descriptor is gone also when close fails, as on Linux.
int close(int fd) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(close)(fd);
  const int fault = fault_of(kClose);
  int result = REAL(close)(fd);
  if (fault != 0) {
    errno = fault;
    result = -1;
  }
  note("close", result < 0 ? errno : 0, fault != 0, &subject);
  return result;
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(fallocate)(fd, mode, offset, size);
  return COUNTED("write reserve", kReserve, &subject, REAL(fallocate)(fd, mode, offset, size));
}
int fallocate64(int fd, int mode, off_t offset, off_t size) __attribute__((alias("fallocate")));

// Returns its error and leaves errno alone.
int posix_fallocate(int fd, off_t offset, off_t size) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(posix_fallocate)(fd, offset, size);
  const int fault = fault_of(kReserve);
  const int result = fault != 0 ? fault : REAL(posix_fallocate)(fd, offset, size);
  note("write reserve", result, fault != 0, &subject);
  return result;
}
int posix_fallocate64(int fd, off_t offset, off_t size) __attribute__((alias("posix_fallocate")));

int ftruncate(int fd, off_t size) {
  struct Subject subject;
  if (!subject_of_fd(fd, &subject)) return REAL(ftruncate)(fd, size);
  return COUNTED("write size", kReserve, &subject, REAL(ftruncate)(fd, size));
}
int ftruncate64(int fd, off_t size) __attribute__((alias("ftruncate")));

int mkdir(const char* path, mode_t mode) {
  struct Subject subject;
  if (!subject_of_path(AT_FDCWD, path, &subject)) return REAL(mkdir)(path, mode);
  return COUNTED("create", kMakeFolder, &subject, REAL(mkdir)(path, mode));
}

int unlink(const char* path) {
  struct Subject subject;
  if (!subject_of_path(AT_FDCWD, path, &subject)) return REAL(unlink)(path);
  return COUNTED("remove", kRemove, &subject, REAL(unlink)(path));
}

int unlinkat(int folder, const char* path, int flags) {
  struct Subject subject;
  if (!subject_of_path(folder, path, &subject)) return REAL(unlinkat)(folder, path, flags);
  return COUNTED("remove", kRemove, &subject, REAL(unlinkat)(folder, path, flags));
}

int rmdir(const char* path) {
  struct Subject subject;
  if (!subject_of_path(AT_FDCWD, path, &subject)) return REAL(rmdir)(path);
  return COUNTED("remove", kRemove, &subject, REAL(rmdir)(path));
}

// Files of strangers are opened by openat2, which the C library does not know.
long syscall(long number, ...) {
  va_list rest;
  va_start(rest, number);
  long a[6];
  for (int i = 0; i < 6; ++i) a[i] = va_arg(rest, long);
  va_end(rest);
  struct Subject subject;
  if (number != SYS_openat2 || !subject_of_path((int)a[0], (const char*)a[1], &subject)) {
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  }
  return COUNTED("open", kOpen, &subject,
                 REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

// Between fork and exec: nothing here may allocate or lock.
int execve(const char* path, char* const arguments[], char* const environment[]) {
  enum { kMost = 64 };
  char* extended[kMost + 5];
  int count = 0;
  while (environment != NULL && environment[count] != NULL && count < kMost) {
    extended[count] = environment[count];
    ++count;
  }
  for (int i = 0; i < 4 && control != NULL; ++i) extended[count++] = variables[i];
  extended[count] = NULL;
  return REAL(execve)(path, arguments, extended);
}

static const char* keep_variable(int number, const char* name) {
  const char* value = getenv(name);
  if (value == NULL) return NULL;
  snprintf(variables[number], sizeof variables[number], "%s=%s", name, value);
  return value;
}

__attribute__((constructor)) static void set_up(int argc, char** argv) {
  const char* file = keep_variable(0, "FAIL_CALL_CONTROL");
  const char* lines = keep_variable(1, "FAIL_CALL_JOURNAL");
  const char* folders = keep_variable(2, "FAIL_CALL_BELOW");
  const char* library = keep_variable(3, "LD_PRELOAD");
  if (file == NULL || lines == NULL || folders == NULL || library == NULL) return;
  if (argc > 1 && strcmp(argv[1], "work") == 0) role = kWorker;
  (void)REAL(syscall);  // found now: not in a child between fork and exec
  (void)REAL(execve);
  (void)REAL(write);
  below = folders;
  const int opened = REAL(openat)(AT_FDCWD, lines, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  journal = fcntl(opened, F_DUPFD_CLOEXEC, kFirstDescriptor);
  REAL(close)(opened);
  const int shared = REAL(openat)(AT_FDCWD, file, O_RDWR | O_CLOEXEC);
  void* memory = mmap(NULL, sizeof(struct Control), PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
  REAL(close)(shared);
  if (memory == MAP_FAILED || journal < 0) abort();
  control = memory;
}
