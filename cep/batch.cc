#include "cep/batch.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "cep/result.h"
#include "cep/row.h"

namespace cep {
namespace {

constexpr size_t kArenaBytesMax = UINT32_MAX - kArenaSpareBytes;

void push_null(BatchColumn& column) {
  switch (column.kind) {
    case TypeKind::kFloat: column.real.push_back(0); break;
    case TypeKind::kIp: column.ip.push_back({}); break;
    case TypeKind::kText:
      column.offset.push_back(0);
      column.length.push_back(0);
      [[fallthrough]];
    default: column.fixed.push_back(0);
  }
  column.is_null.push_back(1);
}

void pop_value(BatchColumn& column) {
  switch (column.kind) {
    case TypeKind::kFloat: column.real.pop_back(); break;
    case TypeKind::kIp: column.ip.pop_back(); break;
    case TypeKind::kText:
      column.offset.pop_back();
      column.length.pop_back();
      [[fallthrough]];
    default: column.fixed.pop_back();
  }
  column.is_null.pop_back();
}

void reserve(BatchColumn& column, size_t rows) {
  switch (column.kind) {
    case TypeKind::kFloat: column.real.reserve(rows); break;
    case TypeKind::kIp: column.ip.reserve(rows); break;
    case TypeKind::kText:
      column.offset.reserve(rows);
      column.length.reserve(rows);
      [[fallthrough]];
    default: column.fixed.reserve(rows);
  }
  column.is_null.reserve(rows);
}

}  // namespace

uint64_t hash_bytes(const void* data, size_t size) {
  const uint64_t hash = XXH3_64bits(data, size);
  return hash != 0 ? hash : 1;
}

Value Batch::value(uint32_t row, uint16_t column) const {
  if (column >= columns.size()) return {};
  const BatchColumn& c = columns[column];
  if (c.is_null[row]) return {};
  switch (c.kind) {
    case TypeKind::kBool: return Value::boolean(c.fixed[row] != 0);
    case TypeKind::kInt: return Value::integer(c.fixed[row]);
    case TypeKind::kFloat: return Value::floating(c.real[row]);
    case TypeKind::kDecimal: return Value::decimal(c.fixed[row], c.scale);
    case TypeKind::kText: return Value::string(text(row, column));
    case TypeKind::kTimestamp: return Value::timestamp(c.fixed[row]);
    case TypeKind::kDuration: return Value::duration(c.fixed[row]);
    case TypeKind::kIp: return Value::address(c.ip[row]);
  }
  return {};
}

BatchBuilder::BatchBuilder(SchemaPtr schema, SourceId source, TimeUs received_us)
    : schema_(std::move(schema)), source_(source), received_us_(received_us), set_(schema_->columns.size(), 0) {}

void BatchBuilder::open_batch() {
  batch_ = std::make_shared<Batch>();
  Batch& batch = *batch_;
  batch.schema = schema_;
  batch.source = source_;
  batch.received_us = received_us_;
  size_t rows = std::max<size_t>(last_rows_, 2);
  batch.time.reserve(rows);
  batch.position.reserve(rows);
  batch.columns.reserve(schema_->columns.size());
  for (const Column& declared : schema_->columns) {
    BatchColumn& column = batch.add_column();
    column.kind = declared.type.kind;
    column.scale = declared.type.scale;
    reserve(column, rows);
    batch.text_columns += column.kind == TypeKind::kText ? 1 : 0;
  }
  batch.packed_slot_bytes = packed_slot_bytes(*schema_, schema_->columns.size());
  rows_ = 0;
  arena_mark_ = 0;
}

void BatchBuilder::begin_row() {
  WEIR_CHECK(!open_, "begin_row inside a row");
  if (batch_ == nullptr) open_batch();
  open_ = true;
  arena_mark_ = batch_->arena.size();
}

// A column set twice in one row keeps the later value; its earlier text stays unused in the arena.
BatchColumn& BatchBuilder::slot(uint16_t column) {
  BatchColumn& c = batch_->columns[column];
  if (set_[column]) pop_value(c);
  set_[column] = 1;
  c.is_null.push_back(0);
  return c;
}

void BatchBuilder::set_fixed(uint16_t column, int64_t value) { slot(column).fixed.push_back(value); }
void BatchBuilder::set_real(uint16_t column, double value) { slot(column).real.push_back(value); }
void BatchBuilder::set_ip(uint16_t column, const IpBytes& value) { slot(column).ip.push_back(value); }

void BatchBuilder::set_text(uint16_t column, std::string_view value) {
  BatchColumn& c = slot(column);
  std::pmr::string& arena = batch_->arena;
  WEIR_CHECK(arena.size() + value.size() <= kArenaBytesMax, "the texts of a batch exceed 4 GiB");
  c.offset.push_back(static_cast<uint32_t>(arena.size()));
  c.length.push_back(static_cast<uint32_t>(value.size()));
  c.fixed.push_back(static_cast<int64_t>(hash_bytes(value.data(), value.size())));
  arena += value;
}

bool BatchBuilder::is_set(uint16_t column) const { return set_[column] != 0; }

int BatchBuilder::missing_column() const {
  const std::vector<Column>& columns = schema_->columns;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].not_null && !set_[i]) return static_cast<int>(i);
  }
  return -1;
}

void BatchBuilder::commit_row(uint64_t position) {
  Batch& batch = *batch_;
  const uint16_t time_column = batch.schema->time_column;
  WEIR_CHECK(open_ && set_[time_column], "a row needs its event time");
  for (size_t i = 0; i < set_.size(); ++i) {
    if (!set_[i]) push_null(batch.columns[i]);
    set_[i] = 0;
  }
  batch.time.push_back(batch.columns[time_column].fixed.back());
  batch.position.push_back(position);
  ++rows_;
  open_ = false;
}

void BatchBuilder::abandon_row() {
  for (size_t i = 0; i < set_.size(); ++i) {
    if (set_[i]) pop_value(batch_->columns[i]);
    set_[i] = 0;
  }
  batch_->arena.resize(arena_mark_);
  open_ = false;
}

std::shared_ptr<Batch> BatchBuilder::finish() {
  WEIR_CHECK(!open_, "finish inside a row");
  if (batch_ == nullptr) open_batch();
  batch_->arena.append(kArenaSpareBytes, '\0');
  last_rows_ = rows_;
  rows_ = 0;
  return std::move(batch_);
}

void copy_row(const Batch& from, uint32_t row, uint64_t position, BatchBuilder& rows) {
  rows.begin_row();
  for (uint16_t c = 0; c < from.columns.size(); ++c) {
    const BatchColumn& column = from.columns[c];
    if (column.is_null[row] != 0) continue;
    switch (column.kind) {
      case TypeKind::kFloat: rows.set_real(c, column.real[row]); break;
      case TypeKind::kIp: rows.set_ip(c, column.ip[row]); break;
      case TypeKind::kText: rows.set_text(c, from.text(row, c)); break;
      default: rows.set_fixed(c, column.fixed[row]); break;
    }
  }
  rows.commit_row(position);
}

}  // namespace cep
