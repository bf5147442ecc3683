// Values in LMDB with their own checksum, cut into pieces where they are long. LMDB has no checksums: a flipped bit
// would come back silently wrong.
// Invariant: every value is {crc32c u32, length u32, version u8, payload}, the crc over all that follows it; no
// piece is above kValueBytesMax. A value that does not check is Error "damaged", never data.
// Threads: free functions inside a transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cep/result.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

inline constexpr uint8_t kValueVersion = 1;
inline constexpr size_t kValueHeaderBytes = 9;

// What the entries (lane, number) of table "totals" count.
inline constexpr uint16_t kAlertTotals = 1;
inline constexpr uint16_t kRejectedTotals = 2;
inline constexpr uint16_t kEditTotals = 3;
inline constexpr uint16_t kDecisionTotals = 4;

// {crc32c, length, version, payload}, and back. `what` names the value in the Error.
std::string seal_value(std::string_view payload);
cep::Result<std::string_view> open_value(std::string_view bytes, std::string_view what);

// One entry, for payloads that always fit (numbers, small structs).
void put_small(WriteTxn& txn, Dbi table, std::string_view key, std::string_view payload);
cep::Result<std::optional<std::string>> get_small(ReadTxn& txn, Dbi table, std::string_view key,
                                                  std::string_view what);

// Entries key + piece u16. Keys of one table must have one length. Error: too_large above 65,536 pieces.
cep::Status put_pieces(WriteTxn& txn, Dbi table, const Key& key, std::string_view payload);
cep::Result<std::optional<std::string>> get_pieces(ReadTxn& txn, Dbi table, const Key& key, std::string_view what);
void erase_pieces(WriteTxn& txn, Dbi table, const Key& key);

// The same raw, without the envelope, for records that carry their own checksum.
cep::Status put_raw_pieces(WriteTxn& txn, Dbi table, const Key& key, std::string_view bytes);
std::optional<std::string> get_raw_pieces(ReadTxn& txn, Dbi table, const Key& key);

// Erases up to `max` entries whose key begins so; returns how many.
size_t erase_prefix(WriteTxn& txn, Dbi table, std::string_view prefix, size_t max);

// Joins the pieces that begin where the cursor stands (on piece 0 of `key`) and leaves it after them.
std::string take_pieces(Cursor& cursor, const Key& key);

}  // namespace state
