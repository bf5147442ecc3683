#include "cep/list.h"

#include <algorithm>
#include <memory_resource>
#include <optional>

#include "cep/batch.h"
#include "cep/decimal.h"
#include "cep/parse.h"

namespace cep {
namespace {

// An element's canonical bytes are its fields one after the other, each by its declared type:
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
      return Value::decimal(*rescale(number, scale, type.scale), type.scale);
    }
    case TypeKind::kFloat: return Value::floating(take_raw<double>(rest));
    case TypeKind::kText: {
      const auto size = take_raw<uint32_t>(rest);
      const Value v = Value::string(rest.substr(0, size));
      rest.remove_prefix(size);
      return v;
    }
    case TypeKind::kIp: return Value::address(take_raw<IpBytes>(rest));
    case TypeKind::kBool: return Value::boolean(take_raw<int64_t>(rest) != 0);
    case TypeKind::kTimestamp: return Value::timestamp(take_raw<int64_t>(rest));
    case TypeKind::kDuration: return Value::duration(take_raw<int64_t>(rest));
  }
  return {};
}

Result<std::string> encode_text(const std::string& list, const std::vector<Type>& types,
                                std::span<const std::string> fields) {
  if (fields.size() != types.size()) {
    return Error{"wrong_type", "an element of list " + list + " has " + std::to_string(types.size()) +
                                   " field(s), not " + std::to_string(fields.size())};
  }
  std::string bytes;
  for (size_t i = 0; i < fields.size(); ++i) {
    const Result<Value> value = parse_value(fields[i], types[i]);
    if (!value) return Error{value.error().code, "list " + list + ": " + value.error().message};
    append_field(bytes, types[i], *value);
  }
  return bytes;
}

}  // namespace

size_t List::BytesHash::operator()(std::string_view bytes) const { return hash_bytes(bytes.data(), bytes.size()); }

Status List::add_text(std::span<const std::string> fields) {
  Result<std::string> bytes = encode_text(name_, types_, fields);
  if (!bytes) return bytes.error();
  encoded_.insert(std::move(*bytes));
  return ok_status();
}

Result<bool> List::remove_text(std::span<const std::string> fields) {
  const Result<std::string> bytes = encode_text(name_, types_, fields);
  if (!bytes) return bytes.error();
  return encoded_.erase(*bytes) != 0;
}

bool List::contains(std::span<const Value> element) const {
  if (element.size() != types_.size() || encoded_.empty()) return false;
  std::array<std::byte, 512> room;  // most elements are looked up without an allocation
  std::pmr::monotonic_buffer_resource memory(room.data(), room.size());
  std::pmr::string bytes(&memory);
  bytes.reserve(200);
  for (size_t i = 0; i < element.size(); ++i) {
    if (!append_field(bytes, types_[i], element[i])) return false;
  }
  return encoded_.contains(std::string_view(bytes));
}

std::vector<std::vector<std::string>> List::elements() const {
  std::vector<std::vector<std::string>> all;
  all.reserve(encoded_.size());
  for (const std::string& bytes : encoded_) {
    std::string_view rest = bytes;
    std::vector<std::string>& fields = all.emplace_back();
    for (const Type& type : types_) fields.push_back(to_display(take_field(rest, type)));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace cep
