// The rules in force, bound together: timelines, key spaces, distinct predicates, shared rings. Immutable; a change of the rules
// builds a new one and every shard changes over at one cut. Shared by the sequencer and all shards.
//
// A timeline is a set of streams that some rule reads together. A key space holds the keys of one timeline by the names and types
// of the key columns. A role is one way a stream enters a key space: its key expressions and the rule inputs that share them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cep/alert.h"
#include "cep/derived.h"
#include "cep/predicate_set.h"
#include "cep/program.h"
#include "cep/wake_index.h"
#include "cep/window_gate.h"

namespace cep {

struct RuleEntry {
  ProgramId id{};
  ProgramPtr program;
  uint32_t number = 0;                      // of the rule's name, for ever: what stored alerts are found by
  uint32_t version = 1;
  RuleMode mode = RuleMode::kLive;
};

// A program bound to the numbers of its rule set.
struct BoundRule {
  RuleEntry entry;
  uint32_t timeline = 0;
  uint32_t space = 0;                       // within the timeline
  std::vector<uint32_t> predicate_bit;      // Program::predicates -> bit in its stream's predicate set
  std::vector<uint32_t> ring;               // Program::rings -> Timeline::rings
  std::vector<WindowGate> gates;            // of a when rule: all of them open, or it does not hold
  bool merges_runs = false;                 // its runs may be merged (merged_runs.h)
  std::vector<DatasetPtr> datasets;         // by the program's number; replaced by edits
  std::vector<StateWake> wakes;             // by state
  SchemaPtr into;                           // the stream its alerts become events of; null: none, or the rule is not live
  std::vector<IntoColumn> into_columns;
  std::vector<AwaitedBits> starts;          // by input: what a start (or head NOT, or when test) awaits
  std::vector<AwaitedBits> runs;            // by input: what any of its runs can await
};

// What a ring's cell in a block looks like: shared by all rules on it.
struct RingShape {
  uint64_t id = 0;                          // hash of Ring::identity: the name of its bytes in a block
  RingValue value = RingValue::kNone;
  bool keeps_distinct = false;
  std::vector<WindowExtent> extents;        // of all windows on it, ascending, distinct; the last one has the longest span
  RingKeep keep = RingKeep::kEntries;
};

struct BoundRing {
  RingShape shape;
  StreamId stream{};
  uint32_t rule = 0;                        // in RuleSet::rules: a rule whose program defines it (argument, type)
  uint16_t ring = 0;                        // number in that program
  uint32_t space = 0;                       // whose keys have it
  int32_t predicate_bit = kAlways;          // source filter AND window filter, in the stream's predicate set
  int32_t number_column = -1;               // the argument, if that is a column of 64-bit integers and kept as they are
};

struct RuleInput {
  uint32_t rule = 0;                        // in RuleSet::rules
  uint16_t input = 0;
  int32_t filter_bit = kAlways;             // of the source filter, in the stream's predicate set
};

struct Role {
  StreamId stream{};
  uint32_t space = 0;
  bool plain_key = true;                    // every part of the key is a column
  std::vector<uint16_t> key_columns;        // those columns; empty if not plain
  int32_t text_key = -1;                    // the one of them, if it is a text
  std::vector<RuleInput> inputs;            // by rule name, then order of `on`
  std::vector<uint32_t> rings;              // fed by events in this role (key of this role)
  AwaitedBits starts;                       // what starts, tests and rings await
  AwaitedBits runs;                         // what any run of its rules can await
  StartIndex start_index;                   // of `inputs`
  std::vector<uint32_t> first_input;        // by rule: its first in `inputs`, or kNoInput
  static constexpr uint32_t kNoInput = UINT32_MAX;
  // Most of its events only move windows: its rings keep times and numbers, and every rule on it is a test behind gates.
  bool moves_windows = false;
  DurationUs longest_us = 0;                // of those windows
};

struct KeySpace {
  uint64_t id = 0;                          // hash of timeline, use, names and types: its name in the store
  std::vector<KeyPart> parts;
};

struct TimelineStream {
  StreamId stream{};
  SchemaPtr schema;
  PredicateSet predicates;
  AwaitedBits cares;                        // what any of its roles and feeders awaits
  std::vector<Role> roles;                  // in release order for one event: order of `on`
  std::vector<Role> feeders;                // roles that only feed rings by other keys: before the roles, so that rules see the event there
};

struct Timeline {
  std::string name;                         // stream names joined by '+', sorted; " pinned" behind them if it is
  bool pinned = false;                      // a key's rules read the state of other keys: one shard has all of them (R49)
  DurationUs delay_us = 0;                  // greatest of its streams
  DurationUs idle_us = 0;
  bool explicit_watermark = false;
  // Timelines that read streams `from rules` come after those whose rules fill these: level 0 reads none, level n + 1 what timelines of
  // level n and below fill. There are no cycles (E0501).
  uint32_t level = 0;
  bool has_outside = true;                  // some stream of it is not `from rules`
  std::vector<uint32_t> feeders;            // timelines with a live rule that fills a stream of this one
  std::vector<TimelineStream> streams;      // sorted by name
  std::vector<KeySpace> spaces;
  std::vector<BoundRing> rings;
  std::vector<uint32_t> rules;              // in RuleSet::rules

  const TimelineStream* find(StreamId stream) const;
  uint32_t owner(uint64_t key_hash, uint32_t shards) const;
};

class RuleSet {
 public:
  // Binds the rules (any order; sorted by name inside). `datasets` must hold all that a rule names. `sources`: names of the sources from
  // number 1 on, which stand in identities (R71).
  static std::shared_ptr<const RuleSet> build(std::vector<RuleEntry> rules, Datasets datasets,
                                              std::map<std::string, SchemaPtr> streams, std::vector<std::string> sources = {});

  const std::vector<BoundRule>& rules() const { return rules_; }
  const std::vector<Timeline>& timelines() const { return timelines_; }
  const Datasets& datasets() const { return datasets_; }
  const std::map<std::string, SchemaPtr>& streams() const { return streams_; }
  const std::vector<std::string>& sources() const { return sources_; }
  const SchemaPtr& schema(StreamId id) const { return schemas_[index_of(id)]; }   // nullptr: no such stream
  size_t schema_count() const { return schemas_.size(); }
  // The greatest level of a timeline; 0: no rule reads a stream `from rules`.
  uint32_t levels() const { return levels_; }
  // Timelines of level 1 and above, by level.
  const std::vector<uint32_t>& fed_timelines() const { return fed_; }
  // Timelines that contain the stream, ascending.
  const std::vector<uint32_t>& timelines_of(StreamId stream) const;
  const BoundRule* find(ProgramId id) const {
    size_t at = static_cast<size_t>(id);
    return at < by_id_.size() && by_id_[at] != 0 ? &rules_[by_id_[at] - 1] : nullptr;
  }
  const BoundRule* find(const std::string& rule_name) const;
  uint32_t number_of(ProgramId id) const { return by_id_[static_cast<size_t>(id)] - 1; }      // in rules(); the id is in this set
  // Of a run of that program; nullptr if it is not in this set.
  const StateWake* wake(ProgramId id, uint16_t state) const {
    size_t at = static_cast<size_t>(id);
    return at < by_id_.size() && by_id_[at] != 0 ? &wakes_[first_wake_[at] + state] : nullptr;
  }
  int timeline_index(const std::string& name) const;   // -1 if there is none
  // Which of so many shards has a key of that space, whether or not a rule still uses the space.
  uint32_t owner(uint64_t space_id, uint64_t key_hash, uint32_t shards) const;
  uint64_t generation() const { return generation_; }  // differs between any two rule sets of a process

 private:
  friend class RuleSetBuilder;
  std::vector<BoundRule> rules_;
  std::vector<Timeline> timelines_;
  Datasets datasets_;
  std::map<std::string, SchemaPtr> streams_;
  std::vector<std::string> sources_;                   // by number - 1
  std::vector<SchemaPtr> schemas_;                     // by StreamId
  std::vector<std::vector<uint32_t>> timelines_by_stream_;
  std::vector<uint32_t> fed_;
  uint32_t levels_ = 0;
  std::vector<uint32_t> by_id_;                        // by ProgramId: number of the rule + 1; 0: not in this set
  std::vector<StateWake> wakes_;                       // of all rules, for runs that are asked by the thousand
  std::vector<uint32_t> first_wake_;                   // by ProgramId
  uint64_t generation_ = 0;
};

using RuleSetPtr = std::shared_ptr<const RuleSet>;

// Which of so many shards has a key of the rule.
uint32_t owner_of(const Program& program, uint64_t key_hash, uint32_t shards);
// The wanted programs and every live rule that fills, over any number of hops, a stream they read: what a warm start runs (R74).
std::vector<RuleEntry> with_feeders(const std::vector<RuleEntry>& all, const std::vector<ProgramId>& wanted);

// Folds bit p of a predicate set into a 64-bit summary; bit 63 means "any event".
inline constexpr uint64_t kAwaitsAny = 1ull << 63;
inline uint64_t fold_bit(uint32_t predicate) { return 1ull << (predicate % 63); }
uint64_t fold_words(const uint64_t* words, uint32_t count);

}  // namespace cep
