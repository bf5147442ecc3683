// See live_records.h. Tests: tests/unit/state/checkpoint_test.cc.
#include "state/live_records.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <thread>

#include "state/checkpoint.h"
#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr uint32_t kStretchRecords = kIndexEntriesPerPiece * 1'024;
constexpr size_t kProversMax = 8;
constexpr size_t kHandedOver = 64;         // records a call of the sink
constexpr int kStepsBeforeSeek = 16;       // over records that are not live

cep::Error damaged_segment(const char* what, uint32_t segment, const std::string& how) {
  return {"damaged", std::string(what) + std::to_string(segment) + how};
}

// The records of one segment by rising ordinals.
class RecordWalk {
 public:
  RecordWalk(ReadTxn& txn, Dbi table, const Key& segment) : cursor_(txn.cursor(table)), segment_(segment) {}

  // Nothing: it is missing. Holds until the next call, or until the end of the transaction if it is one piece.
  std::optional<std::string_view> at(uint32_t ordinal) {
    const Key key = Key(segment_).u32(ordinal);
    for (int steps = 0; steps < kStepsBeforeSeek && !cursor_.on(key) && cursor_.next();) ++steps;
    if (!cursor_.on(key) && !(cursor_.seek(key) && cursor_.on(key))) return std::nullopt;
    is_joined_ = cursor_.value().size() == kValueBytesMax;
    if (!is_joined_) return cursor_.value();
    joined_ = take_pieces(cursor_, key);
    return joined_;
  }
  bool is_joined() const { return is_joined_; }      // the last one was of several pieces

 private:
  Cursor cursor_;
  Key segment_;
  std::string joined_;
  bool is_joined_ = false;
};

}  // namespace

IdSet::IdSet(uint64_t ids_max)
    : slots_(std::bit_ceil(ids_max + ids_max / 4 + 2)), shift_(64 - static_cast<unsigned>(std::countr_zero(slots_.size()))) {}

bool IdSet::insert(const RecordId& id) {
  if (id == RecordId()) return !std::exchange(has_zero_, true);
  for (size_t at = home(id);; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at] == id) return false;
    if (slots_[at] != RecordId()) continue;
    slots_[at] = id;
    return true;
  }
}

cep::Status LiveRecords::add_index(const Env& env, ReadTxn& txn, uint32_t segment, const SegmentFooter::Shard& footer) {
  const auto disagrees = [&] {
    return damaged_segment("the index of segment ", segment, ", shard " + std::to_string(footer.shard) + " does not have its digest");
  };
  const auto table = env.find_table(index_table(footer.shard));
  if (!table) return disagrees();
  std::vector<std::string_view> pieces;
  Id16 digest{};
  uint64_t bytes = 0;
  const Key key = Key().u16(lane_).u32(segment);
  Cursor cursor = txn.cursor(*table);
  for (bool more = cursor.seek(key); more && cursor.on(key); more = cursor.next()) {
    const std::string_view piece = cursor.value();
    const bool is_full = piece.size() == kIndexEntriesPerPiece * kIndexEntryBytes;
    if (!pieces.empty() && bytes % (kIndexEntriesPerPiece * kIndexEntryBytes) != 0) return disagrees();      // a short one is the last
    if (!is_full && piece.size() % kIndexEntryBytes != 0) return disagrees();
    digest = chain_digest(digest, piece);
    bytes += piece.size();
    pieces.push_back(piece);
  }
  if (digest != footer.index_digest || bytes != uint64_t{footer.entries} * kIndexEntryBytes) return disagrees();
  Part part{.segment = segment, .shard = footer.shard, .records = footer.entries, .keys = 0, .live = {}};
  part.live.resize((size_t{part.records} + 63) / 64);
  for (size_t i = pieces.size(); i-- > 0;) {
    STATE_TRY(take_piece(pieces[i], part, static_cast<uint32_t>(i * kIndexEntriesPerPiece)));
  }
  parts_.push_back(std::move(part));
  return cep::ok_status();
}

// The entries of the ordinals from `first` on, the last of them first: of two records of one key in a segment the later one counts.
cep::Status LiveRecords::take_piece(std::string_view piece, Part& part, uint32_t first) {
  std::array<IndexEntry, kIndexEntriesPerPiece> entries;
  const size_t count = piece.size() / kIndexEntryBytes;
  for (size_t i = 0; i < count; ++i) {
    auto entry = decode_index_entry(piece.substr(i * kIndexEntryBytes, kIndexEntryBytes));
    if (!entry.ok()) return entry.error();
    if (entry->ordinal != first + i) return damaged_segment("an index entry of segment ", part.segment, " is of another record");
    entries[i] = *entry;
    seen_.prefetch(entry->id);
  }
  for (size_t i = count; i-- > 0;) {
    const IndexEntry& entry = entries[i];
    if (!seen_.insert(entry.id)) continue;
    if (entry.gone) {
      tombstones_.push_back({entry.id, {part.segment, static_cast<uint32_t>(entry.deadline_us)}});
    } else {
      ++part.keys;
      part.live[entry.ordinal / 64] |= uint64_t{1} << entry.ordinal % 64;
    }
  }
  return cep::ok_status();
}

// `visit` gets entry, bytes of the record, and whether they hold only until the next one.
template <class Wants, class Visit>
cep::Status LiveRecords::walk(const Env& env, ReadTxn& txn, const Stretch& stretch, Wants&& wants, Visit&& visit) const {
  const Part& part = *stretch.part;
  const Key segment = Key().u16(lane_).u32(part.segment);
  RecordWalk records(txn, env.table(record_table(part.shard)), segment);
  Cursor index = txn.cursor(env.table(index_table(part.shard)));
  uint32_t ordinal = stretch.first;
  for (bool more = index.seek(Key(segment).u32(ordinal / kIndexEntriesPerPiece)); more && ordinal < stretch.end; more = index.next()) {
    if (!index.on(segment)) break;
    for (std::string_view piece = index.value(); piece.size() >= kIndexEntryBytes && ordinal < stretch.end; ++ordinal) {
      const std::string_view bytes = piece.substr(0, kIndexEntryBytes);
      piece.remove_prefix(kIndexEntryBytes);
      if (!part.is_live(ordinal)) continue;
      auto entry = decode_index_entry(bytes);
      if (!entry.ok()) return entry.error();
      if (!wants(entry->id)) continue;
      auto record = records.at(ordinal);
      if (!record) return damaged_segment("a record of segment ", part.segment, " is missing");
      STATE_TRY(visit(*entry, *record, records.is_joined()));
    }
  }
  if (ordinal < stretch.end) return damaged_segment("a part of the index of segment ", part.segment, " is missing");
  return cep::ok_status();
}

cep::Status LiveRecords::prove(const Env& env, ReadTxn& txn) const {
  std::vector<Stretch> stretches;
  for (const Part& part : parts_) {
    for (uint32_t first = 0; part.keys > 0 && first < part.records; first += std::min(kStretchRecords, part.records - first)) {
      stretches.push_back({&part, first, first + std::min(kStretchRecords, part.records - first)});
    }
  }
  std::atomic<size_t> next{0};
  const auto prove_some = [&](ReadTxn& own) -> cep::Status {
    for (size_t i = next++; i < stretches.size(); i = next++) {
      const uint32_t segment = stretches[i].part->segment;
      const auto visit = [&](const IndexEntry& entry, std::string_view bytes, bool) -> cep::Status {
        auto record = decode_key_record(bytes);
        if (!record.ok()) return record.error();
        if (!record->gone && record->space == entry.id.space && record->hash == entry.id.hash) return cep::ok_status();
        return damaged_segment("a record of segment ", segment, " is another key's");
      };
      cep::Status proved = walk(env, own, stretches[i], [](const RecordId&) { return true; }, visit);
      if (!proved.ok()) next = stretches.size();      // the others need not go on
      if (!proved.ok()) return proved;
    }
    return cep::ok_status();
  };
  const size_t threads = std::min({stretches.size(), kProversMax, size_t{std::max(1u, std::thread::hardware_concurrency())}});
  std::vector<cep::Status> statuses(threads, cep::ok_status());
  std::vector<std::thread> helpers;
  for (size_t i = 1; i < threads; ++i) helpers.emplace_back([&, i] { statuses[i] = env.read(prove_some); });
  cep::Status proved = prove_some(txn);
  for (std::thread& helper : helpers) helper.join();
  for (size_t i = 1; i < threads && proved.ok(); ++i) proved = statuses[i];
  return proved;
}

cep::Status LiveRecords::read(const Env& env, const RecordFilter& wants, const RecordSink& sink) const {
  std::vector<StoredRecord> some;
  const auto flush = [&]() -> cep::Status {
    if (some.empty()) return cep::ok_status();
    cep::Status taken = sink(some);
    some.clear();
    return taken;
  };
  return env.read([&](ReadTxn& txn) -> cep::Status {
    for (const Part& part : parts_) {
      if (part.keys == 0) continue;
      const auto visit = [&](const IndexEntry&, std::string_view bytes, bool is_passing) -> cep::Status {
        if (is_passing) STATE_TRY(flush());
        some.push_back(proved_key_record(bytes));
        some.back().segment = part.segment;
        return is_passing || some.size() == kHandedOver ? flush() : cep::ok_status();
      };
      STATE_TRY(walk(env, txn, {&part, 0, part.records}, wants, visit));
    }
    return flush();
  });
}

uint64_t LiveRecords::keys() const {
  uint64_t keys = 0;
  for (const Part& part : parts_) keys += part.keys;
  return keys;
}

uint64_t LiveRecords::keys_of(uint32_t segment) const {
  uint64_t keys = 0;
  for (const Part& part : parts_) keys += part.segment == segment ? part.keys : 0;
  return keys;
}

}  // namespace state
