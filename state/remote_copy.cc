// See remote_copy.h. Test: tests/unit/state/remote_test.cc, tests/unit/service/remote_checkpoints_test.cc.
#include "state/remote_copy.h"

#include <algorithm>
#include <utility>

#include "state/admin_store.h"
#include "state/checkpoint.h"
#include "state/log_segments.h"
#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr size_t kReadBytes = size_t{1} << 20;           // in one transaction: a reader pins pages
constexpr uint8_t kRowsFormat = 1;

void add_row(std::string& body, std::string_view table, std::string_view key, std::string_view value) {
  if (body.empty()) body += static_cast<char>(kRowsFormat);
  Writer(body).text(table).text(key).text(value);
}

// Rows with keys in [from, to), read in transactions that end before `visit` is called. The pieces of a row come from one transaction:
// between two of them another value could be put. Segments that are sealed never change.
cep::Status read_rows(const Env& env, const std::string& table, std::string from, std::string_view to,
                      const std::function<cep::Status(std::string_view key, std::string_view value)>& visit) {
  const Dbi dbi = env.table(table);
  for (bool more = true; more;) {
    std::vector<std::pair<std::string, std::string>> rows;
    STATE_TRY(env.read([&](ReadTxn& txn) -> cep::Status {
      rows.clear();
      bool cut = false;
      Cursor cursor = txn.cursor(dbi);
      size_t bytes = 0;
      for (more = cursor.seek(from); more && cursor.key() < to; more = cursor.next()) {
        cut = bytes >= kReadBytes &&
              (is_segment_table(table) || row_number(table, cursor.key()) != row_number(table, rows.back().first));
        if (cut) break;
        rows.emplace_back(cursor.key(), cursor.value());
        bytes += cursor.key().size() + cursor.value().size();
      }
      more = cut;
      return cep::ok_status();
    }));
    for (const auto& [key, value] : rows) STATE_TRY(visit(key, value));
    if (!rows.empty()) from = rows.back().first + '\0';
  }
  return cep::ok_status();
}

// Every row of `table` whose key begins so, in the transaction of the caller.
void add_all(ReadTxn& txn, const Env& env, const std::string& table, std::string_view prefix, std::string& body) {
  Cursor cursor = txn.cursor(env.table(table));
  const std::string_view least("\0", 1);        // LMDB knows no empty key
  for (bool more = cursor.seek(prefix.empty() ? least : prefix); more && cursor.on(prefix); more = cursor.next()) {
    add_row(body, table, cursor.key(), cursor.value());
  }
}

std::string text_of(const Key& key) { return std::string(key.view()); }

uint32_t shards_of(const Env& env) {
  uint32_t shards = 1;
  for (uint32_t shard = 0; shard < kShardsMax; ++shard) {
    if (env.find_table(record_table(shard))) shards = shard + 1;
  }
  return shards;
}

}  // namespace

bool is_segment_table(const std::string& table) { return table.starts_with("rec.") || table.starts_with("idx."); }

uint64_t row_number(const std::string& table, std::string_view key) {
  KeyReader reader(key);
  reader.u16();
  return is_segment_table(table) ? reader.u32() : reader.u64();
}

cep::Status visit_rows(std::string_view object,
                       const std::function<cep::Status(const std::string& table, std::string_view key, std::string_view value)>& visit) {
  Reader in(object);
  if (in.get<uint8_t>() != kRowsFormat) return cep::Error{"newer_data", "an object is of a newer version of weir; use that version"};
  while (in.ok() && !in.at_end()) {
    const std::string table(in.text());
    const std::string_view key = in.text();
    const std::string_view value = in.text();
    if (in.ok()) STATE_TRY(visit(table, key, value));
  }
  return in.ok() ? cep::ok_status() : cep::Status(cep::Error{"damaged", "an object ends within a row"});
}

// What one transaction sees: small, but for the seal.
struct RemoteCopy::Head {
  SealRecord seal;
  std::set<uint32_t> segments;
  struct Range {
    uint64_t first = 0, end = 0;
  };
  std::map<std::string, Range> ranges;
  std::string body;
};

RemoteCopy::RemoteCopy(ObjectStore& store, FileSystem& files, uint16_t lane, const std::optional<RemoteManifest>& newest, RemoteSizes sizes)
    : store_(store), files_(files), lane_(lane), sizes_(sizes) {
  if (newest) accept(*newest);
}

void RemoteCopy::accept(const RemoteManifest& manifest) {
  known_.clear();
  for (const RemoteObject* object : manifest.objects()) known_[object->digest] = *object;
}

void RemoteCopy::begin(cep::TimeUs now_us) {
  now_us_ = now_us;
  manifest_ = RemoteManifest();
  manifest_.time_us = now_us;
}

cep::Result<RemoteObject> RemoteCopy::put(std::string_view body) {
  RemoteObject object{"", body.size(), digest_of(body)};
  auto known = known_.find(object.digest);
  if (known != known_.end() && known->second.bytes == object.bytes) return known->second;
  if (stops_ && stops_()) return cep::Error{"stopping", "the upload was broken off: the service is stopping"};
  // The number keeps names of one upload apart where the clock stands still.
  const uint64_t when = static_cast<uint64_t>(now_us_) + put_number_++;
  object.name = std::string(kObjectFolder) + "/" + digits(when, 20) + "-" + hex(object.digest);
  STATE_TRY(store_.put_new(object.name, body));
  bytes_put_ += body.size();
  known_[object.digest] = object;      // what this upload does not name after all is not met again: digests are of contents
  return object;
}

cep::Result<RemoteCopy::Head> RemoteCopy::read_head(const Env& env) const {
  Head head;
  STATE_TRY(env.read([&](ReadTxn& txn) -> cep::Status {
    head = Head();
    const Key lane = Key().u16(lane_);
    Cursor last = txn.cursor(env.table("ckpt"));
    if (!last.seek_before(Key().u16(static_cast<uint16_t>(lane_ + 1))) || !last.on(lane)) {
      return cep::Error{"nothing_sealed", "no checkpoint was sealed yet"};
    }
    KeyReader key(last.key());
    key.u16();
    const Key newest = Key(lane).u32(key.u32());
    auto payload = get_pieces(txn, env.table("ckpt"), newest, "the seal");
    if (!payload.ok()) return payload.error();
    auto seal = decode_seal(payload->value_or(""));
    if (!seal.ok()) return seal.error();
    head.seal = std::move(*seal);
    add_all(txn, env, "ckpt", newest, head.body);
    Cursor footers = txn.cursor(env.table("segment"));
    for (bool more = footers.seek(lane); more && footers.on(lane); more = footers.next()) {
      auto bytes = open_value(footers.value(), "a segment footer");
      if (!bytes.ok()) return bytes.error();
      auto footer = decode_footer(*bytes);
      if (!footer.ok()) return footer.error();
      if (footer->deleting) continue;
      KeyReader number(footers.key());
      number.u16();
      head.segments.insert(number.u32());
      add_row(head.body, "segment", footers.key(), footers.value());
    }
    for (const char* table : {"totals", "cursor", "parked"}) add_all(txn, env, table, lane, head.body);
    for (const auto& [table, number] : {std::pair("alert", kAlertTotals), std::pair("rejected", kRejectedTotals)}) {
      auto totals = get_small(txn, env.table("totals"), Key(lane).u16(number), "totals");
      if (!totals.ok()) return totals.error();
      Reader in(totals->has_value() ? std::string_view(**totals) : std::string_view());
      const uint64_t end = in.get<uint64_t>();
      const uint64_t first = in.get<uint64_t>();
      head.ranges[table] = {first, end};
    }
    // By offset: those below the checkpoint are all there, the others come again when the log is read on.
    for (const char* table : {"edit", "decision"}) {
      Cursor first = txn.cursor(env.table(table));
      const uint64_t end = head.seal.checkpoint.applied_through;
      const bool any = first.seek(lane) && first.on(lane);
      head.ranges[table] = {any ? std::min(row_number(table, first.key()), end) : end, end};
    }
    return cep::ok_status();
  }));
  return head;
}

cep::Status RemoteCopy::copy_state(const Env& env) {
  auto head = read_head(env);
  if (!head.ok()) return head.error();
  const SealedCheckpoint& seal = head->seal.checkpoint;
  manifest_.sequence = seal.sequence;
  manifest_.applied_through = seal.applied_through;
  manifest_.reread_offset = seal.reread_offset;
  manifest_.keys = head->seal.live_keys;
  manifest_.shards = shards_of(env);
  control_ = seal.control;
  STATE_TRY(copy_segments(env, head->segments));
  for (const auto& [table, range] : head->ranges) STATE_TRY(copy_rows(env, table, range.first, range.end));
  auto put_head = put(head->body);
  if (!put_head.ok()) return put_head.error();
  manifest_.head = *put_head;
  return cep::ok_status();
}

// Packs that are less than half alive are made anew from what lives in them, and small ones together with what is new.
cep::Status RemoteCopy::copy_segments(const Env& env, const std::set<uint32_t>& live) {
  std::set<uint32_t> copied;
  std::erase_if(packs_, [&](const Pack& pack) {
    uint64_t alive = 0;
    for (const auto& [segment, bytes] : pack.segments) alive += live.contains(segment) ? bytes : 0;
    return pack.bytes < sizes_.full_bytes || alive * 2 < pack.bytes;
  });
  for (const Pack& pack : packs_) {
    for (const auto& [segment, bytes] : pack.segments) copied.insert(segment);
  }
  Pack pack;
  std::string body;
  const auto end_pack = [&]() -> cep::Status {
    if (!body.empty()) {
      auto object = put(body);
      if (!object.ok()) return object.error();
      pack.objects.push_back(*object);
    }
    body.clear();
    if (!pack.segments.empty()) packs_.push_back(std::exchange(pack, Pack()));
    return cep::ok_status();
  };
  for (const uint32_t segment : live) {
    if (copied.contains(segment)) continue;
    STATE_TRY(copy_segment(env, segment, pack, body));
    if (pack.bytes >= sizes_.full_bytes) STATE_TRY(end_pack());
  }
  STATE_TRY(end_pack());
  std::vector<RemoteObject>& objects = manifest_.rows["segment"];
  for (const Pack& one : packs_) objects.insert(objects.end(), one.objects.begin(), one.objects.end());
  return cep::ok_status();
}

cep::Status RemoteCopy::copy_segment(const Env& env, uint32_t segment, Pack& pack, std::string& body) {
  uint64_t& bytes = pack.segments[segment];
  for (uint32_t shard = 0; shard < manifest_.shards; ++shard) {
    for (const std::string& table : {index_table(shard), record_table(shard)}) {
      if (!env.find_table(table)) continue;
      const std::string to = text_of(Key().u16(lane_).u32(segment + 1));
      STATE_TRY(read_rows(env, table, text_of(Key().u16(lane_).u32(segment)), to, [&](std::string_view key, std::string_view value) {
        const size_t before = body.size();
        add_row(body, table, key, value);
        bytes += body.size() - before;
        pack.bytes += body.size() - before;
        if (body.size() < sizes_.full_bytes) return cep::ok_status();
        auto object = put(body);
        if (!object.ok()) return cep::Status(object.error());
        pack.objects.push_back(*object);
        body.clear();
        return cep::ok_status();
      }));
    }
  }
  return cep::ok_status();
}

cep::Status RemoteCopy::copy_rows(const Env& env, const std::string& table, uint64_t first, uint64_t end) {
  Stream& stream = streams_[table];
  std::erase_if(stream.full, [&](const Chunk& chunk) { return chunk.end <= first; });
  stream.next = std::max(stream.next, first);
  std::string body;
  uint64_t last = 0;
  const std::string to = text_of(Key().u16(lane_).u64(end));
  // Cuts that do not depend on where the copy began are found again after a start, when the oldest rows have gone.
  const bool by_sequence = table == "alert" || table == "rejected";
  const auto take = [&](std::string_view key, std::string_view value) -> cep::Status {
    const uint64_t number = row_number(table, key);
    const bool is_cut = by_sequence && number / sizes_.full_numbers != last / sizes_.full_numbers;
    if (!body.empty() && number != last && (is_cut || body.size() >= sizes_.full_bytes)) {
      auto object = put(body);
      if (!object.ok()) return object.error();
      stream.full.push_back({number, *object});
      stream.next = number;
      body.clear();
    }
    add_row(body, table, key, value);
    last = number;
    return cep::ok_status();
  };
  if (stream.next < end) STATE_TRY(read_rows(env, table, text_of(Key().u16(lane_).u64(stream.next)), to, take));
  manifest_.first[table] = first;
  std::vector<RemoteObject>& objects = manifest_.rows[table];
  for (const Chunk& chunk : stream.full) objects.push_back(chunk.object);
  if (body.empty()) return cep::ok_status();
  auto rest = put(body);
  if (!rest.ok()) return rest.error();
  objects.push_back(*rest);
  return cep::ok_status();
}

cep::Status RemoteCopy::copy_log(const std::string& log_dir, uint64_t end) {
  auto listed = list_segments(files_, log_dir);
  if (!listed.ok()) return listed.error();
  // A file that begins at the end has nothing durable yet; alone it still says where the log goes on.
  while (listed->size() > 1 && listed->back().first_offset >= end) listed->pop_back();
  if (!listed->empty() && listed->front().first_offset > manifest_.reread_offset) {
    return cep::Error{"log_trimmed", "the event log no longer has offset " + std::to_string(manifest_.reread_offset) +
                                         ", which the checkpoint that is uploaded needs: the next one is tried"};
  }
  std::map<std::string, std::map<uint64_t, RemoteObject>> kept;
  for (const LogSegment& file : *listed) {
    auto known = blocks_.find(file.file_name());
    if (known != blocks_.end()) kept.insert(*known);
  }
  blocks_ = std::move(kept);
  for (size_t i = 0; i < listed->size(); ++i) {
    const LogSegment& file = (*listed)[i];
    uint64_t bytes = file.bytes;
    if (i + 1 == listed->size()) {
      auto durable = durable_bytes(log_dir, file, end);
      if (!durable.ok()) return durable.error();
      bytes = *durable;
    }
    STATE_TRY(copy_file(log_dir, file, bytes));
  }
  manifest_.log_end = end;
  return cep::ok_status();
}

// How much of the newest file holds frames below `end`: behind that a flush may be under way.
cep::Result<uint64_t> RemoteCopy::durable_bytes(const std::string& log_dir, const LogSegment& file, uint64_t end) {
  if (file.first_offset >= end) return uint64_t{0};
  if (tail_ == nullptr || tail_file_ != file.file_name()) {
    auto reader = LogReader::open(files_, log_dir, file.first_offset);
    if (!reader.ok()) return reader.error();
    tail_ = std::move(*reader);
    tail_file_ = file.file_name();
  }
  for (;;) {
    auto frame = tail_->next(end);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return tail_->file_position();
  }
}

cep::Status RemoteCopy::copy_file(const std::string& log_dir, const LogSegment& file, uint64_t bytes) {
  RemoteLogFile& copy = manifest_.log.emplace_back();
  copy.name = file.file_name();
  std::map<uint64_t, RemoteObject>& known = blocks_[copy.name];
  std::unique_ptr<File> opened;
  for (uint64_t from = 0; from < bytes; from += sizes_.log_block_bytes) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(sizes_.log_block_bytes, bytes - from));
    auto block = known.find(from);
    if (block == known.end() || block->second.bytes != size) {
      if (opened == nullptr) {
        auto file_opened = files_.open(log_dir + "/" + copy.name, OpenMode::kRead);
        if (!file_opened.ok()) return file_opened.error();
        opened = std::move(*file_opened);
      }
      std::string body(size, '\0');
      auto got = opened->read_at(from, body.data(), size);
      if (!got.ok()) return got.error();
      if (*got != size) return cep::Error{"io_error", log_dir + "/" + copy.name + " became shorter while it was copied"};
      auto object = put(body);
      if (!object.ok()) return object.error();
      block = known.insert_or_assign(from, *object).first;
    }
    copy.blocks.push_back({from, block->second});
  }
  return cep::ok_status();
}

cep::Status RemoteCopy::copy_admin(const Env& env) {
  std::string body;
  STATE_TRY(env.read([&](ReadTxn& txn) -> cep::Status {
    body.assign(1, static_cast<char>(kRowsFormat));
    for (const std::string& table : admin_tables()) add_all(txn, env, table, {}, body);
    return cep::ok_status();
  }));
  auto object = put(body);
  if (!object.ok()) return object.error();
  manifest_.admin = *object;
  return cep::ok_status();
}

RemoteManifest RemoteCopy::finish(std::vector<std::pair<std::string, uint64_t>> sources) {
  manifest_.sources = std::move(sources);
  return std::move(manifest_);
}

}  // namespace state
