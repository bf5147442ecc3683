// The door to the operating system: the only way `state` touches files (LMDB does its own I/O).
// Invariant: a success of sync() or sync_dir() means "survives a power cut"; nothing else means that.
// Error codes: disk_full (wait and try again), io_error, not_found, exists, locked.
// Threads: a FileSystem may be shared; a File belongs to one thread at a time.
// The faulty twin that drops unflushed bytes is tests/support/faulty_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "state/try.h"

namespace state {

enum class OpenMode {
  kRead,        // must exist
  kReadWrite,   // must exist
  kCreateNew,   // must not exist; the name is durable after sync_dir of its directory
};

class File {
 public:
  virtual ~File() = default;

  // Reads up to `bytes` at `offset`; fewer only at the end of the file.
  virtual cep::Result<size_t> read_at(uint64_t offset, char* out, size_t bytes) = 0;
  // Writes all of `data` or returns an Error; after an Error any part of it may have been written.
  virtual cep::Status write_at(uint64_t offset, std::string_view data) = 0;
  virtual cep::Status truncate(uint64_t bytes) = 0;
  // fdatasync. After a failure the kernel may have dropped the pages and forgotten the error:
  // never call it again on this file and believe it.
  virtual cep::Status sync() = 0;
  virtual cep::Result<uint64_t> size() = 0;
};

// Held while it lives; a second process (or a second lock here) is refused with code "locked".
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual cep::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual cep::Status remove(const std::string& path) = 0;
  // Atomic replacement; durable after sync_dir.
  virtual cep::Status rename(const std::string& from, const std::string& to) = 0;
  // Names of the entries, sorted, without "." and "..".
  virtual cep::Result<std::vector<std::string>> list(const std::string& dir) = 0;
  virtual cep::Result<bool> exists(const std::string& path) = 0;
  // Makes the directory and its missing parents, each name durable.
  virtual cep::Status make_dirs(const std::string& dir) = 0;
  virtual cep::Status sync_dir(const std::string& dir) = 0;
  // Creates `path` if needed and locks it against other processes.
  virtual cep::Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

std::unique_ptr<FileSystem> make_real_file_system();

}  // namespace state
