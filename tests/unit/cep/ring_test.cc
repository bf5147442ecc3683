// Windows on a ring against a plain list of events: every aggregate, many spans, nulls, exclusion of the newest, growth and the
// entry limit.
#include "cep/ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

namespace cep {
namespace {

struct Event {
  TimeUs time;
  bool is_null;
  int64_t number;
};

// The naive definition (R48): entries with time > t - span, oldest first.
std::vector<Event> window_of(const std::deque<Event>& events, TimeUs now, DurationUs span, bool exclude_newest) {
  std::vector<Event> inside;
  for (const Event& event : events) {
    if (event.time > now - span) inside.push_back(event);
  }
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
    shape.spans = {5, 40, 300};
    Ring ring;
    ring.value = shape.value;
    ring.argument = shape.value == RingValue::kNone ? kNoExpr : 0;
    ring.type = {TypeKind::kInt, 0, 0};
    BlockMemory memory;
    BlockEditor editor(memory);
    editor.create("key");
    std::deque<Event> events;
    TimeUs now = 1000;
      EvalCounters counters;
    for (int step = 0; step < 600; ++step) {
      now += static_cast<TimeUs>(random() % 12 == 0 ? random() % 400 : random() % 7);
      Event event{now, random() % 8 == 0 && shape.value != RingValue::kNone, static_cast<int64_t>(random() % 9) - 4};
      std::string text = "v" + std::to_string(event.number);
      Value argument = event.is_null ? Value::null()
                                     : (shape.value == RingValue::kText ? Value::string(text) : Value::integer(event.number));
      RingEditor(editor, shape).append(now, ring_value(ring, argument, counters), 100'000);
      events.push_back(event);
      TimeUs asked = now + static_cast<TimeUs>(random() % 3 == 0 ? random() % 50 : 0);
      for (DurationUs span : {DurationUs{5}, DurationUs{40}, DurationUs{300}}) {
        bool exclude = random() % 2 == 0;
        std::vector<Event> inside = window_of(events, asked, span, exclude);
        RingView view(editor.view().find_cell(CellKind::kRing, 7), shape);
        WindowTotals totals = view.totals(span, asked, exclude);
        ASSERT_EQ(totals.count, inside.size());
        if (shape.value == RingValue::kNone) continue;
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
        } else {
          ASSERT_EQ(static_cast<int64_t>(totals.sum), sum);
          ASSERT_EQ(static_cast<int64_t>(totals.sum_squares), squares);
          Int128 found;
          ASSERT_EQ(view.extreme(span, asked, exclude, false, &found), non_null > 0);
          if (non_null > 0) {
            ASSERT_EQ(static_cast<int64_t>(found), least);
          }
        }
      }
    }
    Cell* cell = editor.view().find_cell(CellKind::kRing, 7);
    EXPECT_FALSE(RingEditor::advance(cell, shape, now + 300)) << "everything has left the longest window";
    editor.remove_cell(cell);
    EXPECT_EQ(editor.close(), nullptr) << "an empty block is released";
    EXPECT_EQ(memory.bytes_in_use(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Values, RingRandomTest, ::testing::Values(RingValue::kNone, RingValue::kNumber, RingValue::kText));

TEST(RingTest, TheSpanIsHalfOpenAtItsOldEnd) {
  RingShape shape{1, RingValue::kNone, false, {10}};
  Ring ring;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  std::vector<uint64_t> counts;
  for (TimeUs time : {0, 10, 10, 20}) {       // the example of R48
    EvalCounters counters;
    RingEditor(editor, shape).append(time, ring_value(ring, Value::null(), counters), 100);
    counts.push_back(RingView(editor.view().find_cell(CellKind::kRing, 1), shape).totals(10, time, false).count);
  }
  EXPECT_EQ(counts, (std::vector<uint64_t>{1, 1, 2, 1}));
  Cell* cell = editor.view().find_cell(CellKind::kRing, 1);
  editor.remove_cell(cell);
  editor.close();
}

TEST(RingTest, TheEntryLimitDropsTheOldestAndSaysSo) {
  RingShape shape{1, RingValue::kNumber, false, {10, 1000}};
  Ring ring;
  ring.value = RingValue::kNumber;
  ring.argument = 0;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  EvalCounters counters;
  for (TimeUs time = 1; time <= 20; ++time) {
    TimeUs lost = RingEditor(editor, shape).append(time, ring_value(ring, Value::integer(1), counters), 8);
    EXPECT_EQ(lost, time <= 8 ? kTimeMin : time - 8);
  }
  RingView view(editor.view().find_cell(CellKind::kRing, 1), shape);
  EXPECT_EQ(view.totals(1000, 20, false).count, 8u);
  EXPECT_EQ(static_cast<int64_t>(view.totals(1000, 20, false).sum), 8);
  editor.remove_cell(editor.view().find_cell(CellKind::kRing, 1));
  editor.close();
}

TEST(RingTest, AnotherSetOfSpansKeepsTheEntries) {
  RingShape before{1, RingValue::kNone, false, {100}};
  RingShape after{1, RingValue::kNone, false, {10, 100}};
  Ring ring;
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create("k");
  EvalCounters counters;
  for (TimeUs time : {1, 50, 95}) RingEditor(editor, before).append(time, ring_value(ring, Value::null(), counters), 100);
  RingView unchanged(editor.view().find_cell(CellKind::kRing, 1), after);
  EXPECT_EQ(unchanged.totals(10, 95, false).count, 1u) << "asked before any event met the new window";
  RingEditor(editor, after).append(96, ring_value(ring, Value::null(), counters), 100);
  RingView changed(editor.view().find_cell(CellKind::kRing, 1), after);
  EXPECT_EQ(changed.totals(10, 96, false).count, 2u);
  EXPECT_EQ(changed.totals(100, 96, false).count, 4u);
  editor.remove_cell(editor.view().find_cell(CellKind::kRing, 1));
  editor.close();
}

}  // namespace
}  // namespace cep
