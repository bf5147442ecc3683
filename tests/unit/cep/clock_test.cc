// Lateness, frontier and silence (R61-R67), among them the equalities: rows, watermarks and ticks at exactly the border.
#include "cep/clock.h"

#include <gtest/gtest.h>

namespace cep {
namespace {

SchemaPtr stream(const std::string& name, uint16_t id, DurationUs delay, DurationUs idle = 30 * kSecond) {
  auto schema = std::make_shared<StreamSchema>();
  schema->name = name;
  schema->id = StreamId{id};
  schema->columns = {{"at", {TypeKind::kTimestamp, 0, 0}, true, ""}};
  schema->delay_us = delay;
  schema->idle_us = idle;
  return schema;
}

// A when rule over the streams that never fires: it makes their timeline.
std::shared_ptr<Program> program_over(const std::string& name, std::vector<SchemaPtr> schemas) {
  auto program = std::make_shared<Program>();
  program->rule = name;
  program->is_when = true;
  Variable variable;
  variable.name = "event";
  for (const SchemaPtr& schema : schemas) {
    Input input;
    input.schema = schema;
    input.alias = schema->name;
    program->inputs.push_back(std::move(input));
    variable.conditions.push_back({kNever, kNoExpr});
  }
  program->variables.push_back(variable);
  return program;
}

RuleEntry entry_of(std::shared_ptr<Program> program) {
  RuleEntry entry;
  entry.id = ProgramId{static_cast<uint32_t>(program->rule[0])};
  entry.program = std::move(program);
  return entry;
}

RuleEntry rule_over(const std::string& name, std::vector<SchemaPtr> schemas) { return entry_of(program_over(name, std::move(schemas))); }

BatchPtr rows(const SchemaPtr& schema, std::vector<TimeUs> times, TimeUs received = 0) {
  BatchBuilder builder(schema, 0, received);
  uint64_t position = 0;
  for (TimeUs time : times) {
    builder.begin_row();
    builder.set_fixed(0, time);
    builder.commit_row(position++);
  }
  return builder.finish();
}

std::vector<int> late_of(const Admission& admission, size_t rows) {
  std::vector<int> late(rows, 0);
  for (size_t i = 0; i < admission.late.size(); ++i) late[i] = admission.late[i];
  return late;
}

TEST(ClockTest, WithoutDelayTheFrontierIsTheNewestTimeAndEqualTimesAreInTime) {
  SchemaPtr s = stream("s", 0, 0);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}}));
  std::vector<Admission> admitted = clock.admit(*rows(s, {10, 10, 9, 12, 12, 11}));
  ASSERT_EQ(admitted.size(), 1u);
  EXPECT_EQ(late_of(admitted[0], 6), (std::vector<int>{0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(admitted[0].late_watermark[2], 10);
  EXPECT_EQ(admitted[0].frontier, 12);
  EXPECT_TRUE(clock.admit(*rows(s, {12}))[0].late.empty()) << "exactly the watermark is in time";
}

TEST(ClockTest, TheDelayIsTheGreatestOfTheTimelineAndStreamsShareAClock) {
  SchemaPtr a = stream("a", 0, 0), b = stream("b", 1, 5);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("r", {a, b}), rule_over("x", {a})}, {}, {{"a", a}, {"b", b}}));
  std::vector<Admission> admitted = clock.admit(*rows(a, {100}));
  ASSERT_EQ(admitted.size(), 2u) << "one timeline of a, one of a and b";
  TimeUs both = 0, alone = 0;
  RuleSetPtr rules = RuleSet::build({rule_over("r", {a, b}), rule_over("x", {a})}, {}, {{"a", a}, {"b", b}});
  for (const Admission& one : admitted) (rules->timelines()[one.timeline].name == "a+b" ? both : alone) = one.frontier;
  EXPECT_EQ(both, 95);
  EXPECT_EQ(alone, 100);
  EXPECT_EQ(late_of(clock.admit(*rows(b, {95, 94}))[0], 2), (std::vector<int>{0, 1})) << "b's clock was moved by a";
}

TEST(ClockTest, ALateRowMovesNothing) {
  SchemaPtr s = stream("s", 0, 10);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}}));
  EXPECT_EQ(clock.admit(*rows(s, {100}))[0].frontier, 90);
  EXPECT_EQ(clock.admit(*rows(s, {89}))[0].frontier, 90);
  EXPECT_EQ(late_of(clock.admit(*rows(s, {90, 89}))[0], 2), (std::vector<int>{0, 1}));
}

TEST(ClockTest, WatermarkLinesMoveAllOrTheTimelinesOfOneStream) {
  SchemaPtr a = stream("a", 0, 0), b = stream("b", 1, 0);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("r", {a}), rule_over("x", {b})}, {}, {{"a", a}, {"b", b}}));
  std::string only = "a";
  EXPECT_EQ(clock.watermark(50, &only).size(), 1u);
  EXPECT_EQ(clock.watermark(60, nullptr).size(), 2u);
  EXPECT_EQ(clock.watermark(55, nullptr)[0].frontier, 60) << "never back";
  EXPECT_EQ(late_of(clock.admit(*rows(a, {59, 60}))[0], 2), (std::vector<int>{1, 0}));
}

TEST(ClockTest, SilenceMovesTimeByTheSilenceAndNeverToTheWallClock) {
  SchemaPtr s = stream("s", 0, 0, 30 * kSecond);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}}));
  TimeUs wall = 1'000'000 * kSecond, last_month = 10 * kSecond;
  clock.admit(*rows(s, {last_month}, wall));
  EXPECT_FALSE(clock.would_tick(wall + 29 * kSecond));
  EXPECT_TRUE(clock.tick(wall + 30 * kSecond).empty()) << "idle begins now: nothing has elapsed yet";
  std::vector<Admission> moved = clock.tick(wall + 42 * kSecond);
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_EQ(moved[0].frontier, last_month + 12 * kSecond);
  clock.admit(*rows(s, {last_month + 12 * kSecond}, wall + 43 * kSecond));
  EXPECT_FALSE(clock.would_tick(wall + 60 * kSecond)) << "an event ends the silence";
}

TEST(ClockTest, AnExplicitStreamMovesOnlyByWatermarkLines) {
  auto s = std::make_shared<StreamSchema>(*stream("s", 0, 0));
  s->explicit_watermark = true;
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}}));
  EXPECT_EQ(clock.admit(*rows(s, {100, 50}, 5))[0].frontier, kTimeMin);
  EXPECT_FALSE(clock.would_tick(5 + kHour));
  EXPECT_EQ(clock.watermark(70, nullptr)[0].frontier, 70);
  EXPECT_EQ(late_of(clock.admit(*rows(s, {69, 70}))[0], 2), (std::vector<int>{1, 0}));
}

TEST(ClockTest, SavedAndRestoredIsTheSame) {
  SchemaPtr s = stream("s", 0, 7);
  RuleSetPtr rules = RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}});
  Clock clock, restored;
  clock.apply_rules(*rules);
  clock.admit(*rows(s, {100, 130}, 9));
  restored.restore(clock.save(), clock.save_streams());
  restored.apply_rules(*rules);
  EXPECT_EQ(restored.watermark_of(0), 123);
  EXPECT_EQ(late_of(restored.admit(*rows(s, {122, 123}))[0], 2), (std::vector<int>{1, 0}));
}

TEST(ClockTest, ANewTimelineStartsFromTheTimesItsStreamsHaveSeen) {
  SchemaPtr a = stream("a", 0, 3), b = stream("b", 1, 0);
  Clock clock;
  clock.apply_rules(*RuleSet::build({rule_over("x", {a})}, {}, {{"a", a}, {"b", b}}));
  clock.admit(*rows(a, {100}));
  clock.admit(*rows(b, {40}));
  RuleSetPtr later = RuleSet::build({rule_over("x", {a}), rule_over("r", {a, b})}, {}, {{"a", a}, {"b", b}});
  clock.apply_rules(*later);
  EXPECT_EQ(clock.watermark_of(static_cast<uint32_t>(later->timeline_index("a+b"))), 97);
}

TEST(ClockTest, BeyondTheLimitTheFrontierIsForcedToTheEarliestThatWaits) {
  SchemaPtr s = stream("s", 0, 100);
  Clock clock, by_row;
  for (Clock* each : {&clock, &by_row}) {
    each->limit_waiting(2);
    each->apply_rules(*RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}}));
  }
  const std::vector<TimeUs> times = {50, 40, 60, 45, 39, 60, 60, 60, 70};
  Admission whole = clock.admit(*rows(s, times))[0];
  EXPECT_EQ(late_of(whole, times.size()), (std::vector<int>{0, 0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(whole.late_watermark[4], 45);
  std::vector<int> late;
  for (TimeUs time : times) late.push_back(late_of(by_row.admit(*rows(s, {time}))[0], 1)[0]);
  EXPECT_EQ(late, late_of(whole, times.size()));
  EXPECT_EQ(by_row.watermark_of(0), whole.frontier);
  EXPECT_EQ(whole.frontier, 60);
  EXPECT_EQ(clock.forced(), by_row.forced());
  EXPECT_EQ(clock.forced(), 4u);       // to 40, 45, 50 and 60, where four rows went at once
}

TEST(ClockTest, ALowerLimitForcesAtOnceAndALaterRestoreGoesOnWithWhatWaits) {
  SchemaPtr s = stream("s", 0, 100);
  RuleSetPtr rules = RuleSet::build({rule_over("a", {s})}, {}, {{"s", s}});
  Clock clock, restored;
  clock.apply_rules(*rules);
  clock.admit(*rows(s, {10, 20, 30}));
  std::vector<Admission> forced = clock.limit_waiting(2);
  ASSERT_EQ(forced.size(), 1u);
  EXPECT_EQ(forced[0].frontier, 10);
  restored.limit_waiting(2);
  restored.restore(clock.save(), clock.save_streams());
  restored.apply_rules(*rules);
  for (TimeUs time : {20, 30}) restored.restore_waiting(rules->timelines()[0].name, time);
  for (Clock* each : {&clock, &restored}) EXPECT_EQ(each->admit(*rows(s, {40}))[0].frontier, 20);
}

// A rule with one window over the stream's one ring.
RuleEntry rule_with_window(const std::string& name, const SchemaPtr& schema, DurationUs span) {
  std::shared_ptr<Program> program = program_over(name, {schema});
  Ring ring;
  ring.identity = "s||";
  ring.span_us = span;
  program->rings.push_back(ring);
  Window window;
  window.extent.span_us = span;
  program->windows.push_back(window);
  return entry_of(std::move(program));
}

TEST(ClockTest, ARingHasSeenEverythingSinceTheFirstRowReleasedAndLessWhenItReachesFurther) {
  SchemaPtr s = stream("s", 0, 10);
  auto apply = [&](Clock& clock, DurationUs span) {
    clock.apply_rules(*RuleSet::build({rule_with_window("a", s, span)}, {}, {{"s", s}}));
  };
  auto since = [](const Clock& clock) { return clock.standing()[0].coverage->begin()->second.since; };
  Clock clock;
  apply(clock, 100);
  EXPECT_EQ(clock.admit(*rows(s, {1000, 995}))[0].coverage->begin()->second.since, kTimeMax);
  EXPECT_EQ(clock.admit(*rows(s, {1006}))[0].coverage->begin()->second.since, 995) << "the first in order of event time";
  clock.admit(*rows(s, {5010}));
  apply(clock, 50);
  EXPECT_EQ(since(clock), 995);
  apply(clock, 200);
  EXPECT_EQ(since(clock), 4950) << "at 5000 it held 50";
  Clock warmed, later;
  apply(warmed, 400);
  warmed.admit(*rows(s, {2000, 5010}));
  clock.offer(warmed.save());
  apply(clock, 400);
  EXPECT_EQ(since(clock), 2000) << "the log reaches back to there";
  later.restore(clock.save(), clock.save_streams());
  apply(later, 400);
  EXPECT_EQ(since(later), 2000);
}

}  // namespace
}  // namespace cep
