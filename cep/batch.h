// A batch: up to a thousand or so events of ONE stream as columns, in order of arrival.
// Immutable once built, shared as shared_ptr<const Batch> by every shard that has rows of it. Text lives in the batch's
// own arena; a text's hash is computed once, here. Built by one thread with BatchBuilder, where a bad row costs nothing to undo.
#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "cep/schema.h"
#include "cep/value.h"

namespace cep {

inline constexpr uint32_t kBatchRowsMax = 1024;
inline constexpr size_t kArenaSpareBytes = 64;   // so that readers may load whole words past the last text
inline constexpr SourceId kInputSource = 0;      // HTTP, or the file of a run

// 64-bit hash of bytes (XXH3), never 0. The one hash of texts, keys and routing.
uint64_t hash_bytes(const void* data, size_t size);

struct BatchColumn {
  explicit BatchColumn(std::pmr::memory_resource* memory)
      : fixed(memory), real(memory), ip(memory), offset(memory), length(memory), is_null(memory) {}

  TypeKind kind = TypeKind::kText;
  uint8_t scale = 0;
  std::pmr::vector<int64_t> fixed;      // bool 0/1, int, decimal scaled, timestamp and duration us; text: its hash (as int64)
  std::pmr::vector<double> real;        // float
  std::pmr::vector<IpBytes> ip;
  std::pmr::vector<uint32_t> offset;    // text: into the arena
  std::pmr::vector<uint32_t> length;
  std::pmr::vector<uint8_t> is_null;    // one byte a row; always sized to rows
};

struct Batch {
 private:
  // Small batches are many when streams alternate: everything of one is in the same piece of memory, got at once.
  alignas(16) std::byte inline_memory_[2048];
  std::pmr::monotonic_buffer_resource memory_{inline_memory_, sizeof inline_memory_};

 public:
  Batch() : time(&memory_), position(&memory_), ordinal(&memory_), columns(&memory_), arena(&memory_) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  BatchColumn& add_column() { return columns.emplace_back(&memory_); }

  SchemaPtr schema;
  SourceId source = 0;
  TimeUs received_us = 0;                 // wall clock of arrival, as data from the log; 0 in run and test
  std::pmr::vector<TimeUs> time;          // event time of each row
  std::pmr::vector<uint64_t> position;    // of each row: its place in the lane's log, or its number in a file
  std::pmr::vector<uint64_t> ordinal;     // of each row in its source, where the source numbers its own (Kafka: the offset); else empty
  std::pmr::vector<BatchColumn> columns;  // by schema column
  std::pmr::string arena;                 // text bytes, kArenaSpareBytes more at the end
  uint32_t packed_slot_bytes = 0;         // of every row when it is packed (cep/row.h): its columns of fixed size
  uint32_t text_columns = 0;

  uint32_t rows() const { return static_cast<uint32_t>(time.size()); }
  // Identity of a row in its source when the stream has no `unique` (R71).
  uint64_t ordinal_of(uint32_t row) const { return ordinal.empty() ? position[row] : ordinal[row]; }
  Value value(uint32_t row, uint16_t column) const;     // null if the column is null or beyond this batch's columns
  std::string_view text(uint32_t row, uint16_t column) const {
    const BatchColumn& c = columns[column];
    return {arena.data() + c.offset[row], c.length[row]};
  }
};

using BatchPtr = std::shared_ptr<const Batch>;

// begin_row, set_* for the columns that are present (others are null), then commit_row or abandon_row.
// Values must already be checked (range, scale); not_null and the event time are the decoder's to check: see missing_column().
class BatchBuilder {
 public:
  BatchBuilder(SchemaPtr schema, SourceId source, TimeUs received_us);

  void begin_row();
  void set_fixed(uint16_t column, int64_t value);         // bool, int, decimal, timestamp, duration
  void set_real(uint16_t column, double value);
  void set_ip(uint16_t column, const IpBytes& value);
  void set_text(uint16_t column, std::string_view value); // copied
  bool is_set(uint16_t column) const;                     // in the row under way: to find duplicate keys
  int missing_column() const;                             // first `not null` column not set in the row under way, or -1
  void commit_row(uint64_t position);
  void abandon_row();

  uint32_t rows() const { return rows_; }
  const StreamSchema& schema() const { return *schema_; }
  // The finished batch (of no rows if none was committed); the builder is empty afterwards and ready for the next one.
  std::shared_ptr<Batch> finish();

 private:
  void open_batch();
  BatchColumn& slot(uint16_t column);

  SchemaPtr schema_;
  SourceId source_;
  TimeUs received_us_;
  std::shared_ptr<Batch> batch_;      // null until the first row: nothing is allocated for rows that never come
  std::vector<uint8_t> set_;
  uint32_t rows_ = 0;
  uint32_t last_rows_ = 0;            // of the batch before: the best guess for the next
  size_t arena_mark_ = 0;
  bool open_ = false;
};

// Appends a row of another batch of the same columns.
void copy_row(const Batch& from, uint32_t row, uint64_t position, BatchBuilder& rows);

}  // namespace cep
