// A row packed into bytes: what a key's block keeps of a bound event, and what an alert carries.
// Layout (little-endian, 8-aligned, see state/FORMAT.md): RowHeader, null bits (columns, padded to 8 bytes), 8 bytes per fixed or
// float column (16 per ip; the event-time column is in the header and takes none), u32 end offset per text column (padded to 8), text.
#pragma once

#include <cstdint>
#include <vector>

#include "cep/batch.h"

namespace cep {

struct RowHeader {
  uint32_t size = 0;         // of the whole row in bytes, a multiple of 8
  uint32_t number = 0;       // order among the rows of its key; what "start position" compares (R31)
  StreamId stream{};
  uint16_t columns = 0;      // of the schema version it was packed with
  SourceId source = 0;
  uint16_t reserved = 0;
  TimeUs time = 0;
  uint64_t position = 0;     // Batch::ordinal_of
};
static_assert(sizeof(RowHeader) == 32);

// Bytes that the schema's first `columns` columns take in any row, texts aside.
uint32_t packed_slot_bytes(const StreamSchema& schema, size_t columns);
// Bytes needed by pack_row for this row (a multiple of 8).
uint32_t packed_size(const Batch& batch, uint32_t row);
// Writes packed_size bytes to `out` (8-aligned). `number` is left 0 for the caller.
void pack_row(const Batch& batch, uint32_t row, uint8_t* out);
// Checks an untrusted packed row of at most `available` bytes against the schema: sizes, offsets, bounds.
bool verify_row(const StreamSchema& schema, const uint8_t* packed, size_t available);

// An event either in a batch or packed: one reader for both. Does not own.
struct RowRef {
  const StreamSchema* schema = nullptr;
  const Batch* batch = nullptr;       // set: `row` of it
  uint32_t row = 0;
  const uint8_t* packed = nullptr;    // else this

  bool valid() const { return batch != nullptr || packed != nullptr; }
  TimeUs time() const;
  Value value(uint16_t column) const;
};
inline RowRef row_of(const Batch& batch, uint32_t row) { return {batch.schema.get(), &batch, row, nullptr}; }
inline RowRef row_of(const StreamSchema& schema, const uint8_t* packed) { return {&schema, nullptr, 0, packed}; }

}  // namespace cep
