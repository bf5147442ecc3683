// The compiled form of a rule: states, edges, conditions, windows and the alert, as immutable tables (sentence 1).
// Made by patterns/compiler, run by cep/matcher, shared by all shards. Everything that decides matching is in the dump that
// `matching_fingerprint` hashes; everything else (alert, suppress, measures) is cosmetic and only in `fingerprint`.
//
// The automaton is Glushkov's: a state is a position of a variable in the pattern after unrolling bounded loops, "this event was
// bound last"; state 0 has nothing bound. An edge is one thread of language_rules.md's definition: it awaits one variable through
// one link and carries its guards. A run in a state starts with all its edges live and loses them one by one.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cep/expr.h"
#include "cep/schema.h"
#include "cep/window.h"

namespace cep {

enum class Link : uint8_t { kStrict, kRelaxed, kAny };
enum class SkipStrategy : uint8_t { kPastLastRow, kToNextRow, kToFirst, kToLast, kNoSkip };
enum class Severity : uint8_t { kInfo, kLow, kMedium, kHigh, kCritical };
enum class Decision : uint8_t { kNone, kAllow, kReview, kChallenge, kBlock };

inline constexpr uint16_t kNoVariable = 0xffff;
inline constexpr uint16_t kAllVariables = 0xfffe;    // count(*): every bound event

// What a variable (or a NOT, an `until`, the test of a `when` rule) asks of an event of one input: the predicate AND the residual.
struct Condition {
  int32_t predicate = kAlways;    // Program::predicates, or kAlways / kNever
  ExprId residual = kNoExpr;      // needs bound events or windows; kNoExpr: nothing more to ask
};

struct Input {
  SchemaPtr schema;
  std::string alias;              // name in the rule; the stream's name if no `as`
  int32_t filter = kAlways;       // predicate: the source filter of `on`
  std::vector<ExprId> key;        // one expression a key part, over this input's event
};

struct Variable {
  std::string name;
  bool negated = false;           // occurs only in NOTs: never bound
  bool synthetic = false;         // the test of an `until`: no name in the rule
  uint64_t members = 0;           // of a subset: the variables whose events it stands for, one bit each; never bound itself
  std::vector<Condition> conditions;   // by input
};

// A guard ends its thread when its variable fits an event.
struct Guard {
  uint16_t variable = 0;
  bool first_only = false;        // `, not b`: asked of the very next event only
  DurationUs active_us = kTimeMax;     // `not b for d ->`: only while less than this has passed since the last bound event
  int8_t lifted_by = -1;          // greedy: no longer asked once this `until` of the state was true (in state 0: of the event itself)
};

// An `until` of a loop, asked of every event while the run is in the state.
struct Until {
  uint16_t variable = 0;          // synthetic variable that holds the condition
};

// Clock of a group with `within`: last minus first bound event of a round < within_us.
struct GroupClock {
  DurationUs within_us = kTimeMax;
};

enum class EdgeKind : uint8_t {
  kTake,            // binds the event and goes to `target`
  kAbsence,         // completes at its deadline if no guard fit
  kStrictAbsence,   // `, not b` at the end: completes at the partition's next event if no guard fits, else at the deadline if any
};

struct Edge {
  EdgeKind kind = EdgeKind::kTake;
  Link link = Link::kRelaxed;
  uint16_t target = 0;                    // state (kTake); its variable is the one awaited
  DurationUs gap_min_us = 0;              // taken only if gap_min <= dt < gap_max, dt = since the last bound event
  DurationUs gap_max_us = kTimeMax;
  std::vector<Guard> guards;
  // Another round or an unfinished round of loops with `until`: dead once one of these (indices into State::untils) is true.
  std::vector<uint8_t> ended_by;
  // First entry into a loop with `until` (synthetic variables): a stop event that fits ends the thread (skipped under kAny), R4.
  std::vector<uint16_t> entry_untils;
  std::vector<uint16_t> head_nots;        // of state 0: indices into Program::head_nots; each keeps the match from starting here
  uint16_t clock_starts = 0;              // bit g: binding begins a round of group clock g
  uint16_t clock_checks = 0;              // bit g: the bound event must be within the round's time
  // Absence: the deadline is last bound + for_us, or (for_us == kTimeMax) first bound + Program::within_us; kTimeMax both: none.
  DurationUs for_us = kTimeMax;
};

struct State {
  uint16_t variable = kNoVariable;        // bound on entering; kNoVariable in state 0
  bool accepting = false;                 // the match is complete once `having` holds
  std::vector<Edge> edges;                // edges + untils + 1 <= 64: a run's live mask
  std::vector<Until> untils;
};

// `not b for d` (or within) before the first item: no event of `variable` in the d before the start event (R24).
struct HeadNot {
  uint16_t variable = 0;
  DurationUs span_us = 0;
  bool operator==(const HeadNot&) const = default;
};

// Aggregate over bound events: count(v), sum(v.f), ...
struct BoundAggregate {
  AggregateKind kind = AggregateKind::kCount;
  uint16_t variable = kAllVariables;
  ExprId argument = kNoExpr;              // over the bound event as event under test; kNoExpr: count events
  ExprId filter = kNoExpr;                // of the same event: what does not hold is left out
  uint32_t offset = 0;                    // kFirst, kLast: so many after the first, before the last
};

struct Measure {
  std::string name;
  ExprId expr = kNoExpr;
};

// `message` cut at its {names}: literal, value, literal, ... (values.size() + 1 == literals.size()).
struct MessageTemplate {
  std::vector<std::string> literals;
  std::vector<ExprId> values;
};

struct AlertSpec {
  bool is_written = true;                 // false: the rule has `into` alone; its alerts are listed and delivered to nobody
  Severity severity = Severity::kMedium;
  ExprId score = kNoExpr;
  Decision decision = Decision::kNone;
  MessageTemplate message;
  std::vector<std::string> tags;
  std::vector<std::string> sinks;         // empty: all
};

struct Program {
  std::string rule;
  bool is_when = false;                   // no pattern: `test` is asked of every event
  std::vector<Input> inputs;
  std::vector<KeyPart> key;
  ExprPool pool;
  std::vector<Predicate> predicates;
  std::vector<Variable> variables;        // of a when rule: one, named "event"
  std::vector<State> states;              // [0] is the start; empty for when rules
  std::vector<HeadNot> head_nots;
  std::vector<GroupClock> clocks;         // at most 16
  std::vector<BoundAggregate> aggregates;
  std::vector<Ring> rings;
  std::vector<Window> windows;
  std::vector<std::string> datasets;      // lists and tables, by the pool's number
  std::vector<std::string> table_columns; // names of the columns that look-ups ask, by Expr::c of kLookUp
  DurationUs within_us = kTimeMax;
  ExprId having = kNoExpr;
  SkipStrategy skip = SkipStrategy::kPastLastRow;
  uint16_t skip_variable = kNoVariable;
  DurationUs quiet_us = 0;                // of `emit episode` (cep/episode.h); 0: each match is emitted
  DurationUs suppress_us = 0;             // 0: none
  std::vector<Measure> measures;
  AlertSpec alert;
  std::string into;                       // the stream its alerts become events of; empty: none
  DurationUs horizon_us = kTimeMax;       // what a warm start must read back (R74); kTimeMax: the whole retained log
  std::string text;                       // canonical print of the rule
  std::string dump;                       // the automaton as text (weir explain)
  uint64_t fingerprint = 0;               // of everything
  uint64_t matching_fingerprint = 0;      // of what decides matching

  // Whether an event bound to `variable` is one of `asked`: the variable itself, a subset it is in, or kAllVariables.
  bool stands_for(uint16_t asked, uint16_t variable) const {
    return asked == variable || asked == kAllVariables || (variables[asked].members >> variable & 1) != 0;
  }

  // Some window reads the state of another key: all keys of the rule live on one shard (R49).
  bool is_pinned() const {
    return std::any_of(rings.begin(), rings.end(), [](const Ring& ring) { return !ring.other_key.empty(); });
  }
};

using ProgramPtr = std::shared_ptr<const Program>;

}  // namespace cep
