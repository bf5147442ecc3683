// See key.h.
#include "cep/key.h"

namespace cep {
namespace {

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T read_raw(const char* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

KeyTag tag_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBool: return KeyTag::kBool;
    case TypeKind::kInt: return KeyTag::kInt;
    case TypeKind::kFloat: return KeyTag::kFloat;
    case TypeKind::kDecimal: return KeyTag::kDecimal;
    case TypeKind::kText: return KeyTag::kText;
    case TypeKind::kTimestamp: return KeyTag::kTimestamp;
    case TypeKind::kDuration: return KeyTag::kDuration;
    case TypeKind::kIp: return KeyTag::kIp;
  }
  return KeyTag::kNull;
}

// Size of the payload after the tag, or 0 when `available` bytes cannot hold it (no payload is empty but null's, which no key has).
size_t payload_size(KeyTag tag, const char* p, size_t available) {
  size_t need = 8;
  if (tag == KeyTag::kBool) need = 1;
  if (tag == KeyTag::kIp) need = 16;
  if (tag == KeyTag::kText) {
    if (available < 4) return 0;
    need = 4 + size_t{read_raw<uint32_t>(p)};
  }
  return need <= available ? need : 0;
}

}  // namespace

void append_tagged(std::string& out, const Value& value) {
  auto integral = [&](KeyTag tag) {
    out.push_back(static_cast<char>(tag));
    append_raw(out, static_cast<int64_t>(value.number));
  };
  switch (value.kind) {
    case ValueKind::kNull: out.push_back(static_cast<char>(KeyTag::kNull)); break;
    case ValueKind::kBool:
      out.push_back(static_cast<char>(KeyTag::kBool));
      out.push_back(value.number != 0 ? 1 : 0);
      break;
    case ValueKind::kInt: integral(KeyTag::kInt); break;
    case ValueKind::kDecimal: integral(KeyTag::kDecimal); break;
    case ValueKind::kTimestamp: integral(KeyTag::kTimestamp); break;
    case ValueKind::kDuration: integral(KeyTag::kDuration); break;
    case ValueKind::kFloat:
      out.push_back(static_cast<char>(KeyTag::kFloat));
      append_raw(out, value.real);
      break;
    case ValueKind::kText:
      out.push_back(static_cast<char>(KeyTag::kText));
      append_raw(out, value.text_size);
      out.append(value.text());
      break;
    case ValueKind::kIp:
      out.push_back(static_cast<char>(KeyTag::kIp));
      out.append(reinterpret_cast<const char*>(value.ip.data()), value.ip.size());
      break;
  }
}

bool encode_key(std::span<const KeyPart> parts, std::span<const Value> values, std::string& out) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Value value = values[i];
    if (value.is_null()) return false;
    if (parts[i].type.kind == TypeKind::kDecimal && value.kind == ValueKind::kInt) value = Value::decimal(value.number, 0);
    for (; value.kind == ValueKind::kDecimal && value.scale < parts[i].type.scale; ++value.scale) value.number *= 10;
    append_tagged(out, value);
  }
  return true;
}

bool encode_key(std::span<const KeyPart> parts, const Batch& batch, uint32_t row, std::span<const uint16_t> columns, std::string& out) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool is_text = columns[i] < batch.columns.size() && batch.columns[columns[i]].kind == TypeKind::kText;
    if (!is_text) {
      const Value value = batch.value(row, columns[i]);
      if (!encode_key(parts.subspan(i, 1), {&value, 1}, out)) return false;
      continue;
    }
    if (batch.columns[columns[i]].is_null[row] != 0) return false;      // the usual key, without a detour
    const std::string_view text = batch.text(row, columns[i]);
    if (text.size() > kArenaSpareBytes) {
      append_tagged(out, Value::string(text));
      continue;
    }
    char key[kTextKeyHead + kArenaSpareBytes];
    out.append(key, put_text_key(key, text));
  }
  return true;
}

std::vector<Value> decode_key(std::span<const KeyPart> parts, std::string_view encoded) {
  std::vector<Value> values;
  const char* p = encoded.data();
  for (const KeyPart& part : parts) {
    KeyTag tag = static_cast<KeyTag>(*p++);
    size_t size = payload_size(tag, p, static_cast<size_t>(encoded.data() + encoded.size() - p));
    switch (tag) {
      case KeyTag::kText: values.push_back(Value::string({p + 4, size - 4})); break;
      case KeyTag::kInt: values.push_back(Value::integer(read_raw<int64_t>(p))); break;
      case KeyTag::kDecimal: values.push_back(Value::decimal(read_raw<int64_t>(p), part.type.scale)); break;
      case KeyTag::kTimestamp: values.push_back(Value::timestamp(read_raw<int64_t>(p))); break;
      case KeyTag::kDuration: values.push_back(Value::duration(read_raw<int64_t>(p))); break;
      case KeyTag::kFloat: values.push_back(Value::floating(read_raw<double>(p))); break;
      case KeyTag::kBool: values.push_back(Value::boolean(*p != 0)); break;
      case KeyTag::kIp: values.push_back(Value::address(read_raw<IpBytes>(p))); break;
      case KeyTag::kNull: values.push_back(Value::null()); break;
    }
    p += size;
  }
  return values;
}

bool is_sound_key(std::span<const KeyPart> parts, std::string_view encoded) {
  const char* p = encoded.data();
  size_t left = encoded.size();
  for (const KeyPart& part : parts) {
    if (left < 1 || static_cast<KeyTag>(*p) != tag_of(part.type.kind)) return false;
    size_t size = payload_size(static_cast<KeyTag>(*p), p + 1, left - 1);
    if (size == 0) return false;
    p += 1 + size;
    left -= 1 + size;
  }
  return left == 0;
}

}  // namespace cep
