// See dataset.h. Test: tests/unit/cep/dataset_test.cc.
// A key's bytes are its values one after the other. An entry's payload:
//   u8 1 if it expires, then i64 when; a table's columns outside the key, each u8 1 if it has a value, then that;
//   u64 revision, i64 time of the edit, then by, owner and comment as texts.
#include "cep/dataset.h"

#include <algorithm>
#include <memory_resource>
#include <optional>

#include "cep/batch.h"
#include "cep/decimal.h"
#include "cep/parse.h"

namespace cep {
namespace {

// A value's canonical bytes by its declared type:
//   int, decimal   the number at the least scale that holds it, then that scale: 16 + 1 bytes
//   float          8 bytes (zero has one sign)      bool, timestamp, duration   8 bytes      ip   16 bytes
//   text           u32 length, bytes

template <class Bytes, class T>
void append_raw(Bytes& out, const T& value) {
  char raw[sizeof value];
  std::memcpy(raw, &value, sizeof value);
  out.append(raw, sizeof raw);
}

template <class T>
T take_raw(std::string_view& rest) {
  T value;
  std::memcpy(&value, rest.data(), sizeof value);
  rest.remove_prefix(sizeof value);
  return value;
}

std::string_view take_text(std::string_view& rest) {
  const auto size = take_raw<uint32_t>(rest);
  const std::string_view text = rest.substr(0, size);
  rest.remove_prefix(size);
  return text;
}

void append_text(std::string& out, std::string_view text) {
  append_raw(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

template <class Bytes>
void append_decimal(Bytes& out, Int128 number, uint8_t scale) {
  while (scale > 0 && number % 10 == 0) {
    number /= 10;
    --scale;
  }
  append_raw(out, number);
  append_raw(out, scale);
}

// False: no value of that type can be equal to this one.
template <class Bytes>
bool append_number(Bytes& out, const Type& type, const Value& v) {
  if (!v.is_number()) return false;
  if (type.kind == TypeKind::kFloat) {
    const double d = v.kind == ValueKind::kFloat ? v.real : decimal_to_double(v.number, v.scale);
    if (compare(v, Value::floating(d)) != 0) return false;
    append_raw(out, d + 0.0);  // -0 + 0 is 0
    return true;
  }
  if (v.kind == ValueKind::kFloat) return false;
  append_decimal(out, v.number, v.scale);
  return true;
}

template <class Bytes>
bool append_field(Bytes& out, const Type& type, const Value& v) {
  switch (type.kind) {
    case TypeKind::kInt:
    case TypeKind::kFloat:
    case TypeKind::kDecimal: return append_number(out, type, v);
    case TypeKind::kText:
      if (v.kind != ValueKind::kText) return false;
      append_raw(out, v.text_size);
      out.append(v.text_data, v.text_size);
      return true;
    case TypeKind::kIp:
      if (v.kind != ValueKind::kIp) return false;
      append_raw(out, v.ip);
      return true;
    case TypeKind::kBool:
      if (v.kind != ValueKind::kBool) return false;
      break;
    case TypeKind::kTimestamp:
      if (v.kind != ValueKind::kTimestamp) return false;
      break;
    case TypeKind::kDuration:
      if (v.kind != ValueKind::kDuration) return false;
      break;
  }
  append_raw(out, static_cast<int64_t>(v.number));
  return true;
}

Value take_field(std::string_view& rest, const Type& type) {
  switch (type.kind) {
    case TypeKind::kInt:
    case TypeKind::kDecimal: {
      const auto number = take_raw<Int128>(rest);
      const auto scale = take_raw<uint8_t>(rest);
      const Int128 scaled = *rescale(number, scale, type.scale);
      return type.kind == TypeKind::kInt ? Value::integer(scaled) : Value::decimal(scaled, type.scale);
    }
    case TypeKind::kFloat: return Value::floating(take_raw<double>(rest));
    case TypeKind::kText: return Value::string(take_text(rest));
    case TypeKind::kIp: return Value::address(take_raw<IpBytes>(rest));
    case TypeKind::kBool: return Value::boolean(take_raw<int64_t>(rest) != 0);
    case TypeKind::kTimestamp: return Value::timestamp(take_raw<int64_t>(rest));
    case TypeKind::kDuration: return Value::duration(take_raw<int64_t>(rest));
  }
  return {};
}

std::string what_is(const std::string& name, bool is_table) { return (is_table ? "table " : "list ") + name; }

}  // namespace

Dataset::Dataset(std::string name, std::vector<Type> types) : name_(std::move(name)), key_types_(std::move(types)) {}

Dataset::Dataset(std::string name, std::vector<Column> columns, std::vector<uint16_t> key)
    : name_(std::move(name)), is_table_(true), columns_(std::move(columns)), key_columns_(std::move(key)) {
  for (const uint16_t column : key_columns_) key_types_.push_back(columns_[column].type);
  for (uint16_t i = 0; i < columns_.size(); ++i) {
    if (std::find(key_columns_.begin(), key_columns_.end(), i) == key_columns_.end()) row_columns_.push_back(i);
  }
}

Error Dataset::wrong(const std::string& code, const std::string& why) const { return {code, what_is(name_, is_table_) + ": " + why}; }

Result<std::string> Dataset::key_bytes(std::span<const std::string> key) const {
  if (key.size() != key_types_.size()) {
    return wrong("wrong_type", std::string(is_table_ ? "a key" : "an element") + " has " + std::to_string(key_types_.size()) +
                                   " field(s), not " + std::to_string(key.size()));
  }
  std::string bytes;
  for (size_t i = 0; i < key.size(); ++i) {
    const Result<Value> value = parse_value(key[i], key_types_[i]);
    if (!value) return wrong(value.error().code, value.error().message);
    append_field(bytes, key_types_[i], *value);
  }
  return bytes;
}

Status Dataset::append_row(const EntryText& entry, std::string& payload) const {
  if (entry.row.size() != row_columns_.size()) {
    return wrong("wrong_type", "a row has " + std::to_string(row_columns_.size()) + " column(s) outside its key, not " +
                                   std::to_string(entry.row.size()));
  }
  for (size_t i = 0; i < entry.row.size(); ++i) {
    const Column& column = columns_[row_columns_[i]];
    append_raw(payload, static_cast<uint8_t>(entry.row[i] ? 1 : 0));
    if (!entry.row[i]) {
      if (column.not_null) return wrong("not_null", "column " + column.name + " must have a value");
      continue;
    }
    const Result<Value> value = parse_value(*entry.row[i], column.type);
    if (!value) return wrong(value.error().code, "column " + column.name + ": " + value.error().message);
    append_field(payload, column.type, *value);
  }
  return ok_status();
}

Status Dataset::put(std::span<const std::string> key, const EntryText& entry, const EntryStamp& stamp) {
  const Result<std::string> bytes = key_bytes(key);
  if (!bytes) return bytes.error();
  std::string payload;
  const bool expires = entry.expires_us != kTimeMax;
  append_raw(payload, static_cast<uint8_t>(expires ? 1 : 0));
  if (expires) append_raw(payload, entry.expires_us);
  if (Status status = append_row(entry, payload); !status) return status;
  append_raw(payload, stamp.revision);
  append_raw(payload, stamp.at_us);
  for (const std::string* text : {&stamp.by, &entry.owner, &entry.comment}) append_text(payload, *text);
  entries_.put(*bytes, payload);
  revision_ = std::max(revision_, stamp.revision);
  return ok_status();
}

Result<bool> Dataset::remove(std::span<const std::string> key, const EntryStamp& stamp) {
  const Result<std::string> bytes = key_bytes(key);
  if (!bytes) return bytes.error();
  revision_ = std::max(revision_, stamp.revision);
  return entries_.erase(*bytes);
}

// What is behind the expiry; nothing if there is no entry that is valid at that time.
std::optional<std::string_view> Dataset::valid_row(std::span<const Value> key, TimeUs time) const {
  if (key.size() != key_types_.size() || entries_.size() == 0) return std::nullopt;
  std::array<std::byte, 512> room;  // most keys are looked up without an allocation
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  std::pmr::string bytes(&memory);
  bytes.reserve(200);
  for (size_t i = 0; i < key.size(); ++i) {
    if (!append_field(bytes, key_types_[i], key[i])) return std::nullopt;
  }
  std::optional<std::string_view> payload = entries_.find(bytes);
  if (!payload) return std::nullopt;
  const bool expires = take_raw<uint8_t>(*payload) != 0;
  if (expires && time >= take_raw<TimeUs>(*payload)) return std::nullopt;
  return payload;
}

bool Dataset::contains(std::span<const Value> element, TimeUs time) const { return valid_row(element, time).has_value(); }

Value Dataset::look_up(std::span<const Value> key, uint16_t column, TimeUs time) const {
  std::optional<std::string_view> row = valid_row(key, time);
  if (!row) return {};
  for (size_t i = 0; i < key_columns_.size(); ++i) {
    if (key_columns_[i] == column) return key[i];
  }
  for (const uint16_t at : row_columns_) {
    const bool has_value = take_raw<uint8_t>(*row) != 0;
    const Value value = has_value ? take_field(*row, columns_[at].type) : Value::null();
    if (at == column) return value;
  }
  return {};
}

DatasetEntry Dataset::entry_of(std::string_view key, std::string_view payload) const {
  DatasetEntry entry;
  for (const Type& type : key_types_) entry.key.push_back(to_display(take_field(key, type)));
  if (take_raw<uint8_t>(payload) != 0) entry.text.expires_us = take_raw<TimeUs>(payload);
  for (const uint16_t column : row_columns_) {
    entry.text.row.emplace_back();
    if (take_raw<uint8_t>(payload) == 0) continue;
    entry.values.resize(entry.text.row.size());
    entry.values.back() = take_field(payload, columns_[column].type);
    entry.text.row.back() = to_display(entry.values.back());
  }
  entry.values.resize(entry.text.row.size());
  entry.stamp.revision = take_raw<uint64_t>(payload);
  entry.stamp.at_us = take_raw<TimeUs>(payload);
  for (std::string* text : {&entry.stamp.by, &entry.text.owner, &entry.text.comment}) *text = take_text(payload);
  return entry;
}

Result<std::optional<DatasetEntry>> Dataset::find(std::span<const std::string> key) const {
  const Result<std::string> bytes = key_bytes(key);
  if (!bytes) return bytes.error();
  const std::optional<std::string_view> payload = entries_.find(*bytes);
  if (!payload) return std::optional<DatasetEntry>();
  return std::optional<DatasetEntry>(entry_of(*bytes, *payload));
}

void Dataset::each_from(uint64_t from, const std::function<bool(uint64_t place, const DatasetEntry& entry)>& visit) const {
  entries_.each_from(from, [&](uint64_t hash, std::string_view key, std::string_view payload) {
    return visit(hash, entry_of(key, payload));
  });
}

std::shared_ptr<const Dataset> Dataset::emptied() const {
  auto empty = std::make_shared<Dataset>(*this);
  empty->entries_ = EntryMap();
  return empty;
}

bool Dataset::is_declared_as(const Dataset& other) const {
  return is_table_ == other.is_table_ && key_types_ == other.key_types_ && columns_ == other.columns_ && key_columns_ == other.key_columns_;
}

void Dataset::restore(EntryMap entries, uint64_t revision) {
  entries_ = std::move(entries);
  revision_ = revision;
}

}  // namespace cep
