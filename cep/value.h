// One value of a rule's arithmetic: a tagged 32-byte scalar with SQL nulls, and the comparisons of R53.
// A text Value does not own its bytes: they live in a batch, a packed row, a program's constants or a TextArena,
// whichever is named by who made the value. Threads: plain values.
#pragma once

#include <cstring>
#include <deque>
#include <string>
#include <string_view>

#include "cep/types.h"

namespace cep {

enum class ValueKind : uint8_t { kNull, kBool, kInt, kFloat, kDecimal, kText, kTimestamp, kDuration, kIp };

struct Value {
  ValueKind kind = ValueKind::kNull;
  uint8_t scale = 0;                    // of a decimal: the value is number / 10^scale
  uint32_t text_size = 0;
  union {
    Int128 number;                      // bool (0/1), int, decimal (scaled), timestamp and duration (us)
    double real;
    const char* text_data;
    IpBytes ip;
  };

  Value() : number(0) {}
  bool is_null() const { return kind == ValueKind::kNull; }
  bool is_true() const { return kind == ValueKind::kBool && number != 0; }
  bool is_number() const {
    return kind == ValueKind::kInt || kind == ValueKind::kFloat || kind == ValueKind::kDecimal;
  }
  std::string_view text() const { return {text_data, text_size}; }

  static Value null() { return {}; }
  static Value boolean(bool b) { return integral(ValueKind::kBool, b); }
  static Value integer(Int128 n) { return integral(ValueKind::kInt, n); }
  static Value timestamp(TimeUs t) { return integral(ValueKind::kTimestamp, t); }
  static Value duration(DurationUs d) { return integral(ValueKind::kDuration, d); }
  static Value decimal(Int128 scaled, uint8_t scale) {
    Value v = integral(ValueKind::kDecimal, scaled);
    v.scale = scale;
    return v;
  }
  static Value floating(double d) {
    Value v;
    v.kind = ValueKind::kFloat;
    v.real = d;
    return v;
  }
  static Value string(std::string_view s) {
    Value v;
    v.kind = ValueKind::kText;
    v.text_data = s.data();
    v.text_size = static_cast<uint32_t>(s.size());
    return v;
  }
  static Value address(const IpBytes& bytes) {
    Value v;
    v.kind = ValueKind::kIp;
    v.ip = bytes;
    return v;
  }

 private:
  static Value integral(ValueKind kind, Int128 n) {
    Value v;
    v.kind = kind;
    v.number = n;
    return v;
  }
};

// -1, 0, 1; exact on the real values when int, decimal and float mix (R53). Both non-null and comparable
// (numbers with numbers, else the same kind).
int compare(const Value& a, const Value& b);

// Owner of texts made during an evaluation (lower(x), a || b). Pointers stay valid until clear().
class TextArena {
 public:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  void clear() {
    if (!texts_.empty()) texts_.clear();
  }

 private:
  std::deque<std::string> texts_;
};

// A Value that owns its text: for alerts, constants and match state, not for hot paths.
class OwnedValue {
 public:
  OwnedValue() = default;
  explicit OwnedValue(const Value& v) : value_(v) {
    if (v.kind == ValueKind::kText) text_ = v.text();
  }
  // The view is valid as long as this object is.
  Value view() const {
    Value v = value_;
    if (v.kind == ValueKind::kText) v.text_data = text_.data();
    return v;
  }
  bool operator==(const OwnedValue& other) const;   // null equals null here: this is identity, not SQL

 private:
  Value value_;
  std::string text_;
};

// The value as text for a person and for `message`: decimals at their scale, floats shortest round-trip, times RFC 3339
// UTC with 3 digits (6 if needed), durations ISO 8601, null as "-".
std::string to_display(const Value& v);

// RFC 3339 UTC with 3 fraction digits, or 6 if needed.
std::string format_time(TimeUs t);
// ISO 8601 ("PT1H30M", "PT0.5S").
std::string format_duration(DurationUs d);
// Dotted quad for v4-mapped addresses, RFC 5952 otherwise.
std::string format_ip(const IpBytes& ip);
// Decimal digits with sign and point at `scale`.
std::string format_decimal(Int128 scaled, uint8_t scale);

}  // namespace cep
