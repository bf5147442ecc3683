#include "cep/row.h"

#include <algorithm>

namespace cep {
namespace {

constexpr size_t align8(size_t n) { return (n + 7) & ~size_t{7}; }
size_t null_bytes(size_t columns) { return (columns + 63) / 64 * 8; }

template <class T>
T load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(uint8_t* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}

size_t slot_bytes(const StreamSchema& schema, size_t column) {
  if (column == schema.time_column) return 0;
  switch (schema.columns[column].type.kind) {
    case TypeKind::kText: return 0;
    case TypeKind::kIp: return sizeof(IpBytes);
    default: return 8;
  }
}

// Where things are in a row of the schema's first `columns` columns, found by a walk over them.
struct Layout {
  size_t slots;      // offset of the first fixed slot
  size_t ends;       // offset of the u32 ends of the texts
  size_t texts;      // number of text columns
  size_t bytes;      // offset of the texts

  Layout(size_t columns, size_t slot_bytes, size_t text_columns)
      : slots(sizeof(RowHeader) + null_bytes(columns)),
        ends(slots + slot_bytes),
        texts(text_columns),
        bytes(align8(ends + texts * sizeof(uint32_t))) {}
  Layout(const StreamSchema& schema, size_t columns) : Layout(columns, packed_slot_bytes(schema, columns), count_texts(schema, columns)) {}
  explicit Layout(const Batch& batch) : Layout(batch.columns.size(), batch.packed_slot_bytes, batch.text_columns) {}

 private:
  static size_t count_texts(const StreamSchema& schema, size_t columns) {
    size_t count = 0;
    for (size_t i = 0; i < columns; ++i) count += schema.columns[i].type.kind == TypeKind::kText;
    return count;
  }
};

bool is_null_bit(const uint8_t* packed, size_t column) {
  return packed[sizeof(RowHeader) + column / 8] >> (column % 8) & 1;
}

Value packed_text(const StreamSchema& schema, const uint8_t* packed, uint16_t columns, uint16_t column) {
  const Layout layout(schema, columns);
  size_t index = 0;
  for (size_t i = 0; i < column; ++i) index += schema.columns[i].type.kind == TypeKind::kText;
  const uint8_t* ends = packed + layout.ends;
  const uint32_t begin = index == 0 ? 0 : load<uint32_t>(ends + 4 * (index - 1));
  const uint32_t end = load<uint32_t>(ends + 4 * index);
  return Value::string({reinterpret_cast<const char*>(packed) + layout.bytes + begin, end - begin});
}

Value packed_value(const StreamSchema& schema, const uint8_t* packed, uint16_t column) {
  const auto columns = load<uint16_t>(packed + offsetof(RowHeader, columns));
  if (column >= columns || column >= schema.columns.size()) return {};
  if (column == schema.time_column) return Value::timestamp(load<TimeUs>(packed + offsetof(RowHeader, time)));
  if (is_null_bit(packed, column)) return {};
  const Type& type = schema.columns[column].type;
  if (type.kind == TypeKind::kText) return packed_text(schema, packed, columns, column);
  const uint8_t* slot = packed + sizeof(RowHeader) + null_bytes(columns);
  for (size_t i = 0; i < column; ++i) slot += slot_bytes(schema, i);
  switch (type.kind) {
    case TypeKind::kBool: return Value::boolean(load<int64_t>(slot) != 0);
    case TypeKind::kInt: return Value::integer(load<int64_t>(slot));
    case TypeKind::kFloat: return Value::floating(load<double>(slot));
    case TypeKind::kDecimal: return Value::decimal(load<int64_t>(slot), type.scale);
    case TypeKind::kTimestamp: return Value::timestamp(load<int64_t>(slot));
    case TypeKind::kDuration: return Value::duration(load<int64_t>(slot));
    case TypeKind::kIp: return Value::address(load<IpBytes>(slot));
    case TypeKind::kText: break;
  }
  return {};
}

uint32_t size_of(const Batch& batch, uint32_t row, const Layout& layout) {
  size_t size = layout.bytes;
  for (const BatchColumn& column : batch.columns) {
    if (column.kind == TypeKind::kText) size += column.length[row];
  }
  return static_cast<uint32_t>(align8(size));
}

}  // namespace

uint32_t packed_slot_bytes(const StreamSchema& schema, size_t columns) {
  size_t bytes = 0;
  for (size_t i = 0; i < columns; ++i) bytes += slot_bytes(schema, i);
  return static_cast<uint32_t>(bytes);
}

uint32_t packed_size(const Batch& batch, uint32_t row) { return size_of(batch, row, Layout(batch)); }

void pack_row(const Batch& batch, uint32_t row, uint8_t* out) {
  const size_t columns = batch.columns.size();
  const Layout layout(batch);
  const uint32_t size = size_of(batch, row, layout);
  std::memset(out, 0, layout.bytes);
  std::memset(out + size - 8, 0, 8);  // the padding behind the last text
  RowHeader header;
  header.size = size;
  header.stream = batch.schema->id;
  header.columns = static_cast<uint16_t>(columns);
  header.source = batch.source;
  header.time = batch.time[row];
  header.position = batch.ordinal_of(row);
  store(out, header);
  uint8_t* slot = out + layout.slots;
  uint8_t* end = out + layout.ends;
  uint32_t text_end = 0;
  for (size_t i = 0; i < columns; ++i) {
    const BatchColumn& column = batch.columns[i];
    if (column.is_null[row]) out[sizeof(RowHeader) + i / 8] |= static_cast<uint8_t>(1u << (i % 8));
    if (column.kind == TypeKind::kText) {
      if (column.length[row] != 0) {
        std::memcpy(out + layout.bytes + text_end, batch.arena.data() + column.offset[row], column.length[row]);
      }
      text_end += column.length[row];
      store(end, text_end);
      end += sizeof text_end;
      continue;
    }
    if (column.kind == TypeKind::kIp) {
      store(slot, column.ip[row]);
      slot += sizeof(IpBytes);
    } else if (column.kind == TypeKind::kFloat) {
      store(slot, column.real[row]);
      slot += sizeof(double);
    } else if (i != batch.schema->time_column) {
      store(slot, column.fixed[row]);
      slot += sizeof(int64_t);
    }
  }
}

bool verify_row(const StreamSchema& schema, const uint8_t* packed, size_t available) {
  if (available < sizeof(RowHeader)) return false;
  const auto header = load<RowHeader>(packed);
  if (header.size < sizeof(RowHeader) || header.size > available || header.size % 8 != 0) return false;
  if (header.stream != schema.id || header.columns > schema.columns.size() || header.columns <= schema.time_column) {
    return false;
  }
  const Layout layout(schema, header.columns);
  if (layout.bytes > header.size) return false;
  if (is_null_bit(packed, schema.time_column)) return false;
  const size_t room = header.size - layout.bytes;
  uint32_t previous = 0;
  for (size_t i = 0; i < layout.texts; ++i) {
    const auto end = load<uint32_t>(packed + layout.ends + 4 * i);
    if (end < previous || end > room) return false;
    previous = end;
  }
  return align8(previous) == room;
}

TimeUs RowRef::time() const {
  return batch != nullptr ? batch->time[row] : load<TimeUs>(packed + offsetof(RowHeader, time));
}

Value RowRef::value(uint16_t column) const {
  return batch != nullptr ? batch->value(row, column) : packed_value(*schema, packed, column);
}

}  // namespace cep
