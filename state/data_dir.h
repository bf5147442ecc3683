// The data directory: ours, locked, of a version we know, and complete.
// Invariant: a directory that is foreign, newer, or has lost a part is refused with what to do; it is never taken
// for an empty one.
// Threads: opened once at start, before every other file of `state`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/env.h"
#include "state/file.h"
#include "state/log_writer.h"

namespace state {

inline constexpr unsigned kDataFormatVersion = 1;

struct DataDir {
  std::unique_ptr<FileLock> lock;       // a second process is refused while they live
  std::unique_ptr<FileLock> log_lock;   // of a log directory elsewhere; else null
  std::string path;
  std::string log_dir;                  // of lane 0
  std::string state_dir;
  bool fresh = false;                   // made by this call

  // Makes `path` if it is missing or empty. `log_root` replaces <path>/lanes/0/log when not empty (--log-dir).
  // Error: locked, foreign_data, newer_data, disk_full, io_error.
  static cep::Result<DataDir> open(FileSystem& files, const std::string& path, const std::string& log_root = {});

  // For a restore: both must be missing or empty, and stay foreign to everybody until `declare`. Error: not_empty, locked, ...
  static cep::Result<DataDir> open_empty(FileSystem& files, const std::string& path, const std::string& log_root = {});
  // All of it is there, durably: from now on it is a data directory.
  cep::Status declare(FileSystem& files, const std::vector<std::string>& parts) const;
};

// Parts of the directory that it must not lose once it had them stand in WEIR, a line each: "part admin".
cep::Result<bool> has_part(FileSystem& files, const std::string& path, const std::string& part);
// Durably; nothing changes if it stands there.
cep::Status add_part(FileSystem& files, const std::string& path, const std::string& part);

// Whether state/ may be made anew although the log has frames: only if the log begins at offset 0, so that
// everything can be computed again from it. Answers true when that will happen (say it to the operator).
// Whether the log reaches as far as a checkpoint wants is check_log_covers (restore.h). Error: state_missing.
cep::Result<bool> check_parts(FileSystem& files, const DataDir& dir, const LogRecovery& log);

// Every table of `state` for so many shards.
std::vector<std::string> state_tables(unsigned shards);

// Opens state/ with those tables, and with what more it has from a run with more shards.
cep::Result<std::unique_ptr<Env>> open_state(FileSystem& files, const DataDir& dir, unsigned shards,
                                             EnvOptions options = {});

}  // namespace state
