// See ring.h and ring_layout.h. Here: reading a window, and values on their way into entries and back.
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cep/aggregate.h"
#include "cep/ring.h"
#include "cep/ring_numbers.h"

namespace cep {

using namespace ring_layout;

namespace {

// What the window would be without its newest entry; it has at least that one.
void leave_out_newest(const Parts& parts, const RingShape& shape, WindowState& window) {
  if (shape.value == RingValue::kNone) return;
  RingEntryValue newest = read_entry(parts, shape.value, parts.slot(parts.header->next - 1));
  add_to(window, newest, -1);
  if (!shape.keeps_distinct || newest.is_null) return;
  for (uint32_t i = window.tail; i != parts.header->next - 1; ++i) {
    RingEntryValue other = read_entry(parts, shape.value, parts.slot(i));
    bool is_same = !other.is_null && other.hash_low == newest.hash_low &&
                   (other.hash_high | kSuperseded) == (newest.hash_high | kSuperseded);
    if (is_same) return;
  }
  --window.distinct;
}

}  // namespace

// The bits of a float order as ints do, but for the negative ones, which go the other way.
int64_t float_rank(double real) {
  int64_t bits = std::bit_cast<int64_t>(real == 0 ? 0.0 : real);
  return bits < 0 ? bits ^ INT64_MAX : bits;
}

double float_of_rank(int64_t rank) { return std::bit_cast<double>(rank < 0 ? rank ^ INT64_MAX : rank); }

RingEntryValue ring_value(const Ring& ring, const Value& argument, EvalCounters& counters) {
  RingEntryValue value;
  if (ring.argument == kNoExpr) {
    value.is_null = false;
    return value;
  }
  if (argument.is_null()) return value;
  value.is_null = false;
  switch (ring.value) {
    case RingValue::kNone:
    case RingValue::kRow: break;
    case RingValue::kBytes:
      value.bytes = argument.text();
      if (argument.kind == ValueKind::kIp) value.bytes = {reinterpret_cast<const char*>(argument.ip.data()), argument.ip.size()};
      break;
    case RingValue::kNumber:
      value.number = argument.kind == ValueKind::kFloat ? float_rank(argument.real) : argument.number;
      value.is_null = value.number > INT64_MAX || value.number <= INT64_MIN;
      if (value.is_null) ++counters.arithmetic_null;
      break;
    case RingValue::kFloat: {
      std::optional<Int128> billionths = to_billionths(argument.real);
      value.is_null = !billionths.has_value();
      if (value.is_null) ++counters.arithmetic_null;
      value.number = billionths.value_or(0);
      break;
    }
    case RingValue::kText: {
      XXH128_hash_t hash;
      if (argument.kind == ValueKind::kText) {
        hash = XXH3_128bits(argument.text_data, argument.text_size);
      } else if (argument.kind == ValueKind::kIp) {
        hash = XXH3_128bits(argument.ip.data(), argument.ip.size());
      } else if (argument.kind == ValueKind::kFloat) {
        int64_t rank = float_rank(argument.real);
        hash = XXH3_128bits(&rank, sizeof rank);
      } else {
        hash = XXH3_128bits(&argument.number, sizeof argument.number);
      }
      value.hash_low = hash.low64 == 0 ? 1 : hash.low64;
      value.hash_high = hash.high64 & ~kSuperseded;
      break;
    }
  }
  return value;
}

Value value_of_entry(const Ring& ring, const RingEntryValue& value) {
  if (value.is_null) return Value::null();
  if (ring.value == RingValue::kFloat) return Value::floating(static_cast<double>(value.number) / 1e9);
  if (ring.value == RingValue::kBytes && ring.type.kind == TypeKind::kIp) {
    IpBytes ip;
    std::memcpy(ip.data(), value.bytes.data(), std::min(ip.size(), value.bytes.size()));
    return Value::address(ip);
  }
  if (ring.value == RingValue::kBytes) return Value::string(value.bytes);
  if (ring.value != RingValue::kNumber) return Value::null();
  switch (ring.type.kind) {
    case TypeKind::kFloat: return Value::floating(float_of_rank(static_cast<int64_t>(value.number)));
    case TypeKind::kDecimal: return Value::decimal(value.number, ring.type.scale);
    case TypeKind::kTimestamp: return Value::timestamp(static_cast<int64_t>(value.number));
    case TypeKind::kDuration: return Value::duration(static_cast<int64_t>(value.number));
    case TypeKind::kBool: return Value::boolean(value.number != 0);
    default: return Value::integer(value.number);
  }
}

int compare_entries(RingValue kind, const RingEntryValue& a, const RingEntryValue& b) {
  if (has_bytes(kind)) return a.bytes.compare(b.bytes);
  return a.number < b.number ? -1 : a.number > b.number ? 1 : 0;
}

WindowTotals RingView::totals(const WindowExtent& extent, TimeUs time, bool exclude_newest) const {
  WindowTotals totals;
  if (cell_ == nullptr) return totals;
  Parts parts(cell_->payload(), shape_);
  WindowState window;
  bool found = false;
  for (uint32_t i = 0; i < parts.header->windows && !found; ++i) {
    found = parts.windows[i].has(extent);
    if (found) window = parts.windows[i];
  }
  if (!found) {              // a window that no event has met yet since the rules changed: from the entries
    window.span_us = extent.span_us;
    window.rows = extent.rows & 0x7fffffff;
    window.tail = parts.header->first;
    for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
      RingEntryValue value = read_entry(parts, shape_.value, parts.slot(i));
      if (shape_.value != RingValue::kNone) add_to(window, value, 1);
      if (shape_.keeps_distinct && !value.is_null && (value.hash_high & kSuperseded) == 0) ++window.distinct;
    }
  }
  expire(parts, shape_, window, time);
  totals.count = parts.header->next - window.tail;
  if (exclude_newest && totals.count > 0) {
    --totals.count;
    leave_out_newest(parts, shape_, window);
  }
  totals.non_null = shape_.value == RingValue::kNone ? static_cast<uint32_t>(totals.count) : window.non_null;
  totals.sum = window.sum;
  totals.sum_squares = window.sum_squares;
  totals.squares_lost = window.saturated != 0;
  totals.distinct = window.distinct;
  return totals;
}

bool RingView::opens(const WindowGate& gate, TimeUs time) const {
  if (cell_ == nullptr) return gate.is_open(0, 0, 0);
  const RingHeader& header = *reinterpret_cast<const RingHeader*>(cell_->payload());
  const WindowState& window = reinterpret_cast<const WindowState*>(&header + 1)[gate.window];
  if (gate.window < header.windows && window.has(gate.extent)) {      // not since the rules changed: the cell may be of those before
    const uint32_t count = header.next - window.tail;
    if (!gate.sums && static_cast<Int128>(count) < gate.least) return false;      // some may have left; none has come
    if (count == 0 || Parts(cell_->payload(), shape_).time(window.tail) > time - window.span_us) {
      return gate.is_open(count, window.non_null, window.sum);
    }
  }
  const WindowTotals now = totals(gate.extent, time, false);
  return gate.is_open(now.count, now.non_null, now.sum);
}

namespace {

// The window's entries in order of time.
RingView::Stretch stretch_of(const Parts& parts, const WindowExtent& extent, TimeUs time, bool exclude_newest) {
  const RingHeader& header = *parts.header;
  uint32_t outside = 0;
  for (uint32_t left = header.count(); left > 0;) {     // entries are in order of time
    const uint32_t half = left / 2;
    const bool is_outside = parts.time(header.first + outside + half) <= time - extent.span_us;
    if (is_outside) outside += half + 1;
    left = is_outside ? left - half - 1 : half;
  }
  RingView::Stretch stretch{header.first + outside, header.next};
  if (extent.rows != 0 && stretch.count() > extent.rows) stretch.first = stretch.next - extent.rows;
  if (exclude_newest && stretch.count() > 0) --stretch.next;
  return stretch;
}

}  // namespace

bool RingView::extreme(const WindowExtent& extent, TimeUs time, bool exclude_newest, bool greatest, RingEntryValue* value) const {
  if (cell_ == nullptr) return false;
  Parts parts(cell_->payload(), shape_);
  bool found = false;
  const Stretch inside = stretch_of(parts, extent, time, exclude_newest);
  if (shape_.value == RingValue::kNumber) {
    const Extremes extremes = extremes_of(parts, inside.first, inside.next);
    value->is_null = extremes.greatest == kNullNumber;
    value->number = greatest ? extremes.greatest : extremes.least;
    return !value->is_null;
  }
  for (uint32_t sequence = inside.first; sequence != inside.next; ++sequence) {
    RingEntryValue candidate = read_entry(parts, shape_.value, parts.slot(sequence));
    if (candidate.is_null) continue;
    const int order = found ? compare_entries(shape_.value, candidate, *value) : 0;
    if (!found || (greatest ? order > 0 : order < 0)) *value = candidate;
    found = true;
  }
  return found;
}

bool RingView::entry(const WindowExtent& extent, TimeUs time, bool exclude_newest, bool from_first, uint32_t offset,
                     RingEntryValue* value) const {
  if (cell_ == nullptr) return false;
  Parts parts(cell_->payload(), shape_);
  const Stretch inside = stretch_of(parts, extent, time, exclude_newest);
  if (inside.count() <= offset) return false;
  *value = read_entry(parts, shape_.value, parts.slot(from_first ? inside.first + offset : inside.next - 1 - offset));
  return true;
}

RingView::Stretch RingView::newest(const WindowExtent& extent, TimeUs time, bool exclude_newest, uint32_t max) const {
  if (cell_ == nullptr) return {};
  Stretch inside = stretch_of(Parts(cell_->payload(), shape_), extent, time, exclude_newest);
  if (inside.count() > max) inside.first = inside.next - max;
  return inside;
}

RingView::Entry RingView::entry_at(uint32_t number) const {
  const Parts parts(cell_->payload(), shape_);
  return {parts.time(number), read_entry(parts, shape_.value, parts.slot(number))};
}

TimeUs RingView::newest_time() const {
  if (cell_ == nullptr) return kTimeMin;
  Parts parts(cell_->payload(), shape_);
  return parts.header->count() == 0 ? kTimeMin : parts.time(parts.header->next - 1);
}

uint32_t RingView::entries() const {
  return cell_ == nullptr ? 0 : Parts(cell_->payload(), shape_).header->count();
}

Value aggregate_value(AggregateKind kind, const Ring& ring, const Type& type, const WindowTotals& totals, EvalCounters& counters) {
  ExactSums sums;
  sums.count = totals.non_null;
  sums.sum = totals.sum;
  sums.sum_squares = totals.sum_squares;
  sums.squares_lost = totals.squares_lost;
  int scale = ring.value == RingValue::kFloat ? kFloatSumScale : ring.type.scale;
  switch (kind) {
    case AggregateKind::kCount:
      return Value::integer(static_cast<Int128>(ring.argument == kNoExpr ? totals.count : totals.non_null));
    case AggregateKind::kCountDistinct: return Value::integer(static_cast<Int128>(totals.distinct));
    case AggregateKind::kSum: return sums.sum_as(type, scale, counters);
    case AggregateKind::kAvg: return sums.avg_as(type, scale, counters);
    case AggregateKind::kStddev: return sums.stddev(scale, counters);
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast: break;
  }
  WEIR_CHECK(false, "aggregate has no running value");
  return Value::null();
}

}  // namespace cep
