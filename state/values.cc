// Envelopes and pieces.
#include "state/values.h"

#include <algorithm>

#include "state/crc32c.h"
#include "state/try.h"

namespace state {
namespace {

constexpr size_t kPiecesMax = 65'536;

Key piece_key(const Key& key, size_t piece) { return Key(key).u16(static_cast<uint16_t>(piece)); }

}  // namespace

std::string seal_value(std::string_view payload) {
  std::string bytes;
  bytes.reserve(kValueHeaderBytes + payload.size());
  Writer writer(bytes);
  writer.put<uint32_t>(0).put<uint32_t>(static_cast<uint32_t>(payload.size())).put<uint8_t>(kValueVersion).raw(payload);
  uint32_t checksum = crc32c(std::string_view(bytes).substr(4));
  std::memcpy(bytes.data(), &checksum, sizeof checksum);
  return bytes;
}

cep::Result<std::string_view> open_value(std::string_view bytes, std::string_view what) {
  Reader reader(bytes);
  uint32_t checksum = reader.get<uint32_t>();
  uint32_t length = reader.get<uint32_t>();
  uint8_t version = reader.get<uint8_t>();
  if (!reader.ok() || length != reader.rest().size() || crc32c(bytes.substr(4)) != checksum) {
    return cep::Error{"damaged", std::string(what) + " in the state directory is damaged (checksum does not match)"};
  }
  if (version != kValueVersion) {
    return cep::Error{"damaged", std::string(what) + " was written by a newer version of Weir; start that one"};
  }
  return reader.rest();
}

void put_small(WriteTxn& txn, Dbi table, std::string_view key, std::string_view payload) {
  txn.put(table, key, seal_value(payload));
}

cep::Result<std::optional<std::string>> get_small(ReadTxn& txn, Dbi table, std::string_view key,
                                                  std::string_view what) {
  auto bytes = txn.get(table, key);
  if (!bytes) return std::optional<std::string>();
  auto payload = open_value(*bytes, what);
  if (!payload.ok()) return payload.error();
  return std::optional<std::string>(*payload);
}

cep::Status put_raw_pieces(WriteTxn& txn, Dbi table, const Key& key, std::string_view bytes) {
  if (bytes.size() > kPiecesMax * kValueBytesMax) {
    return cep::Error{"too_large", "a value of " + std::to_string(bytes.size()) + " bytes does not fit the state"};
  }
  size_t piece = 0;
  do {
    txn.append(table, piece_key(key, piece++), bytes.substr(0, kValueBytesMax));
    bytes.remove_prefix(std::min(bytes.size(), kValueBytesMax));
  } while (!bytes.empty());
  return cep::ok_status();
}

std::string take_pieces(Cursor& cursor, const Key& key) {
  std::string bytes;
  for (bool more = cursor.on(key); more && cursor.on(key); more = cursor.next()) bytes.append(cursor.value());
  return bytes;
}

std::optional<std::string> get_raw_pieces(ReadTxn& txn, Dbi table, const Key& key) {
  auto first = txn.get(table, piece_key(key, 0));
  if (!first) return std::nullopt;
  if (first->size() < kValueBytesMax) return std::string(*first);   // nearly all: one search
  Cursor cursor = txn.cursor(table);
  cursor.seek(key);
  return take_pieces(cursor, key);
}

cep::Status put_pieces(WriteTxn& txn, Dbi table, const Key& key, std::string_view payload) {
  return put_raw_pieces(txn, table, key, seal_value(payload));
}

cep::Result<std::optional<std::string>> get_pieces(ReadTxn& txn, Dbi table, const Key& key, std::string_view what) {
  auto bytes = get_raw_pieces(txn, table, key);
  if (!bytes) return std::optional<std::string>();
  auto payload = open_value(*bytes, what);
  if (!payload.ok()) return payload.error();
  return std::optional<std::string>(*payload);
}

size_t erase_prefix(WriteTxn& txn, Dbi table, std::string_view prefix, size_t max) {
  size_t erased = 0;
  if (max == 0) return erased;
  Cursor cursor = txn.cursor(table);
  bool more = cursor.seek(prefix);
  while (more && cursor.on(prefix) && cursor.erase()) more = ++erased < max && cursor.next();
  return erased;
}

void erase_pieces(WriteTxn& txn, Dbi table, const Key& key) { erase_prefix(txn, table, key, kPiecesMax); }

}  // namespace state
