// Every kind of window against a plain list of events: what a rule says at each event is computed again from all events before it, by the
// words of R42, R46, R48-R51. One shard and four, with restarts in between; a failure prints the seed.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "service/pipeline.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct Event {
  std::string g;                   // the rule's key
  std::optional<std::string> x;    // the other key
  std::optional<int64_t> v;
  cep::TimeUs time;
};
using Events = std::vector<const Event*>;          // oldest first, the one under test last if it is in
using Number = std::optional<double>;

struct Case {
  std::string text;
  std::function<Number(const std::vector<Event>& all, size_t now)> value;
};

Events where(const std::vector<Event>& all, size_t now, const std::function<bool(const Event&)>& fits) {
  Events found;
  for (size_t i = 0; i <= now; ++i) {
    if (fits(all[i])) found.push_back(&all[i]);
  }
  return found;
}

Events last_rows(Events events, size_t rows) {
  if (events.size() > rows) events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(rows));
  return events;
}

Events without(Events events, const Event& current) {
  std::erase(events, &current);
  return events;
}

Number sum(const Events& events) {
  Number total;
  for (const Event* e : events) {
    if (e->v) total = total.value_or(0) + static_cast<double>(*e->v);
  }
  return total;
}

Number most(const Events& events) {
  Number found;
  for (const Event* e : events) {
    if (e->v && (!found || static_cast<double>(*e->v) > *found)) found = static_cast<double>(*e->v);
  }
  return found;
}

Number of(const Event* event) { return event->v ? Number(static_cast<double>(*event->v)) : std::nullopt; }
Number first(const Events& events) { return events.empty() ? std::nullopt : of(events.front()); }
Number last(const Events& events) { return events.empty() ? std::nullopt : of(events.back()); }
Number count(const Events& events) { return static_cast<double>(events.size()); }
Number distinct(const Events& events) {
  std::set<int64_t> values;
  for (const Event* e : events) {
    if (e->v) values.insert(*e->v);
  }
  return static_cast<double>(values.size());
}

constexpr cep::DurationUs kSpan = 10 * cep::kSecond;

std::vector<Case> cases() {
  const auto key = [](const std::vector<Event>& all, size_t now) {
    return where(all, now, [&](const Event& e) { return e.g == all[now].g; });
  };
  const auto key_span = [](const std::vector<Event>& all, size_t now) {
    return where(all, now, [&](const Event& e) { return e.g == all[now].g && e.time > all[now].time - kSpan; });
  };
  return {
      {"sum(v) over (last 10 seconds)", [=](auto& all, size_t n) { return sum(key_span(all, n)); }},
      {"first(v) over (last 10 seconds)", [=](auto& all, size_t n) { return first(key_span(all, n)); }},
      {"last(v) over (last 10 seconds exclude current)", [=](auto& all, size_t n) { return last(without(key_span(all, n), all[n])); }},
      {"sum(v) over (last 4 rows)", [=](auto& all, size_t n) { return sum(last_rows(key(all, n), 4)); }},
      {"count(distinct v) over (last 6 rows)", [=](auto& all, size_t n) { return distinct(last_rows(key(all, n), 6)); }},
      {"max(v) over (last 3 rows exclude current)", [=](auto& all, size_t n) { return most(without(last_rows(key(all, n), 3), all[n])); }},
      {"count(*) filter (where v > 3) over (last 4 rows)",
       [=](auto& all, size_t n) {
         Events rows = last_rows(key(all, n), 4);
         std::erase_if(rows, [](const Event* e) { return !e->v || *e->v <= 3; });
         return count(rows);
       }},
      {"sum(v) over (all)", [=](auto& all, size_t n) { return sum(key(all, n)); }},
      {"max(v) over (all exclude current)", [=](auto& all, size_t n) { return most(without(key(all, n), all[n])); }},
      {"first(v) over (all)", [=](auto& all, size_t n) { return first(key(all, n)); }},
      {"last(v) over (all exclude current)", [=](auto& all, size_t n) { return last(without(key(all, n), all[n])); }},
      {"prev(v)", [=](auto& all, size_t n) { return last(without(key(all, n), all[n])); }},
      {"prev(v, 3)",
       [=](auto& all, size_t n) {
         const Events rows = key(all, n);
         return rows.size() < 4 ? std::nullopt : of(rows[rows.size() - 4]);
       }},
      {"count(*) filter (where v = this.v) over (last 10 seconds)",
       [=](auto& all, size_t n) {
         Events rows = key_span(all, n);
         std::erase_if(rows, [&](const Event* e) { return !e->v || !all[n].v || *e->v != *all[n].v; });
         return count(rows);
       }},
      {"count(*) over (partition by g, x last 10 seconds)",
       [=](auto& all, size_t n) {
         Events rows = key_span(all, n);
         std::erase_if(rows, [&](const Event* e) { return !e->x || !all[n].x || *e->x != *all[n].x; });
         return count(rows);
       }},
  };
}

// Windows that pin the rule to one shard.
std::vector<Case> pinned_cases() {
  const auto other = [](const std::vector<Event>& all, size_t now) {
    return where(all, now, [&](const Event& e) { return e.x && all[now].x && *e.x == *all[now].x && e.time > all[now].time - kSpan; });
  };
  const auto crossed = [](const std::vector<Event>& all, size_t now) {
    return where(all, now, [&](const Event& e) { return e.x && *e.x == all[now].g && e.time > all[now].time - kSpan; });
  };
  return {
      {"count(*) over (partition by x last 10 seconds)", [=](auto& all, size_t n) { return count(other(all, n)); }},
      {"sum(v) over (partition by x last 10 seconds exclude current)",
       [=](auto& all, size_t n) { return sum(without(other(all, n), all[n])); }},
      {"count(distinct v) over (partition by x = g last 10 seconds exclude current)",
       [=](auto& all, size_t n) { return distinct(without(crossed(all, n), all[n])); }},
      {"last(v) over (partition by x all exclude current)",
       [=](auto& all, size_t n) {
         const Events rows = where(all, n, [&](const Event& e) { return e.x && all[n].x && *e.x == *all[n].x; });
         return last(without(rows, all[n]));
       }},
  };
}

std::vector<Event> random_events(uint64_t seed, size_t size) {
  std::mt19937_64 random(seed);
  std::vector<Event> events;
  cep::TimeUs time = 0;
  for (size_t i = 0; i < size; ++i) {
    time += static_cast<cep::TimeUs>(random() % 4 == 0 ? 0 : random() % 3) * cep::kSecond;      // equal times are many
    Event event{std::string(1, "abcd"[random() % 4]), std::nullopt, std::nullopt, time};
    if (random() % 8 != 0) event.x = std::string(1, "abcde"[random() % 5]);
    if (random() % 6 != 0) event.v = static_cast<int64_t>(random() % 8);
    events.push_back(std::move(event));
  }
  return events;
}

cep::BatchPtr batch_of(const cep::SchemaPtr& schema, const Event& event, uint64_t position) {
  cep::BatchBuilder builder(schema, 0, 0);
  builder.begin_row();
  builder.set_text(0, event.g);
  if (event.x) builder.set_text(1, *event.x);
  if (event.v) builder.set_fixed(2, *event.v);
  builder.set_fixed(3, event.time);
  builder.commit_row(position);
  return builder.finish();
}

void compare(const std::vector<Case>& asked, uint32_t shards, uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", shards " + std::to_string(shards));
  std::string text =
      "create stream e (g text not null, x text, v int, at timestamp not null) event time at delay 0 seconds;\n"
      "create rule r on e partition by g when count(*) over (last 1 second) >= 1 measures ";
  for (size_t c = 0; c < asked.size(); ++c) text += (c > 0 ? ", " : "") + asked[c].text + " as m" + std::to_string(c);
  text += " alert message 'm';\n";
  RuleBook book;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add("t.weir", text);
  std::vector<cep::ProgramId> to_warm;
  ASSERT_TRUE(book.compile(sources, {&file, 1}, diagnostics, to_warm)) << patterns::to_text(sources, diagnostics);
  Pipeline pipeline({shards, true, {}});
  pipeline.apply_rules(book.build());
  const std::vector<Event> events = random_events(seed, 300);
  for (size_t i = 0; i < events.size(); ++i) {
    pipeline.feed(batch_of(book.streams().at("e"), events[i], i));
    if (i % 37 == 36) {
      ASSERT_TRUE(pipeline.restart());
    }
    std::vector<cep::Alert> alerts;
    pipeline.take_alerts(alerts, true);
    ASSERT_EQ(alerts.size(), 1u) << "event " << i;
    for (size_t c = 0; c < asked.size(); ++c) {
      const cep::Value got = alerts[0].measures[c].view();
      const Number expected = asked[c].value(events, i);
      ASSERT_EQ(got.is_null(), !expected.has_value()) << "event " << i << ": " << asked[c].text;
      if (expected) {
        ASSERT_EQ(static_cast<double>(got.number), *expected) << "event " << i << ": " << asked[c].text;
      }
    }
  }
}

// Match state: windows as of the watermark; `prev` is what the next event will see; what asks an event has no value without one.
TEST(WindowsAtRest, AreReadWithoutAnEvent) {
  RuleBook book;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add(
      "t.weir",
      "create stream e (g text not null, x text, v int, at timestamp not null) event time at delay 0 seconds;\n"
      "create rule r on e partition by g when prev(v) > 100 and prev(v, 2) > 100 and sum(v) over (last 2 rows) > 100"
      " and count(*) filter (where v = this.v) over (last 1 hour) > 100 alert message 'm';\n");
  std::vector<cep::ProgramId> to_warm;
  ASSERT_TRUE(book.compile(sources, {&file, 1}, diagnostics, to_warm)) << patterns::to_text(sources, diagnostics);
  Pipeline pipeline({1, true, {}});
  pipeline.apply_rules(book.build());
  const std::vector<int64_t> values = {1, 2, 4};
  for (size_t i = 0; i < values.size(); ++i) {
    pipeline.feed(batch_of(book.streams().at("e"), {"k", std::nullopt, values[i], static_cast<cep::TimeUs>(i) * cep::kSecond}, i));
  }
  const cep::Value key[] = {cep::Value::string("k")};
  const cep::MatchState state = pipeline.engine(0).match_state(*pipeline.rules()->find("r"), key, 10);
  ASSERT_EQ(state.windows.size(), 4u);
  EXPECT_EQ(static_cast<int64_t>(state.windows[0].value.view().number), 4) << state.windows[0].text;
  EXPECT_EQ(static_cast<int64_t>(state.windows[1].value.view().number), 2) << state.windows[1].text;
  EXPECT_EQ(static_cast<int64_t>(state.windows[2].value.view().number), 6) << state.windows[2].text;
  EXPECT_TRUE(state.windows[3].value.view().is_null()) << state.windows[3].text;
}

TEST(WindowsRandom, OfTheRulesKey) {
  for (uint64_t seed = 1; seed <= 8; ++seed) compare(cases(), seed % 2 == 0 ? 4 : 1, seed);
}

TEST(WindowsRandom, OfAnotherKey) {
  for (uint64_t seed = 1; seed <= 8; ++seed) compare(pinned_cases(), seed % 2 == 0 ? 4 : 1, seed);
}

}  // namespace
}  // namespace service
