// Windows on a ring against a plain list of events: every aggregate, many spans, nulls, exclusion of the newest, growth and the
// entry limit.
#include "cep/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <utility>

namespace cep {
namespace {

constexpr RingLimits kRoomy{100'000, 1 << 20};

struct Event {
  TimeUs time;
  bool is_null;
  int64_t number;
};

// The naive definition (R48, R51): entries with time > t - span, of these the newest rows, oldest first.
std::vector<Event> window_of(const std::deque<Event>& events, TimeUs now, const WindowExtent& extent, bool exclude_newest) {
  std::vector<Event> inside;
  for (const Event& event : events) {
    if (event.time > now - extent.span_us) inside.push_back(event);
  }
  if (extent.rows != 0 && inside.size() > extent.rows) inside.erase(inside.begin(), inside.end() - extent.rows);
  if (exclude_newest && !inside.empty()) inside.pop_back();
  return inside;
}

class RingRandomTest : public ::testing::TestWithParam<RingValue> {};

TEST_P(RingRandomTest, EqualsThePlainList) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    RingShape shape;
    shape.id = 7;
    shape.value = GetParam();
    shape.keeps_distinct = shape.value == RingValue::kText;
    shape.extents = {{5, 0}, {40, 0}, {40, 3}, {300, 0}, {300, 7}};
    std::sort(shape.extents.begin(), shape.extents.end());
    Ring ring;
    ring.value = shape.value;
    ring.argument = shape.value == RingValue::kNone ? kNoExpr : 0;
    const bool is_text = shape.value == RingValue::kText || shape.value == RingValue::kBytes;
    const bool is_plain = shape.value == RingValue::kNone || shape.value == RingValue::kNumber;
    int in_place = 0;
    ring.type = {is_text ? TypeKind::kText : TypeKind::kInt, 0, 0};
    BlockMemory memory;
    BlockEditor editor(memory);
    editor.create("key");
    std::deque<Event> events;
    TimeUs now = 1000;
    uint64_t dropped = 0;
    EvalCounters counters;
    for (int step = 0; step < 600; ++step) {
      now += static_cast<TimeUs>(random() % 12 == 0 ? random() % 400 : random() % 7);
      Event event{now, random() % 8 == 0 && shape.value != RingValue::kNone, static_cast<int64_t>(random() % 9) - 4};
      std::string text = "v" + std::to_string(event.number);
      Value argument = event.is_null ? Value::null()
                                     : (is_text ? Value::string(text) : Value::integer(event.number));
      Cell* const cell = editor.view().find_cell(CellKind::kRing, 7);
      const int64_t number = event.is_null ? kNullNumber : event.number;
      const bool is_added = is_plain && cell != nullptr && random() % 2 == 0 &&
                            RingEditor::append_in_place(cell, shape, now, number, kRoomy.entries_max);
      if (!is_added) RingEditor(editor, shape).append(now, ring_value(ring, argument, counters), kRoomy, &dropped);
      in_place += is_added ? 1 : 0;
      ASSERT_TRUE(is_sound_ring(*editor.view().find_cell(CellKind::kRing, 7), shape, nullptr));
      events.push_back(event);
      TimeUs asked = now + static_cast<TimeUs>(random() % 3 == 0 ? random() % 50 : 0);
      for (const WindowExtent& span : shape.extents) {
        bool exclude = random() % 2 == 0;
        std::vector<Event> inside = window_of(events, asked, span, exclude);
        RingView view(editor.view().find_cell(CellKind::kRing, 7), shape);
        WindowTotals totals = view.totals(span, asked, exclude);
        ASSERT_EQ(totals.count, inside.size());
        if (shape.value == RingValue::kNone) continue;
        const uint32_t offset = static_cast<uint32_t>(random() % 4);
        RingEntryValue one;
        ASSERT_EQ(view.entry(span, asked, exclude, true, offset, &one), offset < inside.size());
        if (offset < inside.size()) {
          ASSERT_EQ(one.is_null, inside[offset].is_null);
        }
        ASSERT_EQ(view.entry(span, asked, exclude, false, offset, &one), offset < inside.size());
        if (offset < inside.size()) {
          ASSERT_EQ(one.is_null, inside[inside.size() - 1 - offset].is_null);
        }
        std::set<int64_t> distinct;
        int64_t sum = 0, squares = 0, non_null = 0, least = INT64_MAX;
        for (const Event& one : inside) {
          if (one.is_null) continue;
          ++non_null;
          sum += one.number;
          squares += one.number * one.number;
          least = std::min(least, one.number);
          distinct.insert(one.number);
        }
        ASSERT_EQ(totals.non_null, static_cast<uint64_t>(non_null));
        if (shape.value == RingValue::kText) {
          ASSERT_EQ(totals.distinct, distinct.size());
        } else if (shape.value == RingValue::kBytes) {
          RingEntryValue found;
          ASSERT_EQ(view.extreme(span, asked, exclude, true, &found), non_null > 0);
          if (non_null > 0) {
            std::string greatest;
            for (const Event& event_in : inside) {
              if (!event_in.is_null) greatest = std::max(greatest, "v" + std::to_string(event_in.number));
            }
            ASSERT_EQ(found.bytes, greatest);
          }
        } else {
          ASSERT_EQ(static_cast<int64_t>(totals.sum), sum);
          ASSERT_EQ(static_cast<int64_t>(totals.sum_squares), squares);
          RingEntryValue found;
          ASSERT_EQ(view.extreme(span, asked, exclude, false, &found), non_null > 0);
          if (non_null > 0) {
            ASSERT_EQ(static_cast<int64_t>(found.number), least);
          }
        }
      }
    }
    EXPECT_EQ(dropped, 0u);
    EXPECT_EQ(in_place > 100, is_plain);
    Cell* cell = editor.view().find_cell(CellKind::kRing, 7);
    EXPECT_FALSE(RingEditor::advance(cell, shape, now + 300)) << "everything has left the longest window";
    editor.remove_cell(cell);
    EXPECT_EQ(editor.close(), nullptr) << "an empty block is released";
    EXPECT_EQ(memory.bytes_in_use(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Values, RingRandomTest,
                         ::testing::Values(RingValue::kNone, RingValue::kNumber, RingValue::kText, RingValue::kBytes));

// Long windows, whose extremes are asked group by group: through growth, expiry, gaps, nulls, both ways of appending and the limit.
TEST(RingTest, LongWindowsFindTheirExtremes) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    RingShape shape{7, RingValue::kNumber, false, {{500, 0}, {3000, 0}, {3000, 150}}, RingKeep::kEntries};
    std::sort(shape.extents.begin(), shape.extents.end());
    const RingLimits limits{seed % 2 == 0 ? 700u : 100'000u, 1 << 20};
    BlockMemory memory;
    BlockEditor editor(memory);
    editor.create("key");
    std::deque<Event> events;
    TimeUs now = 1000;
    uint64_t dropped = 0;
    for (int step = 0; step < 9'000; ++step) {
      now += static_cast<TimeUs>(random() % 2'000 == 0 ? 4'000 : random() % 3);
      const Event event{now, random() % 8 == 0, static_cast<int64_t>(random() % 100'000) - 50'000};
      events.push_back(event);
      Cell* const cell = editor.view().find_cell(CellKind::kRing, 7);
      const int64_t number = event.is_null ? kNullNumber : event.number;
      const bool is_added = cell != nullptr && random() % 2 == 0 &&
                            RingEditor::append_in_place(cell, shape, now, number, limits.entries_max);
      RingEntryValue value;
      value.is_null = event.is_null;
      value.number = event.number;
      if (!is_added) RingEditor(editor, shape).append(now, value, limits, &dropped);
      while (events.front().time <= now - 3000 || events.size() > limits.entries_max) events.pop_front();
      if (step % 7 != 0) continue;
      Cell* const filled = editor.view().find_cell(CellKind::kRing, 7);
      ASSERT_TRUE(is_sound_ring(*filled, shape, nullptr));
      const TimeUs asked = now + static_cast<TimeUs>(random() % 3 == 0 ? random() % 400 : 0);
      const bool exclude = random() % 2 == 0, greatest = random() % 2 == 0;
      for (const WindowExtent& extent : shape.extents) {
        RingEntryValue found;
        std::vector<int64_t> numbers;
        for (const Event& one : window_of(events, asked, extent, exclude)) {
          if (!one.is_null) numbers.push_back(one.number);
        }
        ASSERT_EQ(RingView(filled, shape).extreme(extent, asked, exclude, greatest, &found), !numbers.empty()) << "step " << step;
        if (numbers.empty()) continue;
        const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
        ASSERT_EQ(static_cast<int64_t>(found.number), greatest ? *most : *least) << "step " << step;
      }
    }
    EXPECT_EQ(dropped > 0, limits.entries_max == 700);
    Cell* const cell = editor.view().find_cell(CellKind::kRing, 7);
    uint8_t* const last = cell->payload() + (cell->size - sizeof(Cell)) - 1;
    bool is_noticed = false;      // the last group may not be whole: then what it says is not asked
    for (uint8_t* at = last; at > last - 2048 && !is_noticed; --at) {
      const uint8_t byte = std::exchange(*at, static_cast<uint8_t>(*at ^ 0x40));
      is_noticed = !is_sound_ring(*cell, shape, nullptr);
      *at = byte;
    }
    EXPECT_TRUE(is_noticed) << "a group says something else than its entries";
    memory.release(editor.close());
  }
}

TEST(RingTest, TheSpanIsHalfOpenAtItsOldEnd) {
  RingShape shape{1, RingValue::kNone, false, {{10, 0}}, RingKeep::kEntries};
  Ring ring;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  uint64_t dropped = 0;
  std::vector<uint64_t> counts;
  for (TimeUs time : {0, 10, 10, 20}) {       // the example of R48
    EvalCounters counters;
    RingEditor(editor, shape).append(time, ring_value(ring, Value::null(), counters), kRoomy, &dropped);
    counts.push_back(RingView(editor.view().find_cell(CellKind::kRing, 1), shape).totals({10, 0}, time, false).count);
  }
  EXPECT_EQ(counts, (std::vector<uint64_t>{1, 1, 2, 1}));
  Cell* cell = editor.view().find_cell(CellKind::kRing, 1);
  editor.remove_cell(cell);
  editor.close();
}

TEST(RingTest, TheEntryLimitDropsTheOldestAndSaysSo) {
  RingShape shape{1, RingValue::kNumber, false, {{10, 0}, {1000, 0}}, RingKeep::kEntries};
  Ring ring;
  ring.value = RingValue::kNumber;
  ring.argument = 0;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  uint64_t dropped = 0;
  EvalCounters counters;
  for (TimeUs time = 1; time <= 20; ++time) {
    TimeUs lost = RingEditor(editor, shape).append(time, ring_value(ring, Value::integer(1), counters), RingLimits{8, 1 << 20}, &dropped);
    EXPECT_EQ(lost, time <= 8 ? kTimeMin : time - 8);
  }
  RingView view(editor.view().find_cell(CellKind::kRing, 1), shape);
  EXPECT_EQ(dropped, 12u);
  EXPECT_EQ(view.totals({1000, 0}, 20, false).count, 8u);
  EXPECT_EQ(static_cast<int64_t>(view.totals({1000, 0}, 20, false).sum), 8);
  editor.remove_cell(editor.view().find_cell(CellKind::kRing, 1));
  editor.close();
}

TEST(RingTest, TheByteLimitDropsTheOldestAndSaysSo) {
  RingShape shape{1, RingValue::kBytes, false, {{1000, 0}}, RingKeep::kEntries};
  Ring ring;
  ring.value = RingValue::kBytes;
  ring.argument = 0;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  uint64_t dropped = 0;
  EvalCounters counters;
  for (TimeUs time = 1; time <= 50; ++time) {
    const std::string text(100, static_cast<char>('a' + time % 26));
    RingEditor(editor, shape).append(time, ring_value(ring, Value::string(text), counters), RingLimits{1000, 1024}, &dropped);
  }
  RingView view(editor.view().find_cell(CellKind::kRing, 1), shape);
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(view.totals({1000, 0}, 50, false).count, 50 - dropped);
  EXPECT_LE(view.entries(), 2 * 1024u / 104 + 1) << "what is kept is bounded: at most twice the limit between two rebuilds";
  RingEntryValue newest;
  ASSERT_TRUE(view.entry({1000, 0}, 50, false, false, 0, &newest));
  EXPECT_EQ(newest.bytes, std::string(100, static_cast<char>('a' + 50 % 26)));
  editor.remove_cell(editor.view().find_cell(CellKind::kRing, 1));
  editor.close();
}

TEST(RingTest, AnotherSetOfSpansKeepsTheEntries) {
  RingShape before{1, RingValue::kNone, false, {{100, 0}}, RingKeep::kEntries};
  RingShape after{1, RingValue::kNone, false, {{10, 0}, {100, 0}}, RingKeep::kEntries};
  Ring ring;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  uint64_t dropped = 0;
  EvalCounters counters;
  for (TimeUs time : {1, 50, 95}) RingEditor(editor, before).append(time, ring_value(ring, Value::null(), counters), kRoomy, &dropped);
  RingView unchanged(editor.view().find_cell(CellKind::kRing, 1), after);
  EXPECT_EQ(unchanged.totals({10, 0}, 95, false).count, 1u) << "asked before any event met the new window";
  RingEditor(editor, after).append(96, ring_value(ring, Value::null(), counters), kRoomy, &dropped);
  RingView changed(editor.view().find_cell(CellKind::kRing, 1), after);
  EXPECT_EQ(changed.totals({10, 0}, 96, false).count, 2u);
  EXPECT_EQ(changed.totals({100, 0}, 96, false).count, 4u);
  editor.remove_cell(editor.view().find_cell(CellKind::kRing, 1));
  editor.close();
}

// Found by key_block_fuzz: a damaged table of distinct values made a search go round for ever.
TEST(RingTest, DamagedRingsAreRefused) {
  RingShape shape{1, RingValue::kText, true, {{100, 0}}, RingKeep::kEntries};
  Ring ring;
  ring.value = shape.value;
  ring.argument = 0;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  EvalCounters counters;
  uint64_t dropped = 0;
  for (TimeUs time : {1, 2, 3}) {
    RingEditor(editor, shape).append(time, ring_value(ring, Value::string(std::to_string(time)), counters), kRoomy, &dropped);
  }
  Cell& cell = *editor.view().find_cell(CellKind::kRing, 1);
  ASSERT_TRUE(is_sound_ring(cell, shape, nullptr));
  const uint32_t payload = cell.size - static_cast<uint32_t>(sizeof(Cell));
  const uint32_t table = 8 * sizeof(uint32_t);             // four entries, twice as many places
  const std::pair<uint32_t, uint32_t> damage[] = {
      {0, 3}, {0, 8}, {4, 100}, {8, 100}, {12, 7},         // capacity, first, next, windows
      {16 + 8, 50},                                        // a window's tail
      {payload - 4, 5}, {payload - table, 77},             // places beyond the entries
  };
  for (const auto& [offset, value] : damage) {
    uint32_t before;
    std::memcpy(&before, cell.payload() + offset, sizeof before);
    ASSERT_NE(before, value);
    std::memcpy(cell.payload() + offset, &value, sizeof value);
    EXPECT_FALSE(is_sound_ring(cell, shape, nullptr)) << offset << " " << value;
    std::memcpy(cell.payload() + offset, &before, sizeof before);
  }
  ASSERT_TRUE(is_sound_ring(cell, shape, nullptr));
  editor.remove_cell(&cell);
  editor.close();
}

}  // namespace
}  // namespace cep
