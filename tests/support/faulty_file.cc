// Pages of 256 bytes, so that short files tear too.
#include "tests/support/faulty_file.h"

#include <algorithm>
#include <cstring>

namespace support {
namespace {

constexpr size_t kPageBytes = 256;

cep::Error no_power() { return {"io_error", "the power is off"}; }
cep::Error io_error(const char* text) { return {"io_error", text}; }

void store_page(Inode& inode, size_t page) {
  size_t begin = page * kPageBytes;
  if (begin >= inode.cached.size()) return;
  size_t bytes = std::min(kPageBytes, inode.cached.size() - begin);
  if (inode.durable.size() < begin + bytes) inode.durable.resize(begin + bytes);
  std::memcpy(inode.durable.data() + begin, inode.cached.data() + begin, bytes);
}

class FaultyLock final : public state::FileLock {
 public:
  FaultyLock(std::set<std::string>& locked, std::string path) : locked_(locked), path_(std::move(path)) {
    locked_.insert(path_);
  }
  ~FaultyLock() override { locked_.erase(path_); }

 private:
  std::set<std::string>& locked_;
  std::string path_;
};

std::string dir_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

}  // namespace

class FaultyFile final : public state::File {
 public:
  FaultyFile(FaultyFileSystem& files, std::shared_ptr<Inode> inode)
      : files_(files), inode_(std::move(inode)), epoch_(files.epoch_) {}

  cep::Result<size_t> read_at(uint64_t offset, char* out, size_t bytes) override {
    if (dead()) return no_power();
    if (offset >= inode_->cached.size()) return size_t{0};
    return inode_->cached.copy(out, bytes, offset);
  }

  cep::Status write_at(uint64_t offset, std::string_view data) override {
    if (dead()) return no_power();
    Fault fault = files_.enter(FaultyFileSystem::Operation::kWrite);
    if (fault == Fault::kNone) {
      store(offset, data);
      return cep::ok_status();
    }
    store(offset, data.substr(0, files_.random_() % (data.size() + 1)));
    if (fault == Fault::kDiskFull) return cep::Error{"disk_full", "no space left"};
    return io_error("short write");
  }

  cep::Status truncate(uint64_t bytes) override {
    if (dead()) return no_power();
    if (files_.enter(FaultyFileSystem::Operation::kOther) != Fault::kNone) return no_power();
    inode_->cached.resize(bytes);
    return cep::ok_status();
  }

  cep::Status sync() override {
    if (dead()) return no_power();
    Fault fault = files_.enter(FaultyFileSystem::Operation::kSync);
    for (size_t page : inode_->dirty_pages) {
      if (fault == Fault::kNone || files_.coin()) store_page(*inode_, page);
    }
    if (fault == Fault::kCrash) return no_power();
    inode_->dirty_pages.clear();   // after a failure too: the kernel calls them clean
    if (fault != Fault::kNone) return io_error("flush failed");
    inode_->durable.resize(inode_->cached.size());
    return cep::ok_status();
  }

  cep::Result<uint64_t> size() override {
    if (dead()) return no_power();
    return uint64_t{inode_->cached.size()};
  }

 private:
  bool dead() const { return files_.crashed_ || epoch_ != files_.epoch_; }

  void store(uint64_t offset, std::string_view data) {
    if (data.empty()) return;
    if (inode_->cached.size() < offset + data.size()) inode_->cached.resize(offset + data.size());
    std::memcpy(inode_->cached.data() + offset, data.data(), data.size());
    for (size_t page = offset / kPageBytes; page <= (offset + data.size() - 1) / kPageBytes; ++page) {
      inode_->dirty_pages.insert(page);
    }
  }

  FaultyFileSystem& files_;
  std::shared_ptr<Inode> inode_;
  uint64_t epoch_;
};

void FaultyFileSystem::inject(uint64_t after, Fault fault, uint64_t count) {
  armed_at_ = operations_ + after;
  armed_ = fault;
  armed_count_ = count;
}

Fault FaultyFileSystem::enter(Operation operation) {
  uint64_t number = operations_++;
  if (armed_ == Fault::kNone || armed_count_ == 0 || number < armed_at_) return Fault::kNone;
  bool applies = armed_ == Fault::kCrash || (armed_ == Fault::kShortWrite && operation == Operation::kWrite) ||
                 (armed_ == Fault::kFailedSync && operation == Operation::kSync) ||
                 (armed_ == Fault::kDiskFull && (operation == Operation::kWrite || operation == Operation::kCreate));
  if (!applies) return Fault::kNone;
  --armed_count_;
  if (armed_ == Fault::kCrash) crashed_ = true;
  return armed_;
}

void FaultyFileSystem::power_cut() {
  std::set<std::string> paths;
  for (const auto& [path, inode] : names_) paths.insert(path);
  for (const auto& [path, inode] : durable_names_) paths.insert(path);
  for (const std::string& path : paths) {   // names that were not flushed may have been saved all the same
    auto now = names_.find(path);
    if (!coin()) continue;
    if (now == names_.end()) {
      durable_names_.erase(path);
    } else {
      durable_names_[path] = now->second;
    }
  }
  names_ = durable_names_;
  for (auto& [path, inode] : names_) {
    for (size_t page : inode->dirty_pages) {
      if (coin()) store_page(*inode, page);
    }
    inode->dirty_pages.clear();
    if (inode->durable.size() > inode->cached.size() && coin()) inode->durable.resize(inode->cached.size());
    inode->cached = inode->durable;
  }
  process_crash();
}

void FaultyFileSystem::process_crash() {
  locked_.clear();
  crashed_ = false;
  armed_ = Fault::kNone;
  ++epoch_;
}

void FaultyFileSystem::flip_bit(const std::string& path, size_t byte, unsigned bit) {
  Inode& inode = *names_.at(path);
  auto flipped = static_cast<char>(static_cast<unsigned char>(inode.cached.at(byte)) ^ (1u << bit));
  inode.cached.at(byte) = flipped;
  if (byte < inode.durable.size()) inode.durable.at(byte) = flipped;
}

void FaultyFileSystem::cut_file(const std::string& path, size_t bytes) {
  Inode& inode = *names_.at(path);
  inode.cached.resize(bytes);
  inode.durable.resize(bytes);
}

cep::Result<std::unique_ptr<state::File>> FaultyFileSystem::open(const std::string& path, state::OpenMode mode) {
  if (crashed_) return no_power();
  auto found = names_.find(path);
  if (mode != state::OpenMode::kCreateNew) {
    if (found == names_.end()) return cep::Error{"not_found", path};
    return std::unique_ptr<state::File>(std::make_unique<FaultyFile>(*this, found->second));
  }
  if (found != names_.end()) return cep::Error{"exists", path};
  Fault fault = enter(Operation::kCreate);
  if (fault == Fault::kDiskFull) return cep::Error{"disk_full", "no space left for a file"};
  if (fault == Fault::kNone || coin()) names_[path] = std::make_shared<Inode>();
  if (fault != Fault::kNone) return no_power();
  return std::unique_ptr<state::File>(std::make_unique<FaultyFile>(*this, names_[path]));
}

cep::Status FaultyFileSystem::remove(const std::string& path) {
  if (crashed_ || enter(Operation::kOther) != Fault::kNone) return no_power();
  if (names_.erase(path) == 0) return cep::Error{"not_found", path};
  return cep::ok_status();
}

cep::Status FaultyFileSystem::rename(const std::string& from, const std::string& to) {
  if (crashed_ || enter(Operation::kOther) != Fault::kNone) return no_power();
  auto found = names_.find(from);
  if (found == names_.end()) return cep::Error{"not_found", from};
  names_[to] = found->second;
  names_.erase(from);
  return cep::ok_status();
}

cep::Result<std::vector<std::string>> FaultyFileSystem::list(const std::string& dir) {
  if (crashed_) return no_power();
  if (dirs_.count(dir) == 0) return cep::Error{"not_found", dir};
  std::vector<std::string> names;
  for (const auto& [path, inode] : names_) {
    if (dir_of(path) == dir) names.push_back(path.substr(dir.size() + 1));
  }
  for (const std::string& path : dirs_) {
    if (path != dir && dir_of(path) == dir) names.push_back(path.substr(dir.size() + 1));
  }
  std::sort(names.begin(), names.end());
  return names;
}

cep::Result<bool> FaultyFileSystem::exists(const std::string& path) {
  if (crashed_) return no_power();
  return names_.count(path) != 0 || dirs_.count(path) != 0;
}

cep::Status FaultyFileSystem::make_dirs(const std::string& dir) {
  if (crashed_) return no_power();
  for (size_t slash = dir.find('/', 1); slash != std::string::npos; slash = dir.find('/', slash + 1)) {
    dirs_.insert(dir.substr(0, slash));
  }
  dirs_.insert(dir);
  return cep::ok_status();
}

cep::Status FaultyFileSystem::sync_dir(const std::string& dir) {
  if (crashed_ || enter(Operation::kOther) != Fault::kNone) return no_power();
  std::erase_if(durable_names_, [&](const auto& entry) { return dir_of(entry.first) == dir; });
  for (const auto& [path, inode] : names_) {
    if (dir_of(path) == dir) durable_names_[path] = inode;
  }
  return cep::ok_status();
}

cep::Result<std::unique_ptr<state::FileLock>> FaultyFileSystem::lock(const std::string& path) {
  if (crashed_) return no_power();
  if (locked_.count(path) != 0) return cep::Error{"locked", path};
  return std::unique_ptr<state::FileLock>(std::make_unique<FaultyLock>(locked_, path));
}

}  // namespace support
