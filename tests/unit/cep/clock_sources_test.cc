// Several sources of one timeline (R63, R64): who holds time, who is first at one instant, who is left out.
#include <gtest/gtest.h>

#include "cep/clock.h"

namespace cep {
namespace {

constexpr TimeUs kWall = 1'000'000 * kSecond;

class ClockSourcesTest : public ::testing::Test {
 protected:
  ClockSourcesTest() { begin(0, 30 * kSecond); }
  void begin(DurationUs delay, DurationUs idle) {
    auto schema = std::make_shared<StreamSchema>();
    schema->name = "s";
    schema->id = StreamId{0};
    schema->columns = {{"at", {TypeKind::kTimestamp, 0, 0}, true, ""}};
    schema->delay_us = delay;
    schema->idle_us = idle;
    schema_ = schema;
    auto program = std::make_shared<Program>();
    program->rule = "r";
    program->is_when = true;
    Input input;
    input.schema = schema_;
    input.alias = "s";
    program->inputs.push_back(std::move(input));
    Variable variable;
    variable.name = "event";
    variable.conditions.push_back({kNever, kNoExpr});
    program->variables.push_back(variable);
    RuleEntry entry;
    entry.id = ProgramId{1};
    entry.program = std::move(program);
    rules_ = RuleSet::build({entry}, {}, {{"s", schema_}});
    clock_ = Clock();
    clock_.apply_rules(*rules_);
  }
  Admission admit(SourceId source, std::vector<TimeUs> times, TimeUs received = kWall) {
    BatchBuilder builder(schema_, source, received);
    for (TimeUs time : times) {
      builder.begin_row();
      builder.set_fixed(0, time);
      builder.commit_row(0);
    }
    return clock_.admit(*builder.finish())[0];
  }
  using Frontier = std::pair<TimeUs, SourceId>;
  Frontier frontier() const {
    Admission standing = clock_.standing()[0];
    return {standing.frontier, standing.frontier_source};
  }

  SchemaPtr schema_;
  RuleSetPtr rules_;
  Clock clock_;
};

TEST_F(ClockSourcesTest, TheSlowestHoldsTimeAndTheLowestNumberedOfThemIsWaitedFor) {
  admit(1, {100});
  EXPECT_EQ(frontier(), Frontier(100, 1));
  clock_.declare(2, "s", kWall);
  admit(1, {150});
  EXPECT_EQ(frontier(), Frontier(100, 1)) << "2 was declared and has said nothing yet; time does not go back";
  admit(2, {120});
  EXPECT_EQ(frontier(), Frontier(120, 2)) << "1 is past 120: nothing of it can come before what 2 has there";
  admit(2, {150});
  EXPECT_EQ(frontier(), Frontier(150, 1)) << "1 may still bring rows of that instant, which come before those of 2";
  admit(1, {151});
  EXPECT_EQ(frontier(), Frontier(150, 2));
}

TEST_F(ClockSourcesTest, LateIsWhatIsBehindTheOwnClockWhateverTheOthersAreAt) {
  begin(10, 30 * kSecond);
  clock_.declare(1, "s", kWall);
  clock_.declare(2, "s", kWall);
  EXPECT_TRUE(admit(1, {100, 91}).late.empty());
  EXPECT_EQ(admit(1, {89}).late, std::vector<uint8_t>{1});
  EXPECT_TRUE(admit(2, {5}).late.empty()) << "the first word of a source that was declared is never late";
  EXPECT_EQ(frontier(), Frontier(-5, 2));
}

TEST_F(ClockSourcesTest, ASilentSourceIsLeftOutWhenItIsIdleAndCountsAgainWhenItSpeaks) {
  clock_.declare(1, "s", kWall);
  clock_.declare(2, "s", kWall);
  admit(1, {100}, kWall + 10 * kSecond);
  EXPECT_FALSE(clock_.would_idle(2, kWall + 29 * kSecond));
  EXPECT_TRUE(clock_.would_idle(2, kWall + 30 * kSecond));
  EXPECT_FALSE(clock_.would_idle(1, kWall + 30 * kSecond)) << "it spoke 20 s ago";
  ASSERT_EQ(clock_.idle(2, kWall + 30 * kSecond).size(), 1u);
  EXPECT_EQ(frontier(), Frontier(100, 1));
  EXPECT_FALSE(clock_.would_idle(2, kWall + 40 * kSecond)) << "it is already";
  EXPECT_EQ(admit(2, {99, 100}).late, (std::vector<uint8_t>{1, 0})) << "time went on without it";
  admit(1, {200});
  EXPECT_EQ(frontier(), Frontier(100, 2)) << "it holds time again";
}

TEST_F(ClockSourcesTest, WhenAllAreIdleNoneIsWaitedForAndOnlyThenTicksMove) {
  admit(1, {100}, kWall);
  clock_.declare(2, "s", kWall);
  admit(2, {300}, kWall);
  admit(1, {200}, kWall);
  EXPECT_EQ(frontier(), Frontier(200, 1));
  const TimeUs idle = kWall + 30 * kSecond;
  EXPECT_FALSE(clock_.would_tick(idle + kSecond)) << "silence of a source that is not idle moves nothing";
  clock_.idle(2, idle);
  EXPECT_EQ(frontier(), Frontier(200, 1));
  EXPECT_FALSE(clock_.would_tick(idle + kSecond));
  clock_.idle(1, idle);
  EXPECT_EQ(frontier(), Frontier(300, kEverySource)) << "in whichever order they fell silent";
  EXPECT_TRUE(clock_.would_tick(idle + kSecond));
  clock_.tick(idle + kSecond);
  EXPECT_EQ(frontier(), Frontier(300 + kSecond, kEverySource));
}

TEST_F(ClockSourcesTest, IdleOfZeroNeverHoldsBack) {
  begin(0, 0);
  clock_.declare(1, "s", kWall);
  admit(2, {100});
  EXPECT_EQ(frontier(), Frontier(100, kEverySource));
  EXPECT_EQ(admit(1, {99}).late, std::vector<uint8_t>{1});
}

TEST_F(ClockSourcesTest, AnInputThatIsAloneIsTheTicksToMove) {
  admit(kInputSource, {100}, kWall);
  EXPECT_FALSE(clock_.would_idle(kInputSource, kWall + kHour));
  EXPECT_TRUE(clock_.would_tick(kWall + kHour));
  clock_.declare(1, "s", kWall);
  EXPECT_TRUE(clock_.would_idle(kInputSource, kWall + kHour));
  EXPECT_FALSE(clock_.would_tick(kWall + kHour)) << "1 has said nothing and is not idle";
}

TEST_F(ClockSourcesTest, SavedAndRestoredIsTheSame) {
  clock_.declare(1, "s", kWall);
  clock_.declare(2, "s", kWall);
  clock_.declare(3, "s", kWall);
  admit(1, {100}, kWall + kSecond);
  admit(2, {100}, kWall + kSecond);
  clock_.idle(3, kWall + 30 * kSecond);
  ASSERT_EQ(frontier(), Frontier(100, 1));
  Clock other;
  other.restore(clock_.save(), clock_.save_streams());
  other.apply_rules(*rules_);
  std::swap(clock_, other);
  EXPECT_EQ(frontier(), Frontier(100, 1));
  EXPECT_FALSE(clock_.would_idle(3, kWall + kHour));
  EXPECT_FALSE(clock_.would_idle(2, kWall + 30 * kSecond));
  EXPECT_TRUE(clock_.would_idle(2, kWall + 31 * kSecond));
  admit(1, {101});
  EXPECT_EQ(frontier(), Frontier(100, 2));
}

}  // namespace
}  // namespace cep
