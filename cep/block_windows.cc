// See block_windows.h.
#include "cep/block_windows.h"

#include <algorithm>

#include "cep/aggregate.h"
#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/timeline_engine.h"

namespace cep {

const RingShape& BlockWindows::shape_of(const Window& window) const {
  return engine_.timeline().rings[rule_.ring[window.ring]].shape;
}

// A window that asks the event under test knows the columns of those inputs only where it is written.
bool BlockWindows::is_asked_by(const Window& window, const RowRef& event) const {
  if (!window.asks_event()) return true;
  return event.valid() && std::any_of(window.asked_inputs.begin(), window.asked_inputs.end(), [&](uint16_t input) {
           return rule_.entry.program->inputs[input].schema->id == event.schema->id;
         });
}

BlockWindows::Found BlockWindows::find(const Window& window, const EvalContext& asked) const {
  if (!window.other_key.empty()) return find_elsewhere(window, asked);
  BlockView block = editor_ != nullptr ? editor_->view() : block_;
  const uint32_t ring = rule_.ring[window.ring];
  const bool is_in = std::find(appended_.here.begin(), appended_.here.end(), ring) != appended_.here.end();
  return {block.find_cell(CellKind::kRing, shape_of(window).id), window.exclude_current && is_in};
}

// A null in the key is no key: there are no such events (R69).
BlockWindows::Found BlockWindows::find_elsewhere(const Window& window, const EvalContext& asked) const {
  const Program& program = *rule_.entry.program;
  const uint32_t ring = rule_.ring[window.ring];
  const KeySpace& space = engine_.timeline().spaces[engine_.timeline().rings[ring].space];
  EvalContext context = asked;
  std::vector<Value> parts;
  for (ExprId part : window.other_key) parts.push_back(evaluate(program.pool, part, context));
  std::string key;
  if (!encode_key(space.parts, parts, key)) return {};
  const Slot* slot = engine_.find(space.id, hash_bytes(key.data(), key.size()), key);
  if (slot == nullptr) return {};
  const bool is_in = std::any_of(appended_.elsewhere.begin(), appended_.elsewhere.end(),
                                 [&](const auto& one) { return one.first == ring && one.second == key; });
  return {BlockView(slot->block).find_cell(CellKind::kRing, shape_of(window).id), window.exclude_current && is_in};
}

Value BlockWindows::value(uint16_t number, const EvalContext& asked) {
  const Program& program = *rule_.entry.program;
  const Window& window = program.windows[number];
  const Ring& ring = program.rings[window.ring];
  if (!is_asked_by(window, asked.event)) return Value::null();
  const Found found = find(window, asked);
  if (window.scans) return scanned(window, found, asked);
  return ring.keep == RingKeep::kEntries ? read_entries(window, ring, found) : read_lifetime(window, ring, found);
}

Value BlockWindows::read_entries(const Window& window, const Ring& ring, const Found& found) const {
  const RingView view(found.cell, shape_of(window));
  RingEntryValue one;
  switch (window.kind) {
    case AggregateKind::kMin:
    case AggregateKind::kMax: {
      const bool greatest = window.kind == AggregateKind::kMax;
      return view.extreme(window.extent, time_, found.exclude_newest, greatest, &one) ? value_of_entry(ring, one) : Value::null();
    }
    case AggregateKind::kFirst:
    case AggregateKind::kLast: {
      const bool first = window.kind == AggregateKind::kFirst;
      // At rest the newest entry is not under test: `prev` is what the event to come will see.
      const uint32_t offset = window.offset - (editor_ == nullptr && window.offset > 0 ? 1 : 0);
      const bool there = view.entry(window.extent, time_, found.exclude_newest, first, offset, &one);
      return there ? value_of_entry(ring, one) : Value::null();
    }
    default: return aggregate_value(window.kind, ring, window.type, view.totals(window.extent, time_, found.exclude_newest), counters_);
  }
}

Value BlockWindows::read_lifetime(const Window& window, const Ring& ring, const Found& found) const {
  const LifetimeView view(found.cell, shape_of(window));
  if (ring.keep == RingKeep::kTotals) {
    return aggregate_value(window.kind, ring, window.type, view.totals(time_, found.exclude_newest), counters_);
  }
  RingEntryValue one;
  return view.kept(time_, found.exclude_newest, &one) ? value_of_entry(ring, one) : Value::null();
}

template <class Visit>
void BlockWindows::scan(const Window& window, const Found& found, const EvalContext& asked, Visit&& visit) const {
  const Program& program = *rule_.entry.program;
  const BoundRing& bound = engine_.timeline().rings[rule_.ring[window.ring]];
  const StreamSchema& schema = *engine_.rules().schema(bound.stream);
  EvalContext inner = asked;
  inner.this_event = asked.event;
  const RingView view(found.cell, bound.shape);
  const RingView::Stretch entries = view.newest(window.extent, time_, found.exclude_newest, UINT32_MAX);
  for (uint32_t number = entries.first; number != entries.next; ++number) {
    const RingView::Entry entry = view.entry_at(number);
    inner.event = row_of(schema, reinterpret_cast<const uint8_t*>(entry.value.bytes.data()));
    if (window.scan_filter != kNoExpr && !holds(program.pool, window.scan_filter, inner)) continue;
    const bool counts_events = window.scan_argument == kNoExpr;
    visit(entry.time, counts_events ? Value::boolean(true) : evaluate(program.pool, window.scan_argument, inner));
  }
}

Value BlockWindows::scanned(const Window& window, const Found& found, const EvalContext& asked) const {
  ValueCollector collector(window.kind);
  scan(window, found, asked, [&](TimeUs, const Value& value) { collector.add(value); });
  return collector.result(window.type, counters_);
}

TimeUs BlockWindows::partial_since(uint16_t number, TimeUs time) const {
  const RingCoverages* coverage = engine_.coverage();
  if (coverage == nullptr) return kTimeMin;        // nothing is known to be missing
  const Window& window = rule_.entry.program->windows[number];
  const RingShape& shape = shape_of(window);
  auto seen = coverage->find(shape.id);
  bool is_whole = seen == coverage->end() || seen->second.since == kTimeMax || seen->second.since <= time - window.extent.span_us;
  if (!is_whole && window.extent.rows != 0 && window.other_key.empty()) {      // all of its rows are there, however short the time
    BlockView block = editor_ != nullptr ? editor_->view() : block_;
    is_whole = RingView(block.find_cell(CellKind::kRing, shape.id), shape).entries() >= window.extent.rows;
  }
  return is_whole ? kTimeMin : seen->second.since;
}

std::vector<Evidence> BlockWindows::evidence(const Limits& limits, const EvalContext& asked) {
  const Program& program = *rule_.entry.program;
  std::vector<Evidence> all;
  all.reserve(std::min<size_t>(program.windows.size(), limits.evidence_windows_max));
  for (uint16_t w = 0; w < program.windows.size() && all.size() < limits.evidence_windows_max; ++w) {
    const Window& window = program.windows[w];
    const Ring& ring = program.rings[window.ring];
    if (!is_asked_by(window, asked.event)) continue;
    Evidence evidence;
    evidence.window = w;
    evidence.text = window.text;
    evidence.value = OwnedValue(value(w, asked));
    Found found = find(window, asked);
    found.exclude_newest = false;      // the event under test is shown with the rest
    if (window.scans) {
      scan(window, found, asked, [&](TimeUs time, const Value& value) {
        const Value shown = window.scan_argument == kNoExpr ? Value::null() : value;
        evidence.rows.push_back({time, OwnedValue(shown)});
      });
      const size_t extra = evidence.rows.size() - std::min<size_t>(evidence.rows.size(), limits.evidence_rows_max);
      evidence.rows.erase(evidence.rows.begin(), evidence.rows.begin() + static_cast<std::ptrdiff_t>(extra));
    } else if (ring.keep == RingKeep::kEntries) {
      const RingView view(found.cell, shape_of(window));
      const RingView::Stretch newest = view.newest(window.extent, time_, false, limits.evidence_rows_max);
      const bool has_value = ring.argument != kNoExpr;
      evidence.rows.reserve(newest.count());
      for (uint32_t number = newest.first; number != newest.next; ++number) {
        const RingView::Entry entry = view.entry_at(number);
        evidence.rows.push_back({entry.time, OwnedValue(has_value ? value_of_entry(ring, entry.value) : Value::null())});
      }
    }
    all.push_back(std::move(evidence));
  }
  return all;
}

}  // namespace cep
