// The faulty twin of the door to the operating system: a file system in memory whose power can be cut.
// Invariant: after power_cut() exactly what was flushed is there, plus a random part of what was not; a failed flush
// leaves its pages readable and clean, as a real kernel does, so that flushing again "succeeds" and saves nothing.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "state/file.h"

namespace support {

enum class Fault {
  kNone,
  kCrash,        // at any operation: it happens in part, and nothing works until power_cut()
  kShortWrite,   // at a write: a part of it, then io_error
  kFailedSync,   // at a flush of a file
  kDiskFull,     // at a write (a part of it) or at making a file
};

struct Inode {
  std::string cached;             // what reads see
  std::string durable;            // what a power cut leaves
  std::set<size_t> dirty_pages;
};

class FaultyFileSystem final : public state::FileSystem {
 public:
  explicit FaultyFileSystem(uint64_t seed) : random_(seed) {}

  // The operation that changes something number `after` from now (0: the next), or the first later one that the
  // fault applies to, meets the fault; and so do the `count - 1` such operations after it.
  void inject(uint64_t after, Fault fault, uint64_t count = 1);
  uint64_t operations() const { return operations_; }   // that change something, since the beginning
  bool crashed() const { return crashed_; }
  void power_cut();
  // The process dies and the machine does not: what was written stays readable, and unflushed.
  void process_crash();
  void flip_bit(const std::string& path, size_t byte, unsigned bit);
  void cut_file(const std::string& path, size_t bytes);
  size_t file_bytes(const std::string& path) const { return names_.at(path)->cached.size(); }

  cep::Result<std::unique_ptr<state::File>> open(const std::string& path, state::OpenMode mode) override;
  cep::Status remove(const std::string& path) override;
  cep::Status rename(const std::string& from, const std::string& to) override;
  cep::Result<std::vector<std::string>> list(const std::string& dir) override;
  cep::Result<bool> exists(const std::string& path) override;
  cep::Status make_dirs(const std::string& dir) override;
  cep::Status sync_dir(const std::string& dir) override;
  cep::Result<std::unique_ptr<state::FileLock>> lock(const std::string& path) override;

 private:
  friend class FaultyFile;
  enum class Operation { kWrite, kSync, kCreate, kOther };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  // The fault that this operation meets; counts it.
  Fault enter(Operation operation);
  bool coin() { return (random_() & 1) != 0; }

  std::mt19937_64 random_;
  Names names_;                   // as seen now
  Names durable_names_;           // as a power cut leaves them
  std::set<std::string> dirs_;
  std::set<std::string> locked_;
  uint64_t operations_ = 0;
  uint64_t armed_at_ = 0;
  uint64_t armed_count_ = 0;
  uint64_t epoch_ = 0;            // handles from before a power cut are dead
  Fault armed_ = Fault::kNone;
  bool crashed_ = false;
};

}  // namespace support
