// Recognising our own directory. The file WEIR says what it is; LOCK keeps a second process out.
#include "state/data_dir.h"

#include <algorithm>
#include <charconv>

#include "state/checkpoint.h"

namespace state {
namespace {

constexpr std::string_view kMagic = "weir data directory\nformat ";
constexpr size_t kMagicFileBytesMax = 4096;

std::string magic_text() { return std::string(kMagic) + std::to_string(kDataFormatVersion) + "\n"; }

// What an interrupted first start, or the file system itself, may have left in a directory that is to be ours.
bool harmless(const std::string& name) { return name == "LOCK" || name == "WEIR.new" || name == "lost+found"; }

cep::Result<std::string> read_magic(FileSystem& files, const std::string& path) {
  auto file = files.open(path + "/WEIR", OpenMode::kRead);
  if (!file.ok()) return file.error();
  std::string text(kMagicFileBytesMax, '\0');
  auto got = (*file)->read_at(0, text.data(), text.size());
  if (!got.ok()) return got.error();
  text.resize(*got);
  return text;
}

std::string part_line(const std::string& part) { return "part " + part + "\n"; }

cep::Status check_magic(FileSystem& files, const std::string& path) {
  auto read = read_magic(files, path);
  if (!read.ok()) return read.error();
  const std::string& text = *read;
  unsigned version = 0;
  const char* number = text.data() + std::min(text.size(), kMagic.size());
  auto parsed = std::from_chars(number, text.data() + text.size(), version);
  if (!text.starts_with(kMagic) || parsed.ec != std::errc()) {
    return cep::Error{"foreign_data", path + "/WEIR is not what Weir writes: the directory is damaged or belongs to "
                                             "something else. Give another directory with --data"};
  }
  if (version > kDataFormatVersion) {
    return cep::Error{"newer_data", path + " has data format " + std::to_string(version) + ", this program knows " +
                                        std::to_string(kDataFormatVersion) + ". Start the newer version of Weir"};
  }
  return cep::ok_status();
}

cep::Status write_magic(FileSystem& files, const std::string& path, const std::string& text) {
  std::string draft = path + "/WEIR.new";
  if (auto removed = files.remove(draft); !removed.ok() && removed.error().code != "not_found") return removed;
  auto file = files.open(draft, OpenMode::kCreateNew);
  if (!file.ok()) return file.error();
  STATE_TRY((*file)->write_at(0, text));
  STATE_TRY((*file)->sync());
  STATE_TRY(files.rename(draft, path + "/WEIR"));
  return files.sync_dir(path);
}

// 0 if it is missing: LMDB takes an empty file for a new environment.
cep::Result<uint64_t> state_file_bytes(FileSystem& files, const DataDir& dir) {
  auto file = files.open(dir.state_dir + "/data.mdb", OpenMode::kRead);
  if (file.ok()) return (*file)->size();
  if (file.error().code == "not_found") return uint64_t{0};
  return file.error();
}

DataDir places_of(const std::string& path, const std::string& log_root) {
  DataDir dir;
  dir.path = path;
  dir.log_dir = log_root.empty() ? path + "/lanes/0/log" : log_root;
  dir.state_dir = path + "/state";
  return dir;
}

cep::Status lock_log(FileSystem& files, DataDir& dir, const std::string& log_root) {
  if (log_root.empty()) return cep::ok_status();
  STATE_TRY(files.make_dirs(log_root));
  auto log_lock = files.lock(log_root + "/LOCK");
  if (!log_lock.ok()) return log_lock.error();
  dir.log_lock = std::move(*log_lock);
  return cep::ok_status();
}

cep::Status check_empty(FileSystem& files, const std::string& path) {
  auto names = files.list(path);
  if (!names.ok()) return names.error();
  if (std::all_of(names->begin(), names->end(), harmless)) return cep::ok_status();
  return cep::Error{"not_empty", path + " is not empty, and a restore overwrites nothing: give an empty or a new directory, or, if an "
                                        "earlier restore was broken off there, delete what it left"};
}

}  // namespace

cep::Result<DataDir> DataDir::open_empty(FileSystem& files, const std::string& path, const std::string& log_root) {
  STATE_TRY(files.make_dirs(path));
  DataDir dir = places_of(path, log_root);
  dir.fresh = true;
  auto lock = files.lock(path + "/LOCK");
  if (!lock.ok()) return lock.error();
  dir.lock = std::move(*lock);
  STATE_TRY(check_empty(files, path));
  STATE_TRY(lock_log(files, dir, log_root));
  if (!log_root.empty()) STATE_TRY(check_empty(files, log_root));
  return dir;
}

cep::Status DataDir::declare(FileSystem& files, const std::vector<std::string>& parts) const {
  std::string text = magic_text();
  for (const std::string& part : parts) text += part_line(part);
  return write_magic(files, path, text);
}

cep::Result<DataDir> DataDir::open(FileSystem& files, const std::string& path, const std::string& log_root) {
  STATE_TRY(files.make_dirs(path));
  auto names = files.list(path);
  if (!names.ok()) return names.error();
  bool ours = std::find(names->begin(), names->end(), "WEIR") != names->end();
  if (!ours && !std::all_of(names->begin(), names->end(), harmless)) {
    return cep::Error{"foreign_data", path + " is not empty and has no file WEIR: it is not a data directory of Weir. "
                                             "Give an empty or a new directory with --data"};
  }
  DataDir dir = places_of(path, log_root);
  dir.fresh = !ours;
  auto lock = files.lock(path + "/LOCK");
  if (!lock.ok()) return lock.error();
  dir.lock = std::move(*lock);
  STATE_TRY(ours ? check_magic(files, path) : write_magic(files, path, magic_text()));
  STATE_TRY(lock_log(files, dir, log_root));
  return dir;
}

cep::Result<bool> has_part(FileSystem& files, const std::string& path, const std::string& part) {
  auto text = read_magic(files, path);
  if (!text.ok()) return text.error();
  return text->find("\n" + part_line(part)) != std::string::npos;
}

cep::Status add_part(FileSystem& files, const std::string& path, const std::string& part) {
  auto text = read_magic(files, path);
  if (!text.ok()) return text.error();
  if (text->find("\n" + part_line(part)) != std::string::npos) return cep::ok_status();
  return write_magic(files, path, *text + (text->ends_with('\n') ? "" : "\n") + part_line(part));
}

cep::Result<bool> check_parts(FileSystem& files, const DataDir& dir, const LogRecovery& log) {
  auto bytes = state_file_bytes(files, dir);
  if (!bytes.ok()) return bytes.error();
  if (*bytes > 0 || log.end_offset == 0) return false;
  if (log.first_offset == 0) return true;
  return cep::Error{"state_missing",
                    dir.state_dir + " is missing, but the event log in " + dir.log_dir + " begins at offset " +
                        std::to_string(log.first_offset) +
                        ", so the state cannot be computed again from it. Put the state directory back from a copy, or "
                        "give an empty directory with --data to start from nothing"};
}

cep::Result<std::unique_ptr<Env>> open_state(FileSystem& files, const DataDir& dir, unsigned shards,
                                             EnvOptions options) {
  WEIR_CHECK(shards >= 1 && shards <= kShardsMax, "1 to 64 shards");
  STATE_TRY(files.make_dirs(dir.state_dir));
  std::vector<std::string> tables = state_tables(shards);
  return Env::open(dir.state_dir, tables, options);
}

std::vector<std::string> state_tables(unsigned shards) {
  std::vector<std::string> tables = {"ckpt",   "segment", "alert",  "alert_id", "alert_key",
                                     "cursor", "parked",  "attempt", "rejected", "edit",
                                     "decision", "decision_id", "totals"};
  for (unsigned shard = 0; shard < shards; ++shard) {
    tables.push_back(record_table(shard));
    tables.push_back(index_table(shard));
  }
  return tables;
}

}  // namespace state
