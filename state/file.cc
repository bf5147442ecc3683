// The real door to the operating system: POSIX calls, each error turned into a value with the path in it.
#include "state/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace state {
namespace {

const char* code_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT: return "disk_full";
    case ENOENT: return "not_found";
    case EEXIST: return "exists";
    default: return "io_error";
  }
}

cep::Error failure(const std::string& action, const std::string& path, int error) {
  return {code_of(error), "cannot " + action + " " + path + ": " + std::generic_category().message(error)};
}

// Repeats a call that a signal interrupted.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

class RealFile final : public File {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  cep::Result<size_t> read_at(uint64_t offset, char* out, size_t bytes) override {
    size_t done = 0;
    while (done < bytes) {
      ssize_t got = retried(
          [&] { return ::pread(fd_.get(), out + done, bytes - done, static_cast<off_t>(offset + done)); });
      if (got < 0) return failure("read", path_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  cep::Status write_at(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      ssize_t put =
          retried([&] { return ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset)); });
      if (put < 0) return failure("write", path_, errno);
      if (put == 0) return failure("write", path_, EIO);
      data.remove_prefix(static_cast<size_t>(put));
      offset += static_cast<uint64_t>(put);
    }
    return cep::ok_status();
  }

  cep::Status truncate(uint64_t bytes) override {
    if (retried([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(bytes)); }) != 0) {
      return failure("truncate", path_, errno);
    }
    return cep::ok_status();
  }

  cep::Status sync() override {
    // Not repeated after a signal either: what a second call says about the first one's pages is worth nothing.
    if (::fdatasync(fd_.get()) != 0) return failure("flush", path_, errno);
    return cep::ok_status();
  }

  cep::Result<uint64_t> size() override {
    struct stat about {};
    if (::fstat(fd_.get(), &about) != 0) return failure("look at", path_, errno);
    return static_cast<uint64_t>(about.st_size);
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class RealLock final : public FileLock {
 public:
  explicit RealLock(int fd) : fd_(fd) {}   // closing the descriptor unlocks

 private:
  Descriptor fd_;
};

std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class RealFileSystem final : public FileSystem {
 public:
  cep::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    if (mode == OpenMode::kRead) flags |= O_RDONLY;
    if (mode == OpenMode::kReadWrite) flags |= O_RDWR;
    if (mode == OpenMode::kCreateNew) flags |= O_RDWR | O_CREAT | O_EXCL;
    int fd = retried([&] { return ::open(path.c_str(), flags, 0640); });
    if (fd < 0) return failure("open", path, errno);
    return std::unique_ptr<File>(std::make_unique<RealFile>(fd, path));
  }

  cep::Status remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return failure("remove", path, errno);
    return cep::ok_status();
  }

  cep::Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return failure("rename to " + to + " the file", from, errno);
    return cep::ok_status();
  }

  cep::Result<std::vector<std::string>> list(const std::string& dir) override {
    DIR* handle = ::opendir(dir.c_str());
    if (handle == nullptr) return failure("list", dir, errno);
    std::vector<std::string> names;
    errno = 0;
    while (dirent* entry = ::readdir(handle)) {
      std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
    int error = errno;
    ::closedir(handle);
    if (error != 0) return failure("list", dir, error);
    std::sort(names.begin(), names.end());
    return names;
  }

  cep::Result<bool> exists(const std::string& path) override {
    struct stat about {};
    if (::stat(path.c_str(), &about) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return failure("look at", path, errno);
  }

  cep::Status make_dirs(const std::string& dir) override {
    for (size_t slash = dir.find('/', 1);; slash = dir.find('/', slash + 1)) {
      std::string part = dir.substr(0, slash);
      if (::mkdir(part.c_str(), 0750) == 0) {
        STATE_TRY(sync_dir(parent_of(part)));
      } else if (errno != EEXIST) {
        return failure("make directory", part, errno);
      }
      if (slash == std::string::npos) return cep::ok_status();
    }
  }

  cep::Status sync_dir(const std::string& dir) override {
    Descriptor fd(retried([&] { return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) return failure("open directory", dir, errno);
    if (::fsync(fd.get()) != 0) return failure("flush directory", dir, errno);
    return cep::ok_status();
  }

  cep::Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    int fd = retried([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640); });
    if (fd < 0) return failure("open", path, errno);
    auto lock = std::make_unique<RealLock>(fd);
    if (retried([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return failure("lock", path, errno);
      return cep::Error{"locked", path + " is locked: another process uses this data directory; stop it first"};
    }
    return std::unique_ptr<FileLock>(std::move(lock));
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_real_file_system() { return std::make_unique<RealFileSystem>(); }

}  // namespace state
