// Matching: a rule and events made from the bytes. Nothing crashes, and the alerts are the same, id for id, in one batch and another way
// that the last byte chooses: row by row, on 2 shards, with all state taken out and in again after every event, or with no runs merged.
#include <algorithm>
#include <unordered_map>

#include "api/alert_json.h"
#include "patterns/compile.h"
#include "service/pipeline.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr size_t kEventsMax = 8;

patterns::Catalog stream() {
  patterns::Catalog catalog;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file =
      sources.add("stream", "create stream e (k text not null, x text, v int, at timestamp not null) event time at delay 3 seconds;");
  fuzz::check(patterns::compile_file(sources, file, catalog, diagnostics).has_value(), "the stream does not compile");
  return catalog;
}

std::string variable(size_t number) { return std::string(1, static_cast<char>('a' + number)); }

std::string item(fuzz::Bytes& input, bool first) {
  static constexpr const char* kQuantifiers[] = {"",          "",         "?",        "+",         "*",       "{2}",     "{1,3}",
                                                 "+ strict", "+ any", "+ greedy", "* greedy", "{,2}", "{2,}", "? greedy"};
  const std::string one = variable(input.below(4));
  const std::string two = variable(input.below(4));
  switch (input.below(8)) {
    case 0: return "(" + one + " -> " + two + ")" + kQuantifiers[input.below(std::size(kQuantifiers))];
    case 1: return "(" + one + " | " + two + ")";
    case 2: return "not " + one + (first ? " for 4 seconds" : "");
    case 3: return "not " + one + " for 3 seconds";
    case 4: return "(" + one + ", " + two + "+)" + kQuantifiers[input.below(std::size(kQuantifiers))];
    default: return one + kQuantifiers[input.below(std::size(kQuantifiers))];
  }
}

std::string rule(fuzz::Bytes& input) {
  static constexpr const char* kLinks[] = {" -> ", " -> ", ", ", " ->> ", " -> [4 seconds] ", " -> [1 second, 6 seconds] "};
  static constexpr const char* kSkips[] = {"no skip", "skip past last row", "skip to next row", "skip to first a", "skip to last b",
                                            "no skip emit episode after quiet 3 seconds",
                                            "skip to next row emit episode after quiet 2 seconds"};
  static constexpr const char* kMore[] = {"", "", " and v > a.v", " and count(a) > 1", " and v >= max(b.v)"};
  std::string text = "create rule r on e partition by k pattern ";
  const size_t items = 1 + input.below(4);
  for (size_t i = 0; i < items; ++i) text += (i == 0 ? "" : kLinks[input.below(std::size(kLinks))]) + item(input, i == 0);
  if (input.below(4) != 0) text += " within " + std::to_string(1 + input.below(12)) + " seconds";
  text += " define";
  for (size_t i = 0; i < 4; ++i) {
    if (text.find(variable(i), 42) == std::string::npos) continue;
    const std::string more = i < 2 ? "" : kMore[input.below(std::size(kMore))];
    text += std::string(text.ends_with("define") ? " " : ", ") + variable(i) + " as x like '%" + variable(input.below(4)) + "%'" + more;
  }
  return text + " after match " + kSkips[input.below(std::size(kSkips))] + " alert message '{k}';";
}

// Null where the text is refused. Mutations leave many rules as they are, and compiling one takes as long as feeding it.
cep::RuleSetPtr compiled(const std::string& text) {
  constexpr size_t kKeptMax = 5'000;
  static const patterns::Catalog kCatalog = stream();
  static std::unordered_map<std::string, cep::RuleSetPtr> kept;
  if (const auto found = kept.find(text); found != kept.end()) return found->second;
  if (kept.size() >= kKeptMax) kept.clear();
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  patterns::Catalog catalog = kCatalog;
  const auto made = patterns::compile_file(sources, sources.add("f", text), catalog, diagnostics);
  if (!made) return kept[text] = nullptr;
  cep::RuleEntry entry;
  entry.id = cep::ProgramId{1};
  entry.program = made->rules.at(0).program;
  return kept[text] = cep::RuleSet::build({entry}, {}, catalog.streams);
}

struct Event {
  std::string key, x;
  int64_t v = 0;
  cep::TimeUs time = 0;
};

// Two bytes an event: letters, key, length, value, step of time; a step back stays inside the delay.
std::vector<Event> events_of(fuzz::Bytes& input) {
  std::vector<Event> events;
  int64_t seconds = 100;
  while (!input.empty() && events.size() < kEventsMax) {
    const uint8_t letters = input.byte();
    const uint8_t step = input.byte();
    Event& event = events.emplace_back();
    for (size_t i = 0; i < 4; ++i) event.x += (letters >> i & 1) != 0 ? variable(i) : "";
    if (letters >> 5 == 7) event.x += std::string(200, 'y');
    seconds += step % 8 - 1;
    event.key = (letters >> 4 & 1) != 0 ? "k" : "l";
    event.v = step >> 4;
    event.time = seconds * cep::kSecond;
  }
  return events;
}

// Events [first, last), each at its number as position.
cep::BatchPtr batch_of(const cep::SchemaPtr& schema, const std::vector<Event>& events, size_t first, size_t last) {
  cep::BatchBuilder rows(schema, 0, 0);
  for (size_t i = first; i < last; ++i) {
    rows.begin_row();
    rows.set_text(0, events[i].key);
    rows.set_text(1, events[i].x);
    rows.set_fixed(2, events[i].v);
    rows.set_fixed(3, events[i].time);
    rows.commit_row(i);
  }
  return rows.finish();
}

enum class Way { kBatch, kRows, kShards, kRestart, kApart };

std::vector<cep::Alert> alerts_of(const cep::RuleSetPtr& rules, const std::vector<Event>& events, Way way) {
  const cep::SchemaPtr& schema = rules->streams().at("e");
  cep::Limits limits;
  limits.matches_per_event_max = 8;  // a few rules would take most of the time
  service::Pipeline pipeline({way == Way::kShards ? 2u : 1u, way == Way::kRestart, limits, true, way != Way::kApart});
  pipeline.apply_rules(rules);
  const size_t step = way == Way::kBatch || way == Way::kApart ? events.size() : 1;
  for (size_t first = 0; first < events.size(); first += step) {
    pipeline.feed(batch_of(schema, events, first, first + step));
    if (way == Way::kRestart) fuzz::check(pipeline.restart().ok(), "an image is not sound");
  }
  pipeline.watermark(service::kEndOfTime, nullptr);
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  if (fuzz::kPlanted && way == Way::kBatch && alerts.size() > 12) alerts.pop_back();
  return alerts;
}

// Ids name the rule and the rows of a match; what is delivered beside them is compared for the last alert only, for it takes long.
bool same(const std::vector<cep::Alert>& one, const std::vector<cep::Alert>& other) {
  const auto by_id = [](const cep::Alert& left, const cep::Alert& right) { return left.id == right.id; };
  if (!std::equal(one.begin(), one.end(), other.begin(), other.end(), by_id)) return false;
  return one.empty() || api::alert_json(one.back()) == api::alert_json(other.back());
}

std::string shown(const std::vector<cep::Alert>& alerts) {
  std::string text;
  for (const cep::Alert& alert : alerts) text += api::alert_json(alert) + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4 || size > 64) return 0;
  fuzz::Bytes input(data, size);
  const std::string text = rule(input);
  const cep::RuleSetPtr rules = compiled(text);
  if (!rules) return 0;
  const std::vector<Event> events = events_of(input);
  if (events.empty()) return 0;
  const std::vector<cep::Alert> plain = alerts_of(rules, events, Way::kBatch);
  constexpr Way kOthers[] = {Way::kRows, Way::kShards, Way::kRestart, Way::kApart};
  const Way way = kOthers[data[size - 1] % std::size(kOthers)];
  const std::vector<cep::Alert> other = alerts_of(rules, events, way);
  if (same(plain, other)) return 0;
  const std::string number = std::to_string(static_cast<int>(way));
  fuzz::check(false, "other alerts", text + "\nin one batch:\n" + shown(plain) + "way " + number + ":\n" + shown(other));
  return 0;
}
