// Merged runs against a list of partial matches that is walked for every event: random events through sequences of both links, with
// restarts in between, long enough that blocks are compacted many times. And what merging is for: a pattern with more partial matches than
// could be kept costs little, and nothing is left of it one horizon after its last event. A failure prints the seed.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include "service/pipeline.h"
#include "service/rule_files.h"

namespace service {
namespace {

constexpr uint64_t kEvents = 1500;

struct Case {
  std::string name;
  std::string pattern;
  std::string links;                // 'r' relaxed, 'a' any
  std::string letters = "abcd";     // variables in order
};

// Positions of bound events, in R31 order.
using Found = std::vector<std::vector<uint64_t>>;

class Naive {
 public:
  Naive(const Case& one, uint64_t within_ms) : links_(one.links), letters_(one.letters), within_ms_(within_ms) {}
  Found on_event(uint64_t position, const std::string& x) {
    Found complete;
    std::vector<std::vector<uint64_t>> kept, born;
    for (std::vector<uint64_t>& run : runs_) {
      if (position - run.front() >= within_ms_) continue;
      const bool fits = x.find(letters_[run.size()]) != std::string::npos;
      if (fits) {
        std::vector<uint64_t> longer = run;
        longer.push_back(position);
        (longer.size() == links_.size() + 1 ? complete : born).push_back(longer);
      }
      if (!fits || links_[run.size() - 1] == 'a') kept.push_back(std::move(run));
    }
    if (x.find(letters_[0]) != std::string::npos) born.push_back({position});
    runs_ = std::move(kept);
    runs_.insert(runs_.end(), born.begin(), born.end());
    std::sort(complete.begin(), complete.end());
    return complete;
  }
  uint64_t runs(uint64_t now) const {
    const auto lives = [&](const std::vector<uint64_t>& run) { return now - run.front() < within_ms_; };
    return static_cast<uint64_t>(std::count_if(runs_.begin(), runs_.end(), lives));
  }

 private:
  std::string links_;
  std::string letters_;
  uint64_t within_ms_;
  std::vector<std::vector<uint64_t>> runs_;
};

// Every letter of the pattern is a variable of events with that letter.
std::string rule_text(const std::string& name, const std::string& pattern, uint64_t within_ms = 200) {
  std::string text = fmt::format("create rule {} on e pattern {} within {} ms define ", name, pattern, within_ms);
  bool is_first = true;
  for (const char letter : std::string("abcdefgn")) {
    const size_t at = pattern.find(letter);
    if (at == std::string::npos || (letter == 'n' && pattern.find("n ") == std::string::npos)) continue;
    text += fmt::format("{}{} as x like '%{}%'", is_first ? "" : ", ", letter, letter);
    is_first = false;
  }
  return text + " after match no skip alert severity low;\n";
}

constexpr const char* kStream = "create stream e (x text not null, v int, at timestamp not null) event time at delay 0 seconds;\n";

RuleBook compile(const std::string& text, RuleBook book = {}, std::vector<cep::ProgramId>* started = nullptr) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add("merged.weir", text);
  std::vector<cep::ProgramId> to_warm;
  EXPECT_TRUE(book.compile(sources, {&file, 1}, diagnostics, to_warm)) << patterns::to_text(sources, diagnostics);
  if (started != nullptr) *started = to_warm;
  return book;
}

// At millisecond `time`, or as many as its position.
void add_event(cep::BatchBuilder& rows, uint64_t position, const std::string& x, std::optional<uint64_t> time = std::nullopt) {
  rows.begin_row();
  rows.set_text(0, x);
  rows.set_fixed(1, 1);
  rows.set_fixed(2, static_cast<int64_t>(time.value_or(position)) * cep::kMillisecond);
  rows.commit_row(position);
}

Found positions_of(const std::vector<cep::Alert>& alerts) {
  Found found;
  for (const cep::Alert& alert : alerts) {
    found.emplace_back();
    for (const cep::AlertEvent& event : alert.events) {
      found.back().push_back(reinterpret_cast<const cep::RowHeader*>(event.packed.get())->position);
    }
  }
  return found;
}

class MergedRuns : public testing::TestWithParam<Case> {
 protected:
  struct How {
    uint32_t matches_max = 1'000'000;
    int restart_every = 0;
    bool changes_rules = false;      // now and then: the rule is compiled anew, which starts it from the past
    uint64_t within_ms = 200;        // so many events, one a millisecond
    bool is_long = false;            // most events fit every variable and are long: blocks grow in the midst of an event
  };

  void run(const How& how) {
    SCOPED_TRACE(fmt::format("seed {}", seed_));
    RuleBook book = compile(kStream + rule_text("merged", GetParam().pattern, how.within_ms));
    PipelineOptions options;
    options.keeps_history = how.changes_rules || how.restart_every > 0;
    options.limits.matches_per_event_max = how.matches_max;
    options.limits.runs_per_key_max = 1;
    Pipeline pipeline(options);
    pipeline.apply_rules(book.build());
    ASSERT_TRUE(pipeline.rules()->rules().front().merges_runs);
    Naive naive(GetParam(), how.within_ms);
    cep::BatchBuilder rows(book.streams().at("e"), 0, 0);
    size_t matches = 0;
    for (uint64_t i = 0; i < kEvents; ++i) {
      const bool fits_all = how.is_long && random_() % 5 != 0;
      std::string x(1, static_cast<char>('a' + random_() % 9));
      if (fits_all) x = "abcd" + std::string(125 + random_() % 126, 'y');
      add_event(rows, i, x);
      pipeline.feed(rows.finish());
      std::vector<cep::Alert> alerts;
      pipeline.take_alerts(alerts, true);
      Found expected = naive.on_event(i, x);
      matches += expected.size();
      const bool is_cut = expected.size() > how.matches_max;
      if (is_cut) expected.resize(how.matches_max);
      ASSERT_EQ(positions_of(alerts), expected) << "at event " << i;
      for (const cep::Alert& alert : alerts) ASSERT_EQ(alert.truncated.matches, is_cut);
      for (const cep::Alert& alert : alerts) ASSERT_FALSE(alert.truncated.runs);
      if (i % 50 == 0) {
        ASSERT_EQ(partial_matches(pipeline), naive.runs(i)) << "at event " << i;
      }
      if (how.restart_every > 0 && i % static_cast<uint64_t>(how.restart_every) == 0) {
        ASSERT_TRUE(pipeline.restart().ok()) << "at event " << i;
      }
      if (how.changes_rules && i % 500 == 499) change_rule(pipeline, book, how, i / 500 % 2 == 0);
    }
    EXPECT_GT(matches, 50u);
    EXPECT_EQ(pipeline.counters().runs_refused, 0u);
    EXPECT_LT(pipeline.engine(0).state_bytes(), 60'000u);      // what is over does not stay
    const uint64_t empty = Pipeline(options).engine(0).state_bytes();
    for (uint64_t spans = 1; spans <= 4; ++spans) {
      pipeline.watermark(static_cast<cep::TimeUs>(kEvents + spans * how.within_ms) * cep::kMillisecond, nullptr);      // swept
    }
    EXPECT_EQ(pipeline.engine(0).keys(), 0u);
    EXPECT_LE(pipeline.engine(0).state_bytes(), empty + 4096u);
  }

  static uint64_t partial_matches(Pipeline& pipeline) {
    uint64_t sum = 0;
    for (const auto& state : pipeline.engine(0).match_summary(pipeline.rules()->rules().front()).states) sum += state.runs;
    return sum;
  }

  // Another rule beside it and a condition that says the same: the program is new, and its state comes from the history.
  void change_rule(Pipeline& pipeline, RuleBook& book, const How& how, bool odd) {
    std::string text = rule_text("merged", GetParam().pattern, how.within_ms);
    if (odd) text.replace(text.find("x like '%a%'"), 12, "x like '%a%' and x <> 'z'");
    std::vector<cep::ProgramId> started;
    book = compile(text, book, &started);
    ASSERT_EQ(started.size(), 1u);
    pipeline.apply_rules(book.build(), started);
  }

  const uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
};

class MergedRunsOfOne : public MergedRuns {};

TEST_P(MergedRuns, FindWhatApartTheyWouldFind) { run({}); }
TEST_P(MergedRuns, TheFirstMatchesAreKept) { run({.matches_max = 3}); }
TEST_P(MergedRuns, AreRestored) { run({.restart_every = 50}); }
TEST_P(MergedRuns, AreAdopted) { run({.changes_rules = true}); }
TEST_P(MergedRuns, HoldLongEventsThatFitEveryVariable) { run({.restart_every = 100, .within_ms = 12, .is_long = true}); }
TEST_P(MergedRuns, HoldLongEventsAndTellTheFirst) { run({.matches_max = 2, .changes_rules = true, .within_ms = 20, .is_long = true}); }
TEST_P(MergedRunsOfOne, FindWhatApartTheyWouldFind) { run({.restart_every = 50, .within_ms = 60}); }
TEST_P(MergedRunsOfOne, HoldLongEventsThatFitEveryVariable) { run({.restart_every = 100, .within_ms = 12, .is_long = true}); }

INSTANTIATE_TEST_SUITE_P(Links, MergedRuns,
                         testing::Values(Case{"a", "a ->> b", "a"}, Case{"rr", "a -> b -> c", "rr"}, Case{"aa", "a ->> b ->> c", "aa"},
                                         Case{"ra", "a -> b ->> c", "ra"}, Case{"ar", "a ->> b -> c", "ar"},
                                         Case{"aaa", "a ->> b ->> c ->> d", "aaa"}, Case{"ara", "a ->> b -> c ->> d", "ara"},
                                         Case{"rrr", "a -> b -> c -> d", "rrr"}),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(OneVariable, MergedRunsOfOne,
                         testing::Values(Case{"counted", "a{3}", "rr", "aaa"}, Case{"in_turn", "a ->> a ->> a", "aa", "aaa"},
                                         Case{"twice", "a ->> b ->> a", "aa", "aba"}),
                         [](const auto& info) { return info.param.name; });

// 10^8 histories end at each c: they are counted, the first are listed, and nothing of that size is ever made.
TEST(MergedRunsAtScale, ManyHistoriesCostLittle) {
  constexpr uint64_t kEach = 10'000;
  const RuleBook book = compile(std::string(kStream) +
                                "create rule r on e pattern a ->> b ->> c within 1 hour define a as x = 'a', b as x = 'b', c as x = 'c'\n"
                                "  after match no skip alert severity low;\n");
  Pipeline pipeline({});
  pipeline.apply_rules(book.build());
  cep::BatchBuilder rows(book.streams().at("e"), 0, 0);
  const std::string types = std::string(kEach, 'a') + std::string(kEach, 'b') + "c";
  for (uint64_t i = 0; i < types.size(); ++i) {
    add_event(rows, i, types.substr(i, 1));
    if (rows.rows() == 1000 || i + 1 == types.size()) pipeline.feed(rows.finish());
  }
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  ASSERT_EQ(alerts.size(), 1000u);
  EXPECT_TRUE(alerts.back().truncated.matches);
  EXPECT_EQ(positions_of(alerts).front(), (std::vector<uint64_t>{0, kEach, 2 * kEach}));
  EXPECT_EQ(positions_of(alerts).back(), (std::vector<uint64_t>{0, kEach + 999, 2 * kEach}));
  EXPECT_EQ(pipeline.counters().matches, kEach * kEach);
  EXPECT_EQ(pipeline.counters().matches_dropped, kEach * kEach - 1000);
  EXPECT_LT(pipeline.engine(0).state_bytes(), 4u << 20);
  const cep::BoundRule& rule = pipeline.rules()->rules().front();
  const cep::MatchState state = pipeline.engine(0).match_state(rule, {}, 5);
  EXPECT_EQ(state.runs_live, kEach + kEach * kEach);
  EXPECT_TRUE(state.more);
  ASSERT_EQ(state.runs.size(), 5u);
  EXPECT_EQ(state.runs[4].bound.size(), 2u);                   // longer first: a, b
  const cep::MatchSummary summary = pipeline.engine(0).match_summary(rule);
  ASSERT_EQ(summary.states.size(), 2u);
  EXPECT_EQ(summary.states[1].runs, kEach * kEach);
}

// Each partial match of it has a value of its own to compare with.
std::string apart_text(const std::string& name, uint64_t within_ms) {
  std::string text = rule_text(name, "a ->> b", within_ms);
  return text.replace(text.find("x like '%b%'"), 12, "x like '%b%' and v = a.v");
}

struct Ran {
  std::vector<std::string> alerts;      // names and whether runs were cut
  cep::EngineCounters counters;
};

// One event a millisecond, each in a batch of its own.
Ran run_texts(const std::string& rules, const cep::Limits& limits, const std::vector<std::string>& texts) {
  const RuleBook book = compile(kStream + rules);
  PipelineOptions options;
  options.limits = limits;
  Pipeline pipeline(options);
  pipeline.apply_rules(book.build());
  cep::BatchBuilder rows(book.streams().at("e"), 0, 0);
  for (uint64_t i = 0; i < texts.size(); ++i) {
    add_event(rows, i, texts[i]);
    pipeline.feed(rows.finish());
  }
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  Ran ran;
  for (const cep::Alert& alert : alerts) ran.alerts.push_back(alert.program->rule + (alert.truncated.runs ? " cut" : ""));
  ran.counters = pipeline.counters();
  return ran;
}

// What is stored once counts once, in however many states it waits.
TEST(MergedRunsAtScale, ALongEventInManyStatesCountsOnce) {
  const std::vector<std::string> texts(33, "a" + std::string(4'000, 'y'));
  const Ran ran = run_texts(rule_text("many", "a{30}", 60'000), {}, texts);
  EXPECT_EQ(ran.alerts, std::vector<std::string>(4, "many"));
  EXPECT_EQ(ran.counters.runs_refused, 0u);
}

// What a NOT ends and nothing continues takes no room.
TEST(MergedRunsAtScale, WhatNothingContinuesIsForgotten) {
  cep::Limits limits;
  limits.block_bytes_max = 12'000;
  std::vector<std::string> texts{"a", "b"};
  for (int i = 0; i < 1000; ++i) texts.insert(texts.end(), {"a", "n"});
  texts.push_back("c");
  const Ran ran = run_texts(rule_text("kept", "a -> not n ->> b ->> c", 60'000), limits, texts);
  EXPECT_EQ(ran.alerts, std::vector<std::string>{"kept"});
  EXPECT_EQ(ran.counters.runs_refused, 0u);
}

// Merged runs that are at the limit of the key's bytes cut no run that is apart.
TEST(MergedRunsAtScale, RunsApartHaveRoomBesideThem) {
  cep::Limits limits;
  limits.block_bytes_max = 20'000;
  limits.matches_per_event_max = 50;
  std::vector<std::string> texts;
  for (int i = 0; i < 3000; ++i) texts.push_back(i % 50 == 0 ? "a" : i % 50 == 25 ? "b" : "c" + std::string(100, 'y'));
  const std::string apart = apart_text("apart", 200);
  const Ran alone = run_texts(apart, limits, texts);
  std::string merged = rule_text("merged", "c ->> d", 60'000);
  Ran beside = run_texts(apart + merged, limits, texts);
  EXPECT_GT(beside.counters.runs_refused, 1000u);
  EXPECT_EQ(alone.counters.runs_refused, 0u);
  EXPECT_GT(alone.alerts.size(), 200u);
  EXPECT_EQ(beside.alerts, alone.alerts);
}

TEST(MergedRunsAtScale, CountsStayAtTheGreatestNumber) {
  std::vector<std::string> texts;
  for (const char* const letter : {"a", "b", "c", "d", "a", "b"}) texts.insert(texts.end(), 2000, letter);
  texts.insert(texts.end(), 2, "f");
  cep::Limits limits;
  limits.matches_per_event_max = 2;
  const Ran ran = run_texts(rule_text("all", "a ->> b ->> c ->> d ->> a ->> b ->> f", 60'000), limits, texts);
  EXPECT_EQ(ran.alerts.size(), 4u);
  EXPECT_EQ(ran.counters.matches, UINT64_MAX);
  EXPECT_EQ(ran.counters.matches_dropped, UINT64_MAX);
}

// The limit of a key's bytes cuts what merged runs bind by what they have bound, not by what memory looks like: batches and restarts
// change nothing.
TEST(MergedRunsAtScale, TheLimitOfBytesDependsOnEventsAlone) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  const RuleBook book = compile(kStream + rule_text("a_b", "a ->> b") + rule_text("a_b_c", "a ->> b -> c") +
                                rule_text("not_n", "a ->> b -> not n ->> c -> d") + apart_text("apart", 400));
  std::vector<std::string> first;
  for (const uint32_t batch : {1u, 7u, 500u}) {
    for (const bool restarts : {false, true}) {
      PipelineOptions options;
      options.keeps_history = true;
      options.limits.block_bytes_max = 12'000;
      Pipeline pipeline(options);
      pipeline.apply_rules(book.build());
      std::mt19937_64 random(seed);
      std::mt19937_64 when(seed);
      cep::BatchBuilder rows(book.streams().at("e"), 0, 0);
      uint64_t time = 0;
      for (uint64_t i = 0; i < 4000; ++i) {
        time += i % 1000 == 999 ? 2000 : 1;
        static constexpr const char* kTexts[] = {"a", "a", "a", "b", "b", "b", "c", "ac", "abc", "n", "d"};
        add_event(rows, i, kTexts[random() % std::size(kTexts)], time);
        if (rows.rows() < batch && i + 1 < 4000) continue;
        pipeline.feed(rows.finish());
        if (restarts && when() % 8 == 0) {
          ASSERT_TRUE(pipeline.restart().ok());
        }
      }
      std::vector<cep::Alert> alerts;
      pipeline.take_alerts(alerts, true);
      std::vector<std::string> lines;
      for (const cep::Alert& alert : alerts) lines.push_back(cep::to_hex(alert.id) + (alert.truncated.runs ? " runs" : ""));
      if (!restarts) {
        EXPECT_GT(pipeline.counters().runs_refused, 100u);
      }
      EXPECT_GT(lines.size(), 1000u);
      EXPECT_LT(pipeline.engine(0).state_bytes(), 200'000u);
      EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const std::string& line) { return !line.ends_with("runs"); }));
      if (first.empty()) first = lines;
      ASSERT_EQ(lines, first) << "batches of " << batch << (restarts ? ", restarted" : "");
    }
  }
}

// Runs of a block that was written without merging stay apart until they end, beside merged ones; and the other way round.
TEST(MergedRunsAtScale, BlocksWrittenWithoutMergingGoOn) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  const RuleBook book = compile(kStream + rule_text("a_b_c", "a ->> b ->> c") + rule_text("b_c", "a -> b ->> c"));
  const cep::RuleSetPtr rules = book.build();
  const auto engine_of = [&](bool merges_runs) {
    cep::Limits limits;
    limits.runs_per_key_max = 100'000;
    auto engine = std::make_unique<cep::Engine>(0, 1, limits, merges_runs);
    engine->apply_rules(rules);
    return engine;
  };
  auto expected = engine_of(false);
  bool merges = false;
  auto engine = engine_of(merges);
  cep::BatchBuilder rows(rules->streams().at("e"), 0, 0);
  std::map<std::pair<uint64_t, uint64_t>, std::string> stored;      // images of keys, as last taken
  size_t matches = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    add_event(rows, i, std::string(1, "aabbcxyz"[random() % 8]));
    const cep::BatchPtr batch = rows.finish();
    cep::Admission admission;
    admission.frontier = batch->time.back();
    admission.has_rows = true;
    std::vector<cep::Alert> wanted;
    std::vector<cep::Alert> found;
    expected->on_batch(batch, {&admission, 1}, wanted);
    engine->on_batch(batch, {&admission, 1}, found);
    ASSERT_EQ(positions_of(found), positions_of(wanted)) << "at event " << i;
    matches += found.size();
    if (random() % 20 != 0) continue;
    std::vector<cep::KeyImage> images;
    engine->begin_images(1, {});
    engine->take_images(SIZE_MAX, images);
    merges = !merges;
    engine = engine_of(merges);
    for (cep::KeyImage& image : images) stored[{image.space, image.hash}] = std::move(image.bytes);
    for (const auto& [key, bytes] : stored) {
      if (!bytes.empty()) {
        ASSERT_TRUE(engine->restore_key(key.first, key.second, 1, bytes)) << "at event " << i;
      }
    }
  }
  EXPECT_GT(matches, 1'000u);
}

}  // namespace
}  // namespace service
