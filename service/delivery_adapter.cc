// See delivery_adapter.h.
#include "service/delivery_adapter.h"

#include <algorithm>
#include <charconv>

#include "api/json_scan.h"
#include "patterns/parser.h"

namespace service {
namespace {

constexpr size_t kParkedPage = 1'000;
constexpr size_t kForgetRecordsMax = 10'000;     // of one transaction
constexpr size_t kVersionsCachedMax = 10'000;

// Rule and version, which every alert's JSON names.
struct Maker {
  std::string rule;
  uint32_t version = 0;
};

Maker maker_of(std::string_view alert_json) {
  Maker maker;
  api::JsonScan scan(alert_json);
  std::string_view key, value;
  if (!scan.enter('{')) return maker;
  while (maker.version == 0 && scan.next_member(&key, &value)) {
    if (key == "rule") api::unescape_json(value, maker.rule);
    if (key == "version") std::from_chars(value.data(), value.data() + value.size(), maker.version);
  }
  return maker;
}

// The names behind `to` in an accepted rule's text.
std::vector<std::string> sinks_in(const std::string& rule_text) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add("rule", rule_text), diagnostics);
  std::vector<std::string> names;
  for (const patterns::Statement& statement : file.statements) {
    const auto* rule = std::get_if<patterns::RuleDecl>(&statement.body);
    if (rule == nullptr || !rule->alert) continue;
    for (const patterns::Name& name : rule->alert->sinks) names.push_back(name.text);
  }
  return names;
}

state::ParkedAlert stored_entry(SinkId sink, const ParkedEntry& entry) {
  static_assert(ParkedEntry::kExhausted == state::kNeverDue);
  return {static_cast<uint32_t>(sink), entry.due_us, entry.sequence, entry.attempts};
}

}  // namespace

int32_t stored_status(int status, TransportError error) { return status != 0 ? status : -static_cast<int32_t>(error); }

std::pair<int, TransportError> attempt_result(int32_t stored) {
  if (stored > 0) return {stored, TransportError::kNone};
  return {0, static_cast<TransportError>(-stored)};
}

const std::vector<std::string>& LaneDeliveryStore::sinks_of(const std::string& rule, uint32_t version) {
  auto known = sinks_by_version_.find({rule, version});
  if (known != sinks_by_version_.end()) return known->second;
  if (sinks_by_version_.size() >= kVersionsCachedMax) sinks_by_version_.clear();
  std::vector<std::string> sinks;
  RegistryPtr registry = lane_.registry();
  if (auto record = registry->rules().find(rule); record != registry->rules().end()) {
    for (const RuleVersion& text : record->second.versions) {
      if (text.version == version) sinks = sinks_in(text.text);
    }
  }
  return sinks_by_version_[{rule, version}] = std::move(sinks);
}

OutgoingAlert LaneDeliveryStore::outgoing(state::StoredAlert stored) {
  OutgoingAlert alert;
  alert.sequence = stored.sequence;
  alert.id = cep::to_hex(stored.alert.id);
  alert.time_us = stored.alert.time_us;
  alert.severity = static_cast<cep::Severity>(stored.alert.severity);
  alert.live = stored.alert.mode == static_cast<uint8_t>(cep::AlertMode::kLive);
  Maker maker = maker_of(stored.alert.body);
  alert.to_sinks = sinks_of(maker.rule, maker.version);
  alert.rule = std::move(maker.rule);
  alert.json = std::move(stored.alert.body);
  return alert;
}

cep::Result<AlertPage> LaneDeliveryStore::read_alerts(uint64_t from, size_t limit) {
  const state::AlertLog& log = lane_.store().alerts();
  cep::Result<std::vector<state::StoredAlert>> stored = log.from(from, limit);
  if (!stored.ok()) return stored.error();
  cep::Result<state::AlertLogTotals> totals = log.totals();
  if (!totals.ok()) return totals.error();
  AlertPage page;
  // What was read and expired right afterwards is still delivered.
  page.first_retained = stored->empty() ? totals->oldest_sequence : std::min(totals->oldest_sequence, stored->front().sequence);
  for (state::StoredAlert& alert : *stored) page.alerts.push_back(outgoing(std::move(alert)));
  return page;
}

cep::Result<uint64_t> LaneDeliveryStore::last_sequence() {
  cep::Result<state::AlertLogTotals> totals = lane_.store().alerts().totals();
  if (!totals.ok()) return totals.error();
  return totals->next_sequence - 1;
}

cep::Result<SinkProgress> LaneDeliveryStore::load(SinkId sink) {
  SinkProgress progress;
  cep::Result<std::vector<state::SinkCursor>> cursors = lane_.store().delivery().cursors();
  if (!cursors.ok()) return cursors.error();
  for (const state::SinkCursor& cursor : *cursors) {
    if (cursor.sink != static_cast<uint32_t>(sink)) continue;
    progress.known = true;
    progress.cursor = cursor.through;
    progress.disabled = cursor.disabled;
  }
  if (!progress.known) return progress;
  std::optional<ParkedEntry> after;
  for (;;) {
    cep::Result<std::vector<ParkedEntry>> page = read_parked(sink, after, kParkedPage);
    if (!page.ok()) return page.error();
    for (const ParkedEntry& entry : *page) {
      ++(entry.due_us == ParkedEntry::kExhausted ? progress.exhausted : progress.pending);
      if (entry.sequence > progress.cursor) progress.parked_ahead.push_back(entry.sequence);
    }
    if (page->size() < kParkedPage) return progress;
    after = page->back();
  }
}

cep::Result<std::vector<ParkedEntry>> LaneDeliveryStore::read_parked(SinkId sink, const std::optional<ParkedEntry>& after,
                                                                     size_t limit) {
  const state::DeliveryLog& log = lane_.store().delivery();
  cep::Result<std::vector<state::ParkedAlert>> stored =
      after ? log.parked_after(stored_entry(sink, *after), limit) : log.parked(static_cast<uint32_t>(sink), state::kNeverDue, limit);
  if (!stored.ok()) return stored.error();
  std::vector<ParkedEntry> entries;
  for (const state::ParkedAlert& entry : *stored) entries.push_back({entry.due_us, entry.alert_sequence, entry.attempts});
  return entries;
}

cep::Status LaneDeliveryStore::commit(const DeliveryChange& change) {
  state::DeliveryChange stored;
  for (const DeliveryChange::Parked& parked : change.parked_removed) stored.unpark.push_back(stored_entry(parked.sink, parked.entry));
  for (const DeliveryChange::Parked& parked : change.parked_added) stored.park.push_back(stored_entry(parked.sink, parked.entry));
  for (const DeliveryChange::Cursor& cursor : change.cursors) {
    stored.cursors.push_back({static_cast<uint32_t>(cursor.sink), cursor.sequence, cursor.disabled});
  }
  for (const DeliveryAttempt& attempt : change.attempts) {
    stored.attempts.push_back({attempt.sequence, static_cast<uint32_t>(attempt.sink), attempt.at_us,
                               stored_status(attempt.status, attempt.error),
                               static_cast<uint32_t>(std::clamp<int64_t>(attempt.latency_us, 0, UINT32_MAX))});
  }
  state::DeliveryLog& log = lane_.store().delivery();
  // The cursor of a forgotten sink goes with the change; what is left of many parked entries goes in further transactions, and a crash
  // between them leaves entries of an id that is never used again.
  bool gone = true;
  const auto forget = [&](state::WriteTxn& txn) -> cep::Status {
    gone = true;
    for (const SinkId sink : change.forgotten) {
      cep::Result<bool> done = log.forget(txn, static_cast<uint32_t>(sink), kForgetRecordsMax);
      if (!done.ok()) return done.error();
      gone = gone && *done;
    }
    return cep::ok_status();
  };
  cep::Status status = lane_.store().write([&](state::WriteTxn& txn) -> cep::Status {
    if (cep::Status applied = log.apply(txn, stored); !applied.ok()) return applied;
    return forget(txn);
  });
  while (status.ok() && !gone) status = lane_.store().write(forget);
  return status;
}

}  // namespace service
