#include "tests/support/reference_matcher.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "cep/result.h"
#include "tests/support/reference_output.h"

namespace support {
namespace {

using cep::DurationUs;
using cep::kTimeMax;
using cep::TimeUs;
using cep::Value;
using patterns::Link;
using Part = Reference::Part;
using Sequence = Reference::Sequence;
using Match = ReferenceMatch;
using Moment = ReferenceMoment;

TimeUs later(TimeUs time, DurationUs by) { return by == kTimeMax ? kTimeMax : time + by; }

struct Guard {                         // ends its thread when one of the variables fits an event
  std::vector<size_t> variables;
  bool next_only = false;              // `, not b`
  DurationUs active = kTimeMax;        // `not b for d`
  bool greedy = false;
  const patterns::Expr* lifted_by = nullptr;
};

// What lies between the event bound last and the next one, as far as it was walked.
struct Gap {
  Link link = Link::kSkip;
  DurationUs at_least = 0;
  DurationUs less_than = kTimeMax;
  DurationUs group_at_least = 0;       // of the links to groups that were entered on the way
  DurationUs group_less_than = kTimeMax;
  DurationUs not_before = 0;           // R23
  std::vector<Guard> guards;
  bool ends_in_not = false;            // R20: nothing optional stood behind the last one
};

// Where in the pattern: a round of a part, inside a round of the group around it.
struct Frame {
  const Part* part = nullptr;
  const Sequence* sequence = nullptr;  // that it stands in; null: the whole pattern
  size_t index = 0;
  const Frame* parent = nullptr;
  uint32_t round = 1;
  size_t entered = 0;                  // events bound before the loop, and before this round
  size_t begun = 0;
};

// All matches of one key.
class Search {
 public:
  Search(const Reference& rule, const ReferenceHistory& history, TimeUs watermark, uint64_t& work)
      : rule_(rule), history_(history), watermark_(watermark), work_(work), ends_(history.size()) {}

  // R17: every event tries to start a run.
  std::vector<Match> run() {
    for (start_ = 0; start_ < history_.size(); ++start_) {
      ends_[start_] = {time(start_), true, start_, true};
      Frame whole;
      whole.part = &rule_.pattern;
      begin_round(whole, {});
    }
    end_absences();
    return in_order(std::move(found_));
  }

  // R40
  std::vector<Match> run_when() {
    const patterns::Condition& when = *rule_.rule.when;
    for (size_t x = 0; x < history_.size(); ++x) {
      ends_[x] = {kTimeMax, false, 0, false};
      const auto input = when.input ? std::optional(rule_.input(when.input->text)) : std::nullopt;
      if (holds(*when.condition, input, x)) found_.push_back({{time(x), true, x, false}, {{0, x}}, {place(x)}, 0, time(x)});
    }
    return in_order(std::move(found_));
  }

  const std::vector<Moment>& ends() const { return ends_; }   // by start: its last thread is gone

  // R41, R48, R50: where `having` and measures are asked.
  ReferenceScope scope_of(const Match& match) const {
    ReferenceScope asked = scope(match.moment.event);
    asked.bound = &match.bound;
    asked.event = &history_[match.bound.back().event];
    if (match.moment.at_event) return asked;
    asked.under_test = kNoEvent;
    asked.now = match.moment.time;
    asked.released = 0;
    while (asked.released < history_.size() && time(asked.released) < asked.now) ++asked.released;
    return asked;
  }

 private:
  TimeUs time(size_t event) const { return history_[event].time(); }
  size_t place(size_t event) const {
    while (event > 0 && history_[event - 1].row == history_[event].row) --event;
    return event;
  }

  ReferenceScope scope(size_t x) const {
    size_t released = x + 1;             // R48: the event itself is not later, whichever input is looked at
    while (released < history_.size() && history_[released].row == history_[x].row) ++released;
    return {&rule_.names, &history_, &bound_, &history_[x], x, released, time(x), nullptr, nullptr};
  }

  // R41, R52: a condition holds only when it is true; one that names no input is asked of all.
  bool holds(const patterns::Expr& condition, const std::optional<size_t>& only, size_t x) {
    ++work_;
    return (!only || *only == history_[x].input) && reference_value(condition, scope(x)).is_true();
  }

  // R7
  bool fits(size_t variable, size_t x) {
    const patterns::Condition* define = rule_.defines[variable];
    return define == nullptr || holds(*define->condition, rule_.define_inputs[variable], x);
  }
  bool fits_any(const Guard& guard, size_t x) {
    return std::any_of(guard.variables.begin(), guard.variables.end(), [&](size_t v) { return fits(v, x); });
  }
  bool stops(const patterns::Expr& until, size_t x) {
    return rule_.broken != ReferenceBreak::kUntilIgnored && holds(until, std::nullopt, x);
  }

  // --- Walking the pattern from the event bound last (or from nothing) to every variable that may come next

  // R10, R11, R13: a round of a variable, or of a group by each of its branches. A gap to a group counts to its first event.
  void begin_round(const Frame& frame, Gap gap) {
    if (frame.part->kind == Part::Kind::kVariable) return await(frame, gap);
    gap.group_at_least = std::max(gap.group_at_least, gap.at_least);
    gap.group_less_than = std::min(gap.group_less_than, gap.less_than);
    for (const Sequence& branch : frame.part->branches) walk(branch, 0, frame, gap);
  }

  // Item `index` of a round of `parent`. R5: the link of the item entered counts; the first one of a group has the group's.
  void walk(const Sequence& sequence, size_t index, const Frame& parent, Gap gap) {
    if (sequence.empty()) gap.ends_in_not = false;      // R20: of a permute everything is left out
    if (index == sequence.size()) return end_round(parent, gap);
    const Part& part = sequence[index];
    if (part.kind == Part::Kind::kNot) {
      gap.guards.push_back(guard_of(part, index > 0 ? part.link : gap.link));      // R5: the first of a group by the group's link
      if (!bound_.empty()) gap.not_before = std::max(gap.not_before, part.absent_for.value_or(0));
      gap.ends_in_not = true;
      return walk(sequence, index + 1, parent, gap);
    }
    if (index > 0) {
      gap.link = part.link;
      gap.at_least = part.at_least;
      gap.less_than = part.less_than;
    }
    if (part.min == 0) {               // R6, R20: left out; R3: a greedy loop guards even so
      Gap skipped = gap;
      skipped.ends_in_not = false;
      if (part.greedy && part.kind == Part::Kind::kVariable) skipped.guards.push_back(greedy_guard(part));
      walk(sequence, index + 1, parent, skipped);
    }
    begin_round({&part, &sequence, index, &parent, 1, bound_.size(), bound_.size()}, gap);
  }

  // R16: a round takes at least one event. A group that is no loop may be passed; R25: by a NOT too.
  void end_round(const Frame& frame, Gap gap) {
    if (bound_.size() > frame.begun) return round_done(frame, gap);
    if (frame.part->min != 1 || frame.part->max != 1 || frame.part->taken) return;
    leave(frame, gap);
  }

  // R2, R3, R4, R9: leave the loop, or go round again.
  void round_done(const Frame& frame, const Gap& gap) {
    const Part& part = *frame.part;
    if (frame.round >= part.min) {
      Gap out = gap;
      if (part.greedy && frame.round < part.max) out.guards.push_back(greedy_guard(part));
      leave(frame, out);
    }
    if (frame.round >= part.max) return;
    Gap again = gap;
    again.link = part.again;
    again.at_least = part.again_at_least;
    again.less_than = part.again_less_than;
    add_guards_behind(frame, again);
    Frame next = frame;
    ++next.round;
    next.begun = bound_.size();
    begin_round(next, again);
  }

  // R19: a NOT behind a loop watches between its rounds; a `, not` only behind a round that may be the last.
  void add_guards_behind(const Frame& frame, Gap& gap) const {
    if (frame.sequence == nullptr) return;
    for (size_t i = frame.index + 1; i < frame.sequence->size(); ++i) {
      const Part& behind = (*frame.sequence)[i];
      if (behind.kind != Part::Kind::kNot) return;
      if (behind.link != Link::kNext || frame.round >= frame.part->min) gap.guards.push_back(guard_of(behind, behind.link));
    }
  }

  void leave(const Frame& frame, Gap gap) {
    if (frame.sequence == nullptr) return complete(gap);
    gap.group_at_least = 0;            // nothing was bound in the group, or the gap is new
    gap.group_less_than = kTimeMax;
    for (const Frame* f = frame.parent; f != nullptr && f->begun == bound_.size(); f = f->parent) {
      if (f->sequence == nullptr) break;
      gap.group_at_least = std::max(gap.group_at_least, entry_at_least(*f));
      gap.group_less_than = std::min(gap.group_less_than, entry_less_than(*f));
    }
    walk(*frame.sequence, frame.index + 1, *frame.parent, gap);
  }
  static DurationUs entry_at_least(const Frame& f) {
    return f.round > 1 ? f.part->again_at_least : f.index > 0 ? f.part->at_least : 0;
  }
  static DurationUs entry_less_than(const Frame& f) {
    return f.round > 1 ? f.part->again_less_than : f.index > 0 ? f.part->less_than : kTimeMax;
  }

  // R18, R23, R26
  static Guard guard_of(const Part& part, Link link) {
    return {part.variables, link == Link::kNext, part.absent_for.value_or(kTimeMax), false, nullptr};
  }
  // R3: nothing that begins another round may come in between.
  static Guard greedy_guard(const Part& part) {
    Guard guard{{}, false, kTimeMax, true, part.until};
    add_first(part, guard.variables);
    return guard;
  }
  static void add_first(const Part& part, std::vector<size_t>& variables) {
    if (part.kind == Part::Kind::kVariable) variables.push_back(part.variables[0]);
    for (const Sequence& branch : part.branches) {
      for (const Part& item : branch) {
        if (item.kind == Part::Kind::kNot) continue;
        add_first(item, variables);
        if (!can_be_passed(item)) break;
      }
    }
  }
  // R6, R16
  static bool can_be_passed(const Part& part) {
    const bool is_loop = part.min != 1 || part.max != 1 || part.taken;
    if (part.kind == Part::Kind::kNot || part.min == 0) return true;
    if (part.kind == Part::Kind::kVariable || is_loop) return false;
    return std::any_of(part.branches.begin(), part.branches.end(),
                       [](const Sequence& branch) { return std::all_of(branch.begin(), branch.end(), can_be_passed); });
  }

  // --- Threads (the definition, steps 1 to 4)

  void await(const Frame& frame, const Gap& gap) {
    if (bound_.empty()) return start(frame, gap);
    const size_t last = bound_.back().event;
    const TimeUs expiry = expires(frame, gap);
    const DurationUs at_least = std::max({gap.at_least, gap.group_at_least, gap.not_before});
    const bool next = gap.link == Link::kNext || (gap.link == Link::kSkip && rule_.broken == ReferenceBreak::kArrowNoSkip);
    std::vector<Guard> guards = gap.guards;
    for (size_t x = last + 1; x < history_.size(); ++x) {
      if (time(x) >= expiry) return ended({expiry, false, 0, false});                              // (1)
      std::erase_if(guards, [&](const Guard& g) { return g.lifted_by != nullptr && stops(*g.lifted_by, x); });
      const bool gone = until_stops(frame, true, x) || guarded(guards, last, x);                   // (2), R4
      const bool taken = !gone && time(x) - time(last) >= at_least && fits(frame.part->variables[0], x);
      if (taken && !until_stops(frame, false, x)) bind(frame, x);                                  // (3)
      const bool waits_on = gap.link == Link::kAny && rule_.broken != ReferenceBreak::kAnyUsedUp;
      if (gone || (taken && !waits_on) || (!taken && next)) return ended({time(x), true, x, true});   // (4)
    }
    ended({expiry, false, 0, false});
  }

  // R24, R17
  void start(const Frame& frame, const Gap& gap) {
    if (!fits(frame.part->variables[0], start_)) return;
    for (const Guard& guard : gap.guards) {
      if (guard.greedy && (guard.lifted_by == nullptr || !stops(*guard.lifted_by, start_)) && fits_any(guard, start_)) return;
      if (guard.greedy) continue;
      const DurationUs span = guard.active != kTimeMax ? guard.active : rule_.pattern.within.value_or(kTimeMax);
      for (size_t x = 0; x < start_; ++x) {
        if (time(start_) - time(x) < span && fits_any(guard, x)) return;
      }
    }
    if (!until_stops(frame, false, start_)) bind(frame, start_);
  }

  void bind(const Frame& frame, size_t x) {
    if (work_ > work_max) return;
    bound_.push_back({frame.part->variables[0], x});
    ended({time(x), true, x, true});
    round_done(frame, {});
    bound_.pop_back();
  }

  // R11 and `within`: rounds around the frame that have begun; the gap's upper end.
  TimeUs expires(const Frame& frame, const Gap& gap) const {
    TimeUs expiry = later(time(bound_.back().event), std::min(gap.less_than, gap.group_less_than));
    for (const Frame* f = &frame; f != nullptr; f = f->parent) {
      if (!f->part->within || f->begun >= bound_.size()) continue;
      const DurationUs within = *f->part->within + (rule_.broken == ReferenceBreak::kWindowEdge ? 1 : 0);
      expiry = std::min(expiry, time(bound_[f->begun].event) + within);
    }
    return expiry;
  }

  // R4: `begun`: of loops that have an event; else of those that x would enter.
  bool until_stops(const Frame& frame, bool begun, size_t x) {
    for (const Frame* f = &frame; f != nullptr; f = f->parent) {
      if (f->part->until != nullptr && begun == (bound_.size() > f->entered) && stops(*f->part->until, x)) return true;
    }
    return false;
  }

  // R18, R19, R23
  bool guarded(const std::vector<Guard>& guards, size_t last, size_t x) {
    return std::any_of(guards.begin(), guards.end(), [&](const Guard& guard) {
      return (!guard.next_only || x == last + 1) && time(x) - time(last) < guard.active && fits_any(guard, x);
    });
  }

  // --- The end of the pattern

  void complete(Gap gap) {
    if (bound_.empty()) return;        // R16
    if (gap.ends_in_not) return await_absence(gap);
    const size_t last = bound_.back().event;
    accept({time(last), true, last, false});
  }

  // R20, R21, R22, R26, R27: at the deadline; if every NOT is of the next event alone, at that event too.
  void await_absence(Gap& gap) {
    std::erase_if(gap.guards, [](const Guard& guard) { return guard.greedy; });      // R3: nothing changes at the end
    const size_t last = bound_.back().event;
    const bool any_for = std::any_of(gap.guards.begin(), gap.guards.end(), [](const Guard& one) { return one.active != kTimeMax; });
    const bool next_only = std::all_of(gap.guards.begin(), gap.guards.end(), [](const Guard& one) { return one.next_only; });
    const TimeUs end = later(time(bound_[0].event), rule_.pattern.within.value_or(kTimeMax));
    const TimeUs deadline = any_for ? time(last) + gap.not_before : end;
    const bool event_first = rule_.broken == ReferenceBreak::kAbsenceAtEvent;
    for (size_t x = last + 1; x < history_.size() && (event_first ? time(x) <= deadline : time(x) < deadline); ++x) {
      const bool gone = guarded(gap.guards, last, x);
      if (!gone && next_only) accept({time(x), true, x, false});
      if (gone || next_only) return void(absences_.emplace_back(start_, bound_, Moment{time(x), true, x, true}));
    }
    absences_.emplace_back(start_, bound_, Moment{deadline, false, 0, true});
    if (deadline <= watermark_) accept({deadline, false, 0, false});
  }

  // R35
  void accept(const Moment& moment) {
    Match match{moment, bound_, {}, 0, moment.time};
    for (const ReferenceBound& one : bound_) match.places.push_back(place(one.event));
    const auto& having = rule_.rule.having;
    if (!having || reference_value(*having, scope_of(match)).is_true()) found_.push_back(std::move(match));
  }

  // R15: equal lists are one match, found where the first is.
  std::vector<Match> in_order(std::vector<Match> found) const {
    std::sort(found.begin(), found.end(), [](const Match& a, const Match& b) { return a.order() < b.order(); });
    std::set<List> known;
    std::erase_if(found, [&](const Match& match) { return !known.insert(list_of(match.bound)).second; });
    return found;
  }

  using List = std::vector<std::pair<size_t, const ReferenceRow*>>;
  List list_of(const std::vector<ReferenceBound>& bound) const {
    List list;
    for (const ReferenceBound& one : bound) list.emplace_back(one.variable, history_[one.event].row);
    return list;
  }

  // R15: where the list was complete before, nothing was awaited any more.
  void end_absences() {
    std::map<List, Moment> complete;
    for (const Match& match : found_) {
      const auto known = complete.emplace(list_of(match.bound), match.moment).first;
      known->second = std::min(known->second, match.moment);
    }
    for (const auto& [start, bound, end] : absences_) {
      const auto known = complete.find(list_of(bound));
      const Moment then{end.time, end.at_event, end.event, false};
      if (known == complete.end() || !(known->second < then)) ends_[start] = std::max(ends_[start], end);
    }
  }

  void ended(const Moment& moment) { ends_[start_] = std::max(ends_[start_], moment); }

 public:
  uint64_t work_max = 0;

 private:
  const Reference& rule_;
  const ReferenceHistory& history_;
  TimeUs watermark_;
  uint64_t& work_;
  size_t start_ = 0;
  std::vector<ReferenceBound> bound_;
  std::vector<Match> found_;
  std::vector<Moment> ends_;
  std::vector<std::tuple<size_t, std::vector<ReferenceBound>, Moment>> absences_;   // start, list, end
};

}  // namespace

// --- Events to keys, matches to alerts

// R61-R63, R66, R67: one source; late rows are gone, the others come by time, ties as they came, up to the watermark.
std::vector<const ReferenceRow*> Reference::released(const std::vector<ReferenceStep>& steps, TimeUs* watermark) const {
  DurationUs delay = 0;
  for (const cep::SchemaPtr& stream : streams_) delay = std::max(delay, stream->delay_us);
  std::vector<const ReferenceRow*> rows;
  *watermark = cep::kTimeMin;
  for (const ReferenceStep& step : steps) {
    if (step.row == nullptr) {
      *watermark = std::max(*watermark, step.watermark);
      continue;
    }
    const bool read = std::any_of(streams_.begin(), streams_.end(), [&](const auto& s) { return s->name == step.row->schema->name; });
    if (!read || step.row->time < *watermark) continue;
    *watermark = std::max(*watermark, step.row->time - delay);
    rows.push_back(step.row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->time < b->time; });
  std::erase_if(rows, [&](const ReferenceRow* row) { return row->time > *watermark; });
  return rows;
}

// R1, R8, R69: its key by this input; none if the source filter keeps the event out, or a key column is null.
std::optional<std::vector<Value>> Reference::key_of(const ReferenceRow& row, size_t input) const {
  if (streams_[input]->name != row.schema->name) return std::nullopt;
  const std::vector<ReferenceBound> nothing;
  const ReferenceEvent event{&row, input};
  const ReferenceScope scope{&names, nullptr, &nothing, &event, kNoEvent, 0, row.time, nullptr, nullptr};
  const auto& where = rule.on[input].where;
  if (where && !reference_value(*where, scope).is_true()) return std::nullopt;
  std::vector<Value> key;
  for (const patterns::KeyPart& part : rule.partition) {
    if (part.expr->qualifier && part.expr->qualifier->text != names.inputs[input]) continue;
    key.push_back(reference_value(*part.expr, scope));
    if (key.back().is_null()) return std::nullopt;
  }
  return key;
}

std::optional<std::vector<ReferenceAlert>> Reference::alerts(const std::vector<ReferenceStep>& steps, uint64_t work_max) const {
  TimeUs watermark = 0;
  std::map<std::string, std::pair<std::vector<Value>, ReferenceHistory>> keys;
  for (const ReferenceRow* row : released(steps, &watermark)) {
    for (size_t input = 0; input < streams_.size(); ++input) {
      const auto key = key_of(*row, input);
      if (!key) continue;
      std::string name;
      for (const Value& v : *key) name += cep::to_display(v) + '\n';
      auto& entry = keys[name];
      entry.first = *key;
      entry.second.push_back({row, input});
    }
  }
  std::vector<ReferenceAlert> alerts;
  uint64_t work = 0;
  for (const auto& [name, entry] : keys) {
    const ReferenceHistory& history = entry.second;
    Search search(*this, history, watermark, work);
    search.work_max = work_max;
    std::vector<Match> matches = rule.when ? search.run_when() : search.run();
    if (work > work_max) return std::nullopt;
    for (const Match& match : reference_output(*this, history, std::move(matches), search.ends(), watermark)) {
      ReferenceAlert& alert = alerts.emplace_back();
      alert.time = match.time;
      alert.key = entry.first;
      for (const ReferenceBound& one : match.bound) alert.events.emplace_back(names.variables[one.variable], history[one.event].row);
      const ReferenceScope scope = search.scope_of(match);
      for (const patterns::Measure& measure : rule.measures) alert.measures.push_back(reference_value(*measure.expr, scope));
      alert.suppressed = match.folded;
    }
  }
  return alerts;
}

}  // namespace support
