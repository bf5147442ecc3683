// See admin_store.h.
#include "state/admin_store.h"

#include "state/checkpoint_format.h"
#include "state/data_dir.h"
#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr std::string_view kNextSink = "next sink";

Key sink_key(uint32_t id) { return Key().u32(id); }

std::string encode_sink(const SinkRecord& record) {
  std::string bytes;
  Writer(bytes).text(record.name).put<uint8_t>(record.from_file ? 1 : 0).text(record.spec);
  return bytes;
}

cep::Result<SinkRecord> decode_sink(uint32_t id, std::string_view bytes) {
  Reader in(bytes);
  SinkRecord record;
  record.id = id;
  record.name = in.text();
  record.from_file = in.get<uint8_t>() != 0;
  record.spec = in.text();
  if (!in.at_end()) return cep::Error{"damaged", "a sink in admin/ does not decode; put the directory back from a copy"};
  return record;
}

}  // namespace

std::vector<std::string> admin_tables() { return {"sink", "number", "applied"}; }

AdminStore::AdminStore(std::unique_ptr<Env> env)
    : env_(std::move(env)), sinks_(env_->table("sink")), numbers_(env_->table("number")), applied_(env_->table("applied")) {}

cep::Result<std::unique_ptr<AdminStore>> AdminStore::open(FileSystem& files, const std::string& data_dir) {
  const std::string dir = data_dir + "/admin";
  auto had = has_part(files, data_dir, kPart);
  if (!had.ok()) return had.error();
  auto there = files.exists(dir + "/data.mdb");
  if (!there.ok()) return there.error();
  if (*had && !*there) {
    return cep::Error{"admin_missing", dir + " is missing, and with it the sinks that were made over the API. Put it back from a copy; or, "
                                             "to go on without them, delete the line `part admin` of " + data_dir + "/WEIR"};
  }
  STATE_TRY(files.make_dirs(dir));
  auto env = Env::open(dir, admin_tables());
  if (!env.ok()) return env.error();
  STATE_TRY(add_part(files, data_dir, kPart));
  return std::unique_ptr<AdminStore>(new AdminStore(std::move(*env)));
}

cep::Status AdminStore::write(const Env::WriteBody& body) {
  std::lock_guard lock(write_mutex_);
  return env_->write(body);
}

cep::Result<std::vector<SinkRecord>> AdminStore::sinks() const {
  std::vector<SinkRecord> records;
  STATE_TRY(env_->read([&](ReadTxn& txn) -> cep::Status {
    records.clear();
    Cursor cursor = txn.cursor(sinks_);
    bool more = cursor.seek(sink_key(0));
    while (more) {
      const uint32_t id = KeyReader(cursor.key()).u32();
      auto bytes = get_pieces(txn, sinks_, sink_key(id), "a sink");
      if (!bytes.ok()) return bytes.error();
      if (!bytes->has_value()) return cep::Error{"damaged", "a sink in admin/ has lost its beginning; put it back from a copy"};
      auto record = decode_sink(id, **bytes);
      if (!record.ok()) return record.error();
      records.push_back(std::move(*record));
      more = cursor.seek(sink_key(id + 1));
    }
    return cep::ok_status();
  }));
  return records;
}

cep::Result<uint32_t> AdminStore::add_sink(const SinkRecord& record) {
  uint32_t id = 0;
  STATE_TRY(write([&](WriteTxn& txn) -> cep::Status {
    auto next = get_small(txn, numbers_, kNextSink, "the next sink's number");
    if (!next.ok()) return next.error();
    id = next->has_value() ? Reader(**next).get<uint32_t>() : 1;
    std::string following;
    Writer(following).put<uint32_t>(id + 1);
    put_small(txn, numbers_, kNextSink, following);
    return put_pieces(txn, sinks_, sink_key(id), encode_sink(record));
  }));
  return id;
}

cep::Status AdminStore::put_sink(const SinkRecord& record) {
  return write([&](WriteTxn& txn) -> cep::Status {
    erase_pieces(txn, sinks_, sink_key(record.id));
    return put_pieces(txn, sinks_, sink_key(record.id), encode_sink(record));
  });
}

cep::Status AdminStore::erase_sink(uint32_t id) {
  return write([&](WriteTxn& txn) {
    erase_pieces(txn, sinks_, sink_key(id));
    return cep::ok_status();
  });
}

cep::Result<std::vector<AppliedStatement>> AdminStore::applied() const {
  std::vector<AppliedStatement> statements;
  STATE_TRY(env_->read([&](ReadTxn& txn) -> cep::Status {
    statements.clear();
    Cursor cursor = txn.cursor(applied_);
    for (bool more = cursor.seek(Key().u16(0)); more; more = cursor.next()) {
      auto payload = open_value(cursor.value(), "an applied statement");
      if (!payload.ok()) return payload.error();
      Reader in(*payload);
      AppliedStatement statement;
      statement.name = in.text();
      statement.digest = in.id();
      if (!in.at_end()) return cep::Error{"damaged", "admin/ holds a statement that does not decode; put it back from a copy"};
      statements.push_back(std::move(statement));
    }
    return cep::ok_status();
  }));
  return statements;
}

cep::Status AdminStore::put_applied(std::span<const AppliedStatement> statements) {
  return write([&](WriteTxn& txn) {
    for (const AppliedStatement& statement : statements) {
      std::string payload;
      Writer(payload).text(statement.name).id(statement.digest);
      put_small(txn, applied_, Key().id(digest_of(statement.name)), payload);
    }
    return cep::ok_status();
  });
}

}  // namespace state
