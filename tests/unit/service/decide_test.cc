// Verdicts (R37) of the in-process pipeline: on copies, with what waits, late or not, and without a trace in the alerts that follow.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "api/alert_json.h"
#include "service/pipeline.h"
#include "service/rule_files.h"

namespace service {
namespace {

constexpr cep::TimeUs kSecond = cep::kSecond;

std::string streams_with(const std::string& delay) {
  std::string text;
  for (const char* name : {"a", "b"}) {
    text += std::string("create stream ") + name +
            " (k text not null, x text, v int, d text not null, at timestamp not null) event time at delay " + delay + ";\n";
  }
  return text;
}

// Of one timeline each, so that an event is late for all of its rules or for none.
constexpr const char* kRulesOfA =
    "create rule path on a partition by k pattern p -> q+ -> r within 30 seconds\n"
    "  define p as x = 'p', q as x = 'q', r as x = 'r' and v >= p.v after match skip past last row\n"
    "  measures r.v as last alert score 60 decision review message '{last}';\n"
    "create rule busy on a partition by d when sum(v) over (last 10 seconds) > 9 suppress 3 seconds\n"
    "  alert decision challenge message '{d} {v}';\n"
    "create shadow rule gone on a partition by k pattern p -> not q for 4 seconds -> r within 30 seconds\n"
    "  define p as x = 'p', q as x = 'q', r as x = 'r' alert message 'gone';\n";
constexpr const char* kRuleOfBoth =
    "create rule both on a, b partition by a.k, b.k pattern p -> not s -> z within 20 seconds\n"
    "  define p as a where x = 'p', s as a where x = 's', z as b where x = 'q' after match no skip suppress 5 seconds\n"
    "  alert decision block message 'm';\n";
const std::string kDecidingRules = std::string(kRulesOfA) + kRuleOfBoth;

RuleBook deciding_book(const std::string& text) {
  RuleBook book;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add("t.weir", text);
  std::vector<cep::ProgramId> to_warm;
  EXPECT_TRUE(book.compile(sources, {&file, 1}, diagnostics, to_warm)) << patterns::to_text(sources, diagnostics);
  return book;
}

cep::BatchPtr event_of(const RuleBook& book, const std::string& stream, uint64_t position, const std::string& k, const std::string& x,
                       int64_t v, cep::TimeUs at, const std::string& d = "d") {
  cep::BatchBuilder builder(book.streams().at(stream), 0, 0);
  builder.begin_row();
  builder.set_text(0, k);
  builder.set_text(1, x);
  builder.set_fixed(2, v);
  builder.set_text(3, d);
  builder.set_fixed(4, at);
  builder.commit_row(position);
  return builder.finish();
}

// The same event of another book's streams.
cep::BatchPtr moved_to(const RuleBook& book, const cep::Batch& event) {
  cep::BatchBuilder builder(book.streams().at(event.schema->name), 0, 0);
  copy_row(event, 0, event.position[0], builder);
  return builder.finish();
}

std::vector<std::string> texts_of(const std::vector<cep::Alert>& alerts) {
  std::vector<std::string> texts;
  for (const cep::Alert& alert : alerts) {
    texts.push_back(alert.program->rule + " " + cep::to_hex(alert.id) + " " + alert.message + " " + std::to_string(alert.suppressed));
  }
  return texts;
}

std::vector<std::string> rest_of(Pipeline& pipeline) {
  pipeline.watermark(kEndOfTime, nullptr);
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  std::vector<std::string> all;
  for (const cep::Alert& alert : alerts) all.push_back(api::alert_json(alert));
  return all;
}

std::vector<cep::BatchPtr> random_events(const RuleBook& book, uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  std::vector<cep::BatchPtr> events;
  for (size_t i = 0; i < count; ++i) {
    const auto letter = [&](const char* letters, size_t n) { return std::string(1, letters[random() % n]); };
    const std::string k = letter("AB", 2), x = letter("pqrsx", 5), d = letter("de", 2);
    const auto at = static_cast<int64_t>(i * 500'000 + random() % 4'000'000);
    const std::string stream = random() % 4 == 0 ? "b" : "a";
    const auto v = static_cast<int64_t>(random() % 5);      // drawn in an order that no compiler chooses
    events.push_back(event_of(book, stream, i, k, x, v, at, d));
  }
  return events;
}

// The definition: what completes on the event when it is released behind the rows that wait and come before it.
std::vector<std::string> defined_verdict(const RuleBook& prompt, const std::vector<cep::BatchPtr>& taken, const cep::BatchPtr& event) {
  std::vector<cep::BatchPtr> before;
  for (const cep::BatchPtr& one : taken) {
    if (one->time[0] <= event->time[0]) before.push_back(one);
  }
  std::stable_sort(before.begin(), before.end(), [](const auto& a, const auto& b) { return a->time[0] < b->time[0]; });
  Pipeline pipeline({1, false, {}});
  pipeline.apply_rules(prompt.build());
  std::vector<cep::Alert> alerts;
  for (const cep::BatchPtr& one : before) pipeline.feed(moved_to(prompt, *one));
  pipeline.take_alerts(alerts, true);
  const cep::Verdict verdict = pipeline.decide(moved_to(prompt, *event));
  EXPECT_TRUE(verdict.is_final);
  alerts.clear();
  pipeline.take_alerts(alerts, true);
  std::erase_if(alerts, [](const cep::Alert& alert) { return alert.kind == cep::AlertKind::kAbsence; });
  std::vector<cep::Alert> unfolded = verdict.alerts;
  std::erase_if(unfolded, [](const cep::Alert& alert) { return alert.folded; });
  EXPECT_EQ(texts_of(unfolded), texts_of(alerts)) << "without a delay the decision is the alert";
  return texts_of(verdict.alerts);
}

struct Found {
  size_t alerts = 0, folded = 0, late = 0;
};

void compare_with_definition(const std::string& rules, bool has_b, uint64_t seed, Found& found) {
  const RuleBook book = deciding_book(streams_with("3 seconds") + rules);
  const RuleBook prompt = deciding_book(streams_with("0 seconds") + rules);
  Pipeline one({1, false, {}});
  Pipeline four({4, false, {}});
  one.apply_rules(book.build());
  four.apply_rules(book.build());
  std::vector<cep::BatchPtr> taken;
  for (const cep::BatchPtr& event : random_events(book, seed, 160)) {
    if (!has_b && event->schema->name == "b") continue;
    const cep::Verdict verdict = one.decide(event);
    const cep::Verdict of_four = four.decide(event);
    EXPECT_EQ(texts_of(of_four.alerts), texts_of(verdict.alerts)) << "seed " << seed << ", event " << event->position[0];
    EXPECT_EQ(of_four.is_late, verdict.is_late);
    EXPECT_FALSE(verdict.is_final) << "it waits for three seconds";
    found.late += verdict.is_late ? 1 : 0;
    if (verdict.is_late) continue;
    EXPECT_EQ(texts_of(verdict.alerts), defined_verdict(prompt, taken, event)) << "seed " << seed << ", event " << event->position[0];
    found.alerts += verdict.alerts.size();
    for (const cep::Alert& alert : verdict.alerts) found.folded += alert.folded ? 1 : 0;
    taken.push_back(event);
  }
}

TEST(Decide, AVerdictIsWhatTheDefinitionSaysWhateverTheShards) {
  Found found;
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    compare_with_definition(kRulesOfA, false, seed, found);
    compare_with_definition(kRuleOfBoth, true, seed, found);
  }
  EXPECT_GT(found.alerts, 100u);
  EXPECT_GT(found.folded, 10u);
  EXPECT_GT(found.late, 5u);
}

TEST(Decide, AskingLeavesNoTrace) {
  for (const char* delay : {"0 seconds", "3 seconds"}) {
    const RuleBook book = deciding_book(streams_with(delay) + kDecidingRules);
    const std::vector<cep::BatchPtr> events = random_events(book, 7, 1'500);
    Pipeline plain({3, true, {}});
    Pipeline asked({3, true, {}});
    plain.apply_rules(book.build());
    asked.apply_rules(book.build());
    for (size_t i = 0; i < events.size(); ++i) {
      plain.feed(events[i]);
      asked.decide(events[i]);
      if (i % 101 != 50) continue;
      ASSERT_TRUE(plain.restart().ok());
      ASSERT_TRUE(asked.restart().ok());
    }
    EXPECT_EQ(asked.counters().alerts, plain.counters().alerts);
    EXPECT_EQ(asked.counters().suppressed, plain.counters().suppressed);
    const std::vector<std::string> expected = rest_of(plain);
    EXPECT_GT(expected.size(), 100u);
    EXPECT_EQ(rest_of(asked), expected) << delay;
  }
}

TEST(Decide, ALateEventIsLookedAtAsIfItCameAtTheWatermark) {
  const RuleBook book = deciding_book(streams_with("0 seconds") + kDecidingRules);
  Pipeline pipeline({2, false, {}});
  pipeline.apply_rules(book.build());
  pipeline.decide(event_of(book, "a", 0, "A", "p", 1, 10 * kSecond));
  pipeline.decide(event_of(book, "a", 1, "A", "q", 1, 11 * kSecond));
  const cep::Verdict late = pipeline.decide(event_of(book, "a", 2, "A", "r", 4, 5 * kSecond));
  EXPECT_TRUE(late.is_late);
  EXPECT_FALSE(late.is_final);
  ASSERT_EQ(late.alerts.size(), 1u) << "backdating it does not buy an allow";
  EXPECT_EQ(late.alerts[0].program->rule, "path");
  EXPECT_EQ(late.alerts[0].time, 11 * kSecond);
  const cep::Verdict prompt = pipeline.decide(event_of(book, "a", 3, "A", "r", 4, 12 * kSecond));
  EXPECT_TRUE(prompt.is_final);
  EXPECT_EQ(prompt.alerts.size(), 1u) << "the late one was dropped: what it had completed is still open";
}

TEST(Decide, SeveralRulesAndKeysAddUpToOneVerdict) {
  const RuleBook book = deciding_book(streams_with("0 seconds") + kDecidingRules);
  Pipeline pipeline({4, false, {}});
  pipeline.apply_rules(book.build());
  pipeline.decide(event_of(book, "a", 0, "A", "p", 4, 1 * kSecond));
  pipeline.decide(event_of(book, "a", 1, "A", "q", 4, 2 * kSecond));
  const cep::Verdict verdict = pipeline.decide(event_of(book, "a", 2, "A", "r", 4, 7 * kSecond));
  std::vector<std::string> rules;
  for (const cep::Alert& alert : verdict.alerts) rules.push_back(alert.program->rule);
  EXPECT_EQ(rules, (std::vector<std::string>{"busy", "path"}));
  EXPECT_TRUE(verdict.is_final);
}

// The window of a device is of another key than the card's: rows of other cards that wait are in it.
TEST(Decide, WindowsByAnotherKeyHaveTheRowsThatWait) {
  const RuleBook book = deciding_book(
      streams_with("10 seconds") +
      "create rule device on a partition by k when count(distinct k) over (partition by d last 1 minute) >= 3\n"
      "  alert decision block message '{d}';\n");
  Pipeline pipeline({4, false, {}});
  pipeline.apply_rules(book.build());
  pipeline.decide(event_of(book, "a", 0, "A", "x", 1, 20 * kSecond));
  pipeline.decide(event_of(book, "a", 1, "B", "x", 1, 24 * kSecond));
  EXPECT_EQ(pipeline.decide(event_of(book, "a", 2, "C", "x", 1, 22 * kSecond)).alerts.size(), 0u) << "B comes behind it";
  EXPECT_EQ(pipeline.decide(event_of(book, "a", 3, "A", "x", 1, 25 * kSecond)).alerts.size(), 1u);
  EXPECT_EQ(pipeline.decide(event_of(book, "a", 4, "A", "x", 1, 25 * kSecond, "e")).alerts.size(), 0u);
}

TEST(Decide, TooManyWaitingRowsAreNoVerdict) {
  const RuleBook book = deciding_book(streams_with("1 minute") + kDecidingRules);
  cep::Limits limits;
  limits.peek_rows_max = 3;
  Pipeline pipeline({1, false, limits});
  pipeline.apply_rules(book.build());
  for (uint64_t i = 0; i < 3; ++i) EXPECT_FALSE(pipeline.decide(event_of(book, "b", i, "A", "p", 1, 100 * kSecond)).is_refused);
  EXPECT_FALSE(pipeline.decide(event_of(book, "b", 3, "A", "p", 1, 101 * kSecond)).is_refused);
  EXPECT_TRUE(pipeline.decide(event_of(book, "b", 4, "A", "p", 1, 101 * kSecond)).is_refused);
  EXPECT_FALSE(pipeline.decide(event_of(book, "b", 5, "B", "p", 1, 101 * kSecond)).is_refused) << "another key";
  EXPECT_EQ(pipeline.counters().peeks_refused, 1u);
}

TEST(Decide, WhatAlertsBecameWaitsForItsOwnKeysOnly) {
  const RuleBook book = deciding_book(
      streams_with("1 minute") + "create stream found (k text not null, at timestamp not null) event time at from rules;\n" +
      "create rule find on a partition by k when v > 0 into found;\n"
      "create rule fed on found, b partition by found.k, b.k pattern f -> e within 1 minute\n"
      "  define f as found where true, e as b where true alert decision block message 'm';\n");
  cep::Limits limits;
  limits.peek_rows_max = 3;
  Pipeline pipeline({1, false, limits});
  pipeline.apply_rules(book.build());
  pipeline.feed(event_of(book, "b", 9, "Z", "x", 1, 100 * kSecond));      // b holds back what a's alerts become
  for (uint64_t i = 0; i < 5; ++i) pipeline.feed(event_of(book, "a", i, "A", "x", 1, (100 + static_cast<int64_t>(i)) * kSecond));
  pipeline.feed(event_of(book, "a", 5, "B", "x", 1, 101 * kSecond));
  const std::string a = "a";
  pipeline.watermark(110 * kSecond, &a);
  const cep::Verdict of_b = pipeline.decide(event_of(book, "b", 6, "B", "x", 1, 105 * kSecond));
  EXPECT_FALSE(of_b.is_late);
  EXPECT_FALSE(of_b.is_refused) << "six rows wait, one of this key";
  EXPECT_EQ(of_b.alerts.size(), 1u);
  EXPECT_TRUE(pipeline.decide(event_of(book, "b", 7, "A", "x", 1, 105 * kSecond)).is_refused) << "five of this one";
  EXPECT_FALSE(pipeline.decide(event_of(book, "b", 8, "A", "x", 1, 100 * kSecond)).is_refused) << "none before this event";
}

}  // namespace
}  // namespace service
