// What a program asks of events beside its automaton: predicates, the parts of its key, and the windows of its conditions with the rings
// they read (cep/ring.h). Part of cep::Program, immutable.
#pragma once

#include <string>
#include <vector>

#include "cep/expr.h"

namespace cep {

enum class AggregateKind : uint8_t { kCount, kSum, kAvg, kMin, kMax, kStddev, kCountDistinct, kFirst, kLast };

inline constexpr int32_t kAlways = -1;               // predicate: no condition on the event alone
inline constexpr int32_t kNever = -2;                // predicate: this input can never fit

// A condition on the event alone, evaluated once per batch for all rules that share it.
// Its identity among rules is (stream, text).
struct Predicate {
  uint16_t input = 0;
  ExprId expr = kNoExpr;          // kField, constants, functions, lists and tables only
  std::string text;               // canonical print, bare field names
};

struct KeyPart {
  std::string name;
  Type type;
};

// kNumber: int, decimal, time, bool at a fixed scale, a float that is handed out again as its rank (ring.h); kFloat: units of 1e-9, for
// sums; kText: a hash that tells values apart; kBytes: a text or address as it is; kRow: the whole event, packed (cep/row.h).
enum class RingValue : uint8_t { kNone, kNumber, kFloat, kText, kBytes, kRow };
// What stays of an event: its entry, or (over (all)) what all events came to: totals, the first, least or greatest value (cep/lifetime.h).
enum class RingKeep : uint8_t { kEntries, kTotals, kFirst, kLeast, kGreatest };

// Events of one input that windows look at: time and at most one value, newest last. Shared between rules and versions by `identity`.
struct Ring {
  uint16_t input = 0;
  int32_t predicate = kAlways;            // source filter AND window filter
  ExprId argument = kNoExpr;              // over the event; kNoExpr: only counted, or a whole row
  RingValue value = RingValue::kNone;
  RingKeep keep = RingKeep::kEntries;
  Type type;                              // of the argument
  // over (partition by ..): the key whose events it holds, over the event; empty: the rule's key (R49).
  std::vector<KeyPart> other_key;
  std::vector<ExprId> other_key_parts;
  DurationUs span_us = 0;                 // longest window of this program on it
  std::string identity;                   // stream, key, predicate and argument as canonical text
};

// (t - span, t], and of that at most the newest `rows` entries.
struct WindowExtent {
  DurationUs span_us = 0;
  uint32_t rows = 0;                      // 0: any number
  auto operator<=>(const WindowExtent&) const = default;
};

struct Window {
  AggregateKind kind = AggregateKind::kCount;
  uint16_t ring = 0;
  WindowExtent extent;
  uint32_t offset = 0;                    // kLast: so many before the newest (prev)
  bool exclude_current = false;
  bool scans = false;                     // the ring holds rows: filter and argument are asked of each, `this` is the event under test
  ExprId scan_filter = kNoExpr;
  ExprId scan_argument = kNoExpr;
  std::vector<ExprId> other_key;          // of the event under test: which key's ring is read, by Ring::other_key
  std::vector<uint16_t> asked_inputs;     // whose event may be under test where this is written: columns of `this` and other_key are theirs
  Type type;                              // of the result
  std::string text;                       // as written, canonical: for evidence and match state
  // Its value depends on the event under test, not only on the key and the time.
  bool asks_event() const { return scans || !other_key.empty(); }
};

}  // namespace cep
