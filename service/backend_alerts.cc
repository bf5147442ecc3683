// See backend.h. Here: alerts (pages, one, the feed), match state, rejected events. Pages read LMDB on the work thread, a transaction each.
#include <algorithm>

#include "api/alert_json.h"
#include "api/problem.h"
#include "cep/batch.h"
#include "cep/key.h"
#include "cep/parse.h"
#include "service/answers.h"
#include "service/backend.h"
#include "service/sinks.h"

namespace service {
namespace {

constexpr int kPagesPerAnswer = 20;          // of the log, each of state::AlertLog::kScanMax alerts at most
constexpr size_t kFeedChunk = 500;           // alerts looked at in one task
constexpr size_t kHottestMax = 20;

api::Answer no_rule(const std::string& name) { return api::problem_answer("not-found", "There is no rule `" + name + "`."); }

// A key as a request writes it: parts as text, in partition order.
struct AskedKey {
  std::vector<cep::OwnedValue> parts;
  uint64_t hash = 0;
  std::vector<cep::Value> views() const {
    std::vector<cep::Value> values;
    for (const cep::OwnedValue& part : parts) values.push_back(part.view());
    return values;
  }
};

cep::Result<AskedKey> read_key(const cep::Program& program, const std::vector<std::string>& texts) {
  const bool empty_key = program.key.empty() && texts.size() == 1 && texts[0].empty();
  if (texts.size() != program.key.size() && !empty_key) {
    std::string parts;
    for (const cep::KeyPart& part : program.key) parts += (parts.empty() ? "" : ", ") + part.name;
    return cep::Error{"bad_request", "The rule's key has " + std::to_string(program.key.size()) + " parts (" + parts +
                                         "): give each as key=, in this order."};
  }
  AskedKey key;
  for (size_t i = 0; i < program.key.size(); ++i) {
    cep::Result<cep::Value> value = cep::parse_value(texts[i], program.key[i].type);
    if (!value.ok()) return cep::Error{"bad_request", "The key part " + program.key[i].name + ": " + value.error().message};
    key.parts.emplace_back(*value);
  }
  std::string bytes;
  if (!cep::encode_key(program.key, key.views(), bytes)) return cep::Error{"bad_request", "No part of a key is null."};
  key.hash = cep::hash_bytes(bytes.data(), bytes.size());
  return key;
}

api::Answer bad_request(const cep::Error& error) { return api::problem_answer("bad-request", error.message); }

bool is_backfill(const state::Alert& alert) { return alert.mode == static_cast<uint8_t>(cep::AlertMode::kBackfill); }

// An alert page's filter, with what AlertLog does not filter by.
struct AlertsFilter {
  state::AlertFilter log;
  std::optional<uint8_t> severity;
  bool fits(const state::Alert& alert) const {
    // What a new version finds in the past stands apart from what happened: only who asks for it sees it.
    return (!severity || alert.severity == *severity) && (log.mode || !is_backfill(alert));
  }
};

cep::Result<AlertsFilter> alerts_filter(const Registry& registry, const api::AlertsQuery& query) {
  AlertsFilter filter;
  filter.log.from_us = query.from;
  filter.log.to_us = query.to;
  if (query.severity) {
    filter.severity = filter.log.severity_min = static_cast<uint8_t>(parse_severity(*query.severity).value_or(cep::Severity::kInfo));
  }
  if (query.mode == "live") filter.log.mode = static_cast<uint8_t>(cep::AlertMode::kLive);
  if (query.mode == "shadow") filter.log.mode = static_cast<uint8_t>(cep::AlertMode::kShadow);
  if (query.mode == "backfill") filter.log.mode = static_cast<uint8_t>(cep::AlertMode::kBackfill);
  if (query.mode == "derived") filter.log.mode = static_cast<uint8_t>(cep::AlertMode::kDerived);
  if (!query.rule) return filter;
  auto rule = registry.rules().find(*query.rule);
  if (rule == registry.rules().end()) return cep::Error{"not_found", "There is no rule `" + *query.rule + "`."};
  filter.log.rule = rule->second.number;
  if (query.key.empty()) return filter;
  if (rule->second.program == nullptr) {
    return cep::Error{"not_found", "The rule `" + *query.rule + "` was dropped together with its streams; ask without key."};
  }
  cep::Result<AskedKey> key = read_key(*rule->second.program, query.key);
  if (!key.ok()) return key.error();
  filter.log.key_hash = key->hash;
  return filter;
}

api::Answer alerts_page(const state::AlertLog& log, const AlertsFilter& filter, std::optional<uint64_t> before, uint32_t limit) {
  PageWriter writer;
  uint32_t items = 0;
  for (int page = 0; page < kPagesPerAnswer && items < limit; ++page) {
    cep::Result<state::AlertPage> found = log.page(filter.log, before, limit);
    if (!found.ok()) return error_answer(found.error());
    for (const state::StoredAlert& stored : found->items) {
      if (!filter.fits(stored.alert)) continue;
      writer.json().raw(stored.alert.body);
      if (++items < limit) continue;
      const bool last = &stored == &found->items.back() && !found->next;
      return writer.finish(last ? std::nullopt : std::optional(std::to_string(stored.sequence)));
    }
    before = found->next;
    if (!before) return writer.finish(std::nullopt);
  }
  return writer.finish(before ? std::optional(std::to_string(*before)) : std::nullopt);
}

void append_rejected(const state::StoredRejected& stored, api::JsonWriter& json) {
  const state::RejectedEvent& event = stored.event;
  json.begin_object().key("id").unsigned_integer(stored.sequence).key("time").string(cep::format_time(event.at_us));
  json.field("stream", event.stream).field("code", event.code).field("field", event.field).field("message", event.message);
  if (event.code == "late") {
    json.key("watermark");
    append_time(event.watermark_us, json);
    json.field("lag", cep::format_duration(event.lag_us));
  }
  json.key("raw_bytes").unsigned_integer(event.raw_bytes).field("raw", event.raw).end_object();
}

// What a shard answered, with the program it answered by.
struct Found {
  cep::ProgramPtr program;
  uint32_t version = 0;
  cep::RuleMode mode = cep::RuleMode::kLive;
  cep::MatchState state;
};

void merge(cep::MatchSummary& all, cep::MatchSummary part) {
  for (const cep::MatchSummary::StateCount& count : part.states) {
    auto same = std::find_if(all.states.begin(), all.states.end(), [&](const auto& known) { return known.state == count.state; });
    if (same == all.states.end()) {
      all.states.push_back(count);
    } else {
      same->runs = cep::add_capped(same->runs, count.runs);
      same->keys += count.keys;
    }
  }
  std::move(part.hottest.begin(), part.hottest.end(), std::back_inserter(all.hottest));
}

// The same whichever shard answered first.
void put_in_order(cep::MatchSummary& all) {
  std::sort(all.states.begin(), all.states.end(), [](const auto& a, const auto& b) { return a.state < b.state; });
  const auto name = [](const cep::MatchSummary::HotKey& hot) {
    std::string bytes;
    for (const cep::OwnedValue& part : hot.key) cep::append_tagged(bytes, part.view());
    return bytes;
  };
  std::sort(all.hottest.begin(), all.hottest.end(), [&](const auto& a, const auto& b) {
    if (a.runs != b.runs) return a.runs > b.runs;
    if (a.bytes != b.bytes) return a.bytes > b.bytes;
    return name(a) < name(b);
  });
  if (all.hottest.size() > kHottestMax) all.hottest.resize(kHottestMax);
}

}  // namespace

void Backend::alerts(api::AlertsQuery query, api::Reply reply) {
  on_work(reply, [this, query = std::move(query), reply] {
    const std::optional<uint64_t> before = query.cursor.empty() ? std::nullopt : parse_cursor_number(query.cursor);
    if (!query.cursor.empty() && !before) return reply(bad_cursor());
    cep::Result<AlertsFilter> filter = alerts_filter(*lane_.registry(), query);
    if (!filter.ok()) return reply(filter.error().code == "not_found" ? error_answer(filter.error()) : bad_request(filter.error()));
    reply(alerts_page(lane_.store().alerts(), *filter, before, query.limit));
  });
}

void Backend::alert(std::string id, api::Reply reply) {
  on_work(reply, [this, id = std::move(id), reply] {
    cep::AlertId bytes{};
    const bool known_form = cep::parse_alert_id(id, &bytes);
    cep::Result<std::optional<state::StoredAlert>> stored = lane_.store().alerts().by_id(bytes);
    if (!stored.ok()) return reply(error_answer(stored.error()));
    if (!known_form || !stored->has_value()) {
      return reply(api::problem_answer("not-found", "No alert has this id, or it has expired."));
    }
    reply(json_answer(std::move((*stored)->alert.body)));
  });
}

struct Backend::Feed {
  api::FeedQuery query;
  std::function<void(api::FeedPage)> reply;
  api::FeedPage page;
  std::optional<cep::Severity> severity;
  bool begun = false;
};

void Backend::read_feed(api::FeedQuery query, std::function<void(api::FeedPage)> reply) {
  auto feed = std::make_shared<Feed>();
  feed->query = std::move(query);
  feed->reply = std::move(reply);
  if (feed->query.severity) feed->severity = parse_severity(*feed->query.severity);
  if (feed->query.after) feed->page.next = *feed->query.after;
  continue_feed(std::move(feed));
}

// One piece of the log a task, so that a filter that fits nothing does not hold the others up. With no room on the work thread, or an
// unreadable log, the page ends where it is: the next alert, or the client, asks again.
void Backend::continue_feed(std::shared_ptr<Feed> feed) {
  const bool taken = lane_.work([this, feed] {
    const state::AlertLog& log = lane_.store().alerts();
    api::FeedPage& page = feed->page;
    cep::Result<state::AlertLogTotals> totals = log.totals();
    if (!totals.ok()) return feed->reply(std::move(page));
    if (!feed->begun) {
      feed->begun = true;
      const uint64_t newest = totals->next_sequence - 1;
      const bool ours = page.next.lane == 0 && page.next.sequence <= newest;
      if (!feed->query.after || !ours) page.next = {0, newest};
      page.gap = feed->query.after.has_value() && !ours;
      if (page.next.sequence + 1 < totals->oldest_sequence) {
        page.gap = true;
        page.next.sequence = totals->oldest_sequence - 1;
      }
    }
    cep::Result<std::vector<state::StoredAlert>> stored = log.from(page.next.sequence + 1, kFeedChunk);
    if (!stored.ok()) return feed->reply(std::move(page));
    RegistryPtr registry = lane_.registry();
    std::optional<uint32_t> rule;
    if (feed->query.rule) {
      auto known = registry->rules().find(*feed->query.rule);
      rule = known != registry->rules().end() ? known->second.number : UINT32_MAX;
    }
    for (state::StoredAlert& alert : *stored) {
      if (page.items.size() >= feed->query.items_max) return feed->reply(std::move(page));
      page.next.sequence = alert.sequence;
      if (is_backfill(alert.alert) || (rule && alert.alert.rule != *rule)) continue;
      if (feed->severity && alert.alert.severity != static_cast<uint8_t>(*feed->severity)) continue;
      page.items.push_back({{0, alert.sequence}, std::move(alert.alert.body)});
    }
    if (stored->size() < kFeedChunk || !page.items.empty()) return feed->reply(std::move(page));
    continue_feed(feed);
  });
  if (!taken) feed->reply(std::move(feed->page));
}

void Backend::matches(api::MatchesQuery query, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  auto known = registry->rules().find(query.rule);
  if (known == registry->rules().end() || known->second.dropped) return reply(no_rule(query.rule));
  const RuleRecord& rule = known->second;
  if (query.key.empty()) return match_summary(rule, reply);
  cep::Result<AskedKey> key = read_key(*rule.program, query.key);
  if (!key.ok()) return reply(bad_request(key.error()));
  auto found = std::make_shared<Found>();
  found->program = rule.program;
  found->version = rule.versions.back().version;
  found->mode = rule.mode;
  const bool asked = lane_.ask_owner(*rule.program, key->hash, [this, key = *key, query, found, reply](const cep::Engine& engine) {
    // A paused rule is not in the engine: it has no state.
    if (const cep::BoundRule* bound = engine.rules().find(query.rule); bound != nullptr) {
      found->program = bound->entry.program;
      found->version = bound->entry.version;
      found->mode = bound->entry.mode;
      found->state = engine.match_state(*bound, key.views(), query.limit);
    }
    found->state.key = key.parts;
    on_work(reply, [found, reply] {
      reply(json_answer(api::match_state_json(*found->program, found->version, found->mode, found->state)));
    });
  });
  if (!asked) reply(busy_answer("Too many questions wait for the shard of this key."));
}

void Backend::match_summary(const RuleRecord& rule, const api::Reply& reply) {
  struct Gathering {
    std::mutex mutex;
    cep::MatchSummary summary;
    size_t waiting = 0;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->waiting = lane_.shards().size();
  auto asked_rule = std::make_shared<const RuleRecord>(rule);
  const bool asked = lane_.ask_all([this, gathering, rule = asked_rule, reply](uint32_t, const cep::Engine& engine) {
    const cep::BoundRule* bound = engine.rules().find(rule->name);
    cep::MatchSummary part = bound != nullptr ? engine.match_summary(*bound) : cep::MatchSummary{};
    std::lock_guard lock(gathering->mutex);
    merge(gathering->summary, std::move(part));
    if (--gathering->waiting > 0) return;
    on_work(reply, [gathering, rule, reply] {
      put_in_order(gathering->summary);
      reply(json_answer(
          api::match_summary_json(*rule->program, rule->versions.back().version, rule->mode, gathering->summary)));
    });
  });
  if (!asked) reply(busy_answer("Too many questions wait for a shard."));
}

void Backend::rejected(api::RejectedQuery query, api::Reply reply) {
  on_work(reply, [this, query = std::move(query), reply] {
    std::optional<uint64_t> before = query.page.cursor.empty() ? std::nullopt : parse_cursor_number(query.page.cursor);
    if (!query.page.cursor.empty() && !before) return reply(bad_cursor());
    cep::Result<state::RejectedPage> found = lane_.store().rejected().page({query.stream, query.code}, before, query.page.limit);
    if (!found.ok()) return reply(error_answer(found.error()));
    PageWriter writer;
    for (const state::StoredRejected& stored : found->items) append_rejected(stored, writer.json());
    reply(writer.finish(found->next ? std::optional(std::to_string(*found->next)) : std::nullopt));
  });
}

}  // namespace service
