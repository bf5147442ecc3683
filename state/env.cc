// LMDB behind the wrapper: errors become values, a full map grows, transactions end with their body.
#include "state/env.h"

#include <lmdb.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

#include "state/try.h"

namespace state {
namespace {

constexpr unsigned kTablesMax = 256;
constexpr uint64_t kPagesSpared = 64;   // check_length: small files are not judged

// LMDB takes values to write through a pointer to non-const and does not write there.
MDB_val val(std::string_view bytes) { return {bytes.size(), std::bit_cast<void*>(bytes.data())}; }
std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

cep::Error failure(const std::string& action, int error) {
  std::string text = "cannot " + action + ": " + mdb_strerror(error);
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:         // LMDB's word for a write that was cut short, which is how a full file system first shows
    case MDB_MAP_FULL: return {"disk_full", text};
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID: return {"damaged", text + ". Put back the state directory from a copy"};
    case MDB_PANIC: return {"io_error", text + ". Stop and start the service"};
    default: return {"io_error", text};
  }
}

// A file that was cut short would end the process at the first touch of a page beyond its end. Pages that a transaction
// took and gave back may lie past the end of a healthy file, so only a gross lack is called damage.
cep::Status check_length(MDB_env* env, const std::string& dir) {
  MDB_envinfo info;
  MDB_stat about;
  mdb_env_info(env, &info);
  mdb_env_stat(env, &about);
  std::error_code error;
  uint64_t bytes = std::filesystem::file_size(dir + "/data.mdb", error);
  if (error) return cep::Error{"io_error", "cannot look at " + dir + "/data.mdb: " + error.message()};
  uint64_t pages_used = uint64_t{info.me_last_pgno} + 1;
  if (bytes / about.ms_psize + pages_used / 4 + kPagesSpared >= pages_used) return cep::ok_status();
  return cep::Error{"damaged", dir + "/data.mdb has " + std::to_string(bytes) + " bytes and should have about " +
                                   std::to_string(pages_used * about.ms_psize) +
                                   ": it was cut short. Put back the state directory from a copy"};
}

}  // namespace

Cursor::~Cursor() {
  if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

Cursor::Cursor(Cursor&& other) noexcept
    : cursor_(std::exchange(other.cursor_, nullptr)), error_(other.error_), key_(other.key_), value_(other.value_) {}

bool Cursor::move(int operation, std::string_view wanted) {
  key_ = value_ = {};
  if (*error_ != 0) return false;
  MDB_val key = val(wanted), value{};
  int result = mdb_cursor_get(cursor_, &key, &value, static_cast<MDB_cursor_op>(operation));
  if (result == MDB_NOTFOUND) return false;
  if (result != 0) {
    *error_ = result;
    return false;
  }
  key_ = view(key);
  value_ = view(value);
  return true;
}

bool Cursor::seek(std::string_view key) { return move(MDB_SET_RANGE, key); }
bool Cursor::seek_before(std::string_view key) { return move(MDB_SET_RANGE, key) ? move(MDB_PREV) : move(MDB_LAST); }
bool Cursor::next() { return move(MDB_NEXT); }
bool Cursor::previous() { return move(MDB_PREV); }
bool Cursor::on(std::string_view prefix) const { return !key_.empty() && key_.starts_with(prefix); }

bool Cursor::erase() {
  if (*error_ != 0) return false;
  *error_ = mdb_cursor_del(cursor_, 0);
  return *error_ == 0;
}

std::optional<std::string_view> ReadTxn::get(Dbi table, std::string_view key) {
  if (error_ != 0) return std::nullopt;
  MDB_val wanted = val(key), value{};
  int result = mdb_get(txn_, static_cast<MDB_dbi>(table), &wanted, &value);
  if (result == 0) return view(value);
  if (result != MDB_NOTFOUND) error_ = result;
  return std::nullopt;
}

Cursor ReadTxn::cursor(Dbi table) {
  MDB_cursor* cursor = nullptr;
  if (error_ == 0) error_ = mdb_cursor_open(txn_, static_cast<MDB_dbi>(table), &cursor);
  return Cursor(cursor, &error_);
}

// False: the flags forbade it because of the keys that are there.
bool WriteTxn::put_with(Dbi table, std::string_view key, std::string_view value, unsigned flags) {
  WEIR_CHECK(value.size() <= kValueBytesMax, "a value above the limit is cut into pieces");
  if (error_ != 0) return true;
  MDB_val wanted = val(key), bytes = val(value);
  int result = mdb_put(txn_, static_cast<MDB_dbi>(table), &wanted, &bytes, flags);
  if (result == MDB_KEYEXIST) return false;
  error_ = result;
  return true;
}

void WriteTxn::put(Dbi table, std::string_view key, std::string_view value) { put_with(table, key, value, 0); }

void WriteTxn::append(Dbi table, std::string_view key, std::string_view value) {
  if (!put_with(table, key, value, MDB_APPEND)) put(table, key, value);
}

bool WriteTxn::put_new(Dbi table, std::string_view key, std::string_view value) {
  return put_with(table, key, value, MDB_NOOVERWRITE);
}

bool WriteTxn::erase(Dbi table, std::string_view key) {
  if (error_ != 0) return false;
  MDB_val wanted = val(key);
  int result = mdb_del(txn_, static_cast<MDB_dbi>(table), &wanted, nullptr);
  if (result != 0 && result != MDB_NOTFOUND) error_ = result;
  return result == 0;
}

cep::Result<std::unique_ptr<Env>> Env::open(const std::string& dir, std::span<const std::string> tables,
                                            EnvOptions options) {
  MDB_env* handle = nullptr;
  if (int error = mdb_env_create(&handle); error != 0) return failure("make an environment for " + dir, error);
  std::unique_ptr<Env> env(new Env(handle, options));
  mdb_env_set_maxdbs(handle, kTablesMax);
  mdb_env_set_mapsize(handle, options.map_bytes);
  // Default sync flags: anything weaker lost or corrupted data in simulated power cuts. NOTLS: a reader belongs to
  // its transaction, so short reads may come from any thread.
  if (int error = mdb_env_open(handle, dir.c_str(), MDB_NOTLS, 0640); error != 0) {
    return failure("open the state in " + dir, error);
  }
  STATE_TRY(check_length(handle, dir));
  MDB_envinfo info;
  mdb_env_info(handle, &info);
  env->map_bytes_ = info.me_mapsize;
  STATE_TRY(env->open_tables(tables));
  return env;
}

Env::~Env() { mdb_env_close(env_); }

// One early transaction, committed: handles opened later would belong to a transaction that may roll back.
cep::Status Env::open_tables(std::span<const std::string> wanted) {
  std::map<std::string, unsigned> names;
  for (const std::string& name : wanted) names[name] = MDB_CREATE;
  MDB_txn* txn = nullptr;
  if (int error = mdb_txn_begin(env_, nullptr, 0, &txn); error != 0) return failure("open the tables", error);
  MDB_dbi main = 0;
  int error = mdb_dbi_open(txn, nullptr, 0, &main);
  if (error == 0) {
    WriteTxn catalogue(txn);
    Cursor cursor = catalogue.cursor(static_cast<Dbi>(main));
    for (bool more = cursor.next(); more; more = cursor.next()) names.try_emplace(std::string(cursor.key()), 0);
    error = catalogue.error_;
  }
  for (const auto& [name, flags] : names) {
    MDB_dbi table = 0;
    if (error == 0) error = mdb_dbi_open(txn, name.c_str(), flags, &table);
    tables_[name] = static_cast<Dbi>(table);
  }
  if (error != 0) {
    mdb_txn_abort(txn);
  } else {
    error = mdb_txn_commit(txn);
  }
  if (error != 0) return failure("open the tables", error);
  return cep::ok_status();
}

cep::Status Env::write_once(const WriteBody& body, int& lmdb_error) {
  std::shared_lock<std::shared_mutex> in_use(map_mutex_);
  MDB_txn* handle = nullptr;
  lmdb_error = mdb_txn_begin(env_, nullptr, 0, &handle);
  if (lmdb_error != 0) return cep::ok_status();
  WriteTxn txn(handle);
  cep::Status answer = body(txn);
  lmdb_error = txn.error_;
  if (lmdb_error != 0 || !answer.ok()) {
    mdb_txn_abort(handle);
  } else {
    lmdb_error = mdb_txn_commit(handle);
  }
  return answer;
}

cep::Status Env::write(const WriteBody& body) {
  for (;;) {
    int lmdb_error = 0;
    cep::Status answer = write_once(body, lmdb_error);
    if (lmdb_error == 0) return answer;
    if (lmdb_error != MDB_MAP_FULL) return failure("write to the state", lmdb_error);
    STATE_TRY(grow_map());
  }
}

cep::Status Env::grow_map() {
  std::unique_lock<std::shared_mutex> alone(map_mutex_);
  size_t bytes = std::min(map_bytes_ * 2, options_.map_bytes_max);
  if (bytes <= map_bytes_) {
    return cep::Error{"disk_full", "the state has reached its limit of " + std::to_string(map_bytes_) + " bytes"};
  }
  if (int error = mdb_env_set_mapsize(env_, bytes); error != 0) return failure("grow the state's map", error);
  map_bytes_ = bytes;
  return cep::ok_status();
}

cep::Status Env::read(const ReadBody& body) const {
  std::shared_lock<std::shared_mutex> in_use(map_mutex_);
  MDB_txn* handle = nullptr;
  if (int error = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &handle); error != 0) {
    return failure("read the state", error);
  }
  ReadTxn txn(handle);
  cep::Status answer = body(txn);
  int error = txn.error_;
  mdb_txn_abort(handle);
  if (error != 0) return failure("read the state", error);
  return answer;
}

Dbi Env::table(const std::string& name) const {
  auto found = find_table(name);
  WEIR_CHECK(found.has_value(), name.c_str());
  return *found;
}

std::optional<Dbi> Env::find_table(const std::string& name) const {
  auto found = tables_.find(name);
  return found == tables_.end() ? std::nullopt : std::optional<Dbi>(found->second);
}

}  // namespace state
