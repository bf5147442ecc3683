// See lifetime.h. Payload: LifetimeState, then the bytes of the kept value, then those of the newest one, each padded to 8.
#include "cep/lifetime.h"

#include <cstring>

#include "cep/time_math.h"

namespace cep {
namespace {

constexpr uint32_t kNoValue = UINT32_MAX;    // size of a null

struct [[gnu::packed, gnu::aligned(8)]] LifetimeState {
  TimeUs newest_time = kTimeMin;
  uint64_t count = 0;
  uint64_t non_null = 0;
  uint32_t kept_size = kNoValue;             // of the first value, or the least or greatest before the newest
  uint32_t newest_size = kNoValue;
  uint64_t squares_lost = 0;                 // their sum went beyond 128 bits: no stddev any more
  Int128 sum = 0;                            // the newest value included
  Int128 sum_squares = 0;
};
static_assert(sizeof(LifetimeState) == 72);

struct Lifetime {
  LifetimeState state;
  std::string kept;
  std::string newest;
};

uint32_t padded(size_t bytes) { return static_cast<uint32_t>((bytes + 7) / 8 * 8); }

Lifetime read(const Cell* cell) {
  Lifetime life;
  std::memcpy(&life.state, cell->payload(), sizeof life.state);
  const char* at = reinterpret_cast<const char*>(cell->payload() + sizeof life.state);
  if (life.state.kept_size != kNoValue) life.kept.assign(at, life.state.kept_size);
  at += padded(life.kept.size());
  if (life.state.newest_size != kNoValue) life.newest.assign(at, life.state.newest_size);
  return life;
}

void write(BlockEditor& block, Cell* cell, const Lifetime& life) {
  const uint32_t kept = padded(life.kept.size());
  cell = block.resize_cell(cell, static_cast<uint32_t>(sizeof life.state) + kept + padded(life.newest.size()));
  std::memcpy(cell->payload(), &life.state, sizeof life.state);
  std::memcpy(cell->payload() + sizeof life.state, life.kept.data(), life.kept.size());
  std::memcpy(cell->payload() + sizeof life.state + kept, life.newest.data(), life.newest.size());
}

bool is_number(RingValue value) { return value == RingValue::kNumber || value == RingValue::kFloat; }

std::string bytes_of(RingValue kind, const RingEntryValue& value) {
  if (!is_number(kind)) return std::string(value.bytes);
  return std::string(reinterpret_cast<const char*>(&value.number), sizeof value.number);
}

RingEntryValue value_of(RingValue kind, std::string_view bytes, uint32_t size) {
  RingEntryValue value;
  value.is_null = size == kNoValue;
  if (value.is_null) return value;
  if (is_number(kind)) {
    std::memcpy(&value.number, bytes.data(), sizeof value.number);
  } else {
    value.bytes = bytes;
  }
  return value;
}

bool is_better(const RingShape& shape, const RingEntryValue& candidate, const RingEntryValue& kept) {
  if (candidate.is_null || kept.is_null) return !candidate.is_null;
  const int order = compare_entries(shape.value, candidate, kept);
  return shape.keep == RingKeep::kGreatest ? order > 0 : order < 0;
}

void add(LifetimeState& state, const RingEntryValue& value) {
  ++state.count;
  if (value.is_null) return;
  ++state.non_null;
  Int128 sum;
  (void)__builtin_add_overflow(Int128{state.sum}, value.number, &sum);
  state.sum = sum;
  Int128 square;
  Int128 total;
  if (__builtin_mul_overflow(value.number, value.number, &square) ||
      __builtin_add_overflow(Int128{state.sum_squares}, square, &total)) {
    state.squares_lost = 1;
  } else {
    state.sum_squares = total;
  }
}

bool is_forgotten(const LifetimeState& state, TimeUs time) {
  return state.count > 0 && add_saturating(state.newest_time, Limits::key_idle_max_us) <= time;
}

}  // namespace

bool is_sound_lifetime(const Cell& cell, const RingShape& shape) {
  LifetimeState state;
  const size_t payload = cell.size - sizeof(Cell);
  if (payload < sizeof state) return false;
  std::memcpy(&state, cell.payload(), sizeof state);
  uint64_t used = sizeof state;
  for (const uint32_t size : {uint32_t{state.kept_size}, uint32_t{state.newest_size}}) {
    if (size == kNoValue) continue;
    if (is_number(shape.value) && size != sizeof(Int128)) return false;
    used += (uint64_t{size} + 7) / 8 * 8;
  }
  return used == payload;
}

void LifetimeEditor::append(TimeUs time, const RingEntryValue& value, uint64_t* forgotten) {
  Cell* cell = block_.view().find_cell(CellKind::kRing, shape_.id);
  Lifetime life;
  if (cell == nullptr) {
    cell = block_.add_cell(CellKind::kRing, shape_.id, 0);
  } else {
    life = read(cell);
  }
  if (is_forgotten(life.state, time)) {
    life = Lifetime();
    ++*forgotten;
  }
  const bool is_first = life.state.count == 0;
  const bool keeps_value = shape_.keep != RingKeep::kTotals;
  const std::string bytes = value.is_null ? std::string() : bytes_of(shape_.value, value);
  const uint32_t size = value.is_null ? kNoValue : static_cast<uint32_t>(bytes.size());
  if (shape_.keep == RingKeep::kFirst) {
    if (is_first) {
      life.kept = bytes;
      life.state.kept_size = size;
    }
  } else if (keeps_value && is_better(shape_, value_of(shape_.value, life.newest, life.state.newest_size),
                                      value_of(shape_.value, life.kept, life.state.kept_size))) {
    life.kept = life.newest;
    life.state.kept_size = life.state.newest_size;
  }
  if (shape_.keep != RingKeep::kFirst) {
    life.newest = bytes;
    life.state.newest_size = size;
  }
  life.state.newest_time = time;
  add(life.state, value);
  write(block_, cell, life);
}

WindowTotals LifetimeView::totals(TimeUs time, bool exclude_newest) const {
  WindowTotals totals;
  if (cell_ == nullptr) return totals;
  const Lifetime life = read(cell_);
  if (is_forgotten(life.state, time)) return totals;
  totals.count = life.state.count;
  totals.non_null = life.state.non_null;
  totals.sum = life.state.sum;
  totals.sum_squares = life.state.sum_squares;
  totals.squares_lost = life.state.squares_lost != 0;
  if (!exclude_newest) return totals;
  --totals.count;
  const RingEntryValue newest = value_of(shape_.value, life.newest, life.state.newest_size);
  if (newest.is_null) return totals;
  --totals.non_null;
  (void)__builtin_sub_overflow(totals.sum, newest.number, &totals.sum);
  Int128 square;
  if (!totals.squares_lost && !__builtin_mul_overflow(newest.number, newest.number, &square)) totals.sum_squares -= square;
  return totals;
}

bool LifetimeView::kept(TimeUs time, bool exclude_newest, RingEntryValue* value) const {
  if (cell_ == nullptr) return false;
  const LifetimeState& state = *reinterpret_cast<const LifetimeState*>(cell_->payload());
  if (is_forgotten(state, time) || state.count <= (exclude_newest ? 1 : 0)) return false;
  const char* at = reinterpret_cast<const char*>(cell_->payload() + sizeof(LifetimeState));
  const uint32_t kept_size = state.kept_size == kNoValue ? 0 : state.kept_size;
  const uint32_t newest_size = state.newest_size == kNoValue ? 0 : state.newest_size;
  *value = value_of(shape_.value, {at, kept_size}, state.kept_size);
  if (shape_.keep == RingKeep::kFirst || exclude_newest) return true;
  const RingEntryValue newest = value_of(shape_.value, {at + padded(kept_size), newest_size}, state.newest_size);
  if (is_better(shape_, newest, *value)) *value = newest;
  return true;
}

TimeUs LifetimeView::newest_time() const {
  return cell_ == nullptr ? kTimeMin : reinterpret_cast<const LifetimeState*>(cell_->payload())->newest_time;
}

uint64_t LifetimeView::events() const {
  return cell_ == nullptr ? 0 : reinterpret_cast<const LifetimeState*>(cell_->payload())->count;
}

}  // namespace cep
