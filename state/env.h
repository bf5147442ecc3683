// One LMDB environment: the only file that knows lmdb.h.
// Invariant: what write() answered with success is durable (default sync flags); a body that fails leaves nothing.
// A full map grows and the body runs again; a full disk is Error "disk_full": nothing is lost, call again later.
// Threads: write() from one thread (the store thread); read() from any; both run their body on the caller's
// thread. No read outlives its body, because an old reader pins free pages and the file grows without end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>

#include "cep/result.h"

struct MDB_cursor;
struct MDB_env;
struct MDB_txn;

namespace state {

inline constexpr size_t kValueBytesMax = 1'900;   // longer ones are numbered pieces (values.h): no overflow pages

enum class Dbi : uint32_t {};

// Moves through a table in key order. A move answers false at the end, and after an LMDB error, which the
// transaction then reports. Key and value hold until the transaction's next write.
class Cursor {
 public:
  ~Cursor();
  Cursor(Cursor&& other) noexcept;
  Cursor(const Cursor&) = delete;
  Cursor& operator=(Cursor&&) = delete;

  bool seek(std::string_view key);         // to the first key that is not less
  bool seek_before(std::string_view key);  // to the last key that is less
  bool next();
  bool previous();
  bool on(std::string_view prefix) const;  // stands on a key that begins so
  std::string_view key() const { return key_; }
  std::string_view value() const { return value_; }
  bool erase();                            // the current entry; then next() gives the one after it

 private:
  friend class ReadTxn;
  Cursor(MDB_cursor* cursor, int* error) : cursor_(cursor), error_(error) {}
  bool move(int operation, std::string_view key = {});

  MDB_cursor* cursor_;
  int* error_;   // the transaction's
  std::string_view key_, value_;
};

// Inside a body LMDB errors stick to the transaction: later calls do nothing and answer "not found", and
// read() or write() returns the error whatever the body answered.
class ReadTxn {
 public:
  ReadTxn(const ReadTxn&) = delete;

  std::optional<std::string_view> get(Dbi table, std::string_view key);
  Cursor cursor(Dbi table);
  bool failed() const { return error_ != 0; }

 protected:
  friend class Env;
  explicit ReadTxn(MDB_txn* txn) : txn_(txn) {}
  ~ReadTxn() = default;
  MDB_txn* txn_;
  int error_ = 0;
};

class WriteTxn : public ReadTxn {
 public:
  void put(Dbi table, std::string_view key, std::string_view value);
  // For keys that come in rising order: fills pages and saves the search; a key in the middle is put as usual.
  void append(Dbi table, std::string_view key, std::string_view value);
  bool put_new(Dbi table, std::string_view key, std::string_view value);   // false: the key is there, kept
  bool erase(Dbi table, std::string_view key);                             // false: was not there

 private:
  friend class Env;
  using ReadTxn::ReadTxn;
  bool put_with(Dbi table, std::string_view key, std::string_view value, unsigned flags);
};

struct EnvOptions {
  size_t map_bytes = size_t{256} << 20;       // address space, not disk; grows by doubling
  size_t map_bytes_max = size_t{1} << 40;     // beyond it: disk_full
};

class Env {
 public:
  using ReadBody = std::function<cep::Status(ReadTxn&)>;
  using WriteBody = std::function<cep::Status(WriteTxn&)>;

  // Opens or makes the environment in the existing directory `dir`, with `tables` and whatever tables it has.
  static cep::Result<std::unique_ptr<Env>> open(const std::string& dir, std::span<const std::string> tables,
                                                EnvOptions options = {});
  ~Env();
  Env(const Env&) = delete;

  // Runs `body` and commits, or rolls back when it answers an Error. `body` may run more than once (the map
  // grew): it must not change anything but its transaction, or must set it anew each time.
  // Error: disk_full, io_error, damaged, and whatever the body answers.
  cep::Status write(const WriteBody& body);
  // Not from inside another body of the same thread.
  cep::Status read(const ReadBody& body) const;

  // Aborts if it was neither asked for at open nor found there.
  Dbi table(const std::string& name) const;
  std::optional<Dbi> find_table(const std::string& name) const;

 private:
  Env(MDB_env* env, EnvOptions options) : env_(env), options_(options) {}
  cep::Status open_tables(std::span<const std::string> wanted);
  cep::Status grow_map();
  cep::Status write_once(const WriteBody& body, int& lmdb_error);

  MDB_env* env_;
  EnvOptions options_;
  size_t map_bytes_ = 0;
  std::map<std::string, Dbi> tables_;          // fixed after open
  mutable std::shared_mutex map_mutex_;        // held shared by transactions, alone while the map grows
};

}  // namespace state
