// One timeline in one shard: its reorder buffer, key tables and timers, and the path of one row through them.
// Internal to cep/engine. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "cep/barrier_images.h"
#include "cep/block_windows.h"
#include "cep/engine.h"
#include "cep/episode.h"
#include "cep/key_table.h"
#include "cep/matcher.h"
#include "cep/output.h"
#include "cep/reorder.h"
#include "cep/time_queue.h"
#include "cep/touch.h"

namespace cep {

class TimelinePeek;
struct TimelineLoan;

class TimelineEngine {
 public:
  TimelineEngine(Engine& engine, uint32_t timeline, TimelineLoan* loan = nullptr);
  ~TimelineEngine();
  TimelineEngine(const TimelineEngine&) = delete;
  TimelineEngine& operator=(const TimelineEngine&) = delete;

  // Takes over another rule set, in which this timeline has number `timeline`.
  void rebind(uint32_t timeline);
  // Rows that are not late and whose key is this shard's, then (in a timeline of level 0) everything up to the frontier.
  void on_batch(const BatchPtr& batch, const Admission& admission, std::vector<Alert>& alerts);
  void on_time(const Admission& admission, std::vector<Alert>& alerts);
  // Releases waiting rows up to the frontier in order, then fires the timers that are due.
  void release(const Admission& admission, std::vector<Alert>& alerts);
  // Appends what would complete on the row, were it released behind the rows that wait before it; changes nothing that matters to anybody
  // else. False: too many rows wait.
  bool peek(const BatchPtr& event, const Admission& admission, std::vector<Alert>& alerts);
  // A row that an alert became waits here, in every shard alike: whose key it has is asked when it is released.
  void wait(const BatchPtr& derived);

  const std::string& name() const { return name_; }
  void begin_images(uint32_t segment, const std::vector<uint32_t>& victims);
  // True while there is more to take; `bytes_left` falls by what was taken.
  bool take_images(size_t* bytes_left, std::vector<KeyImage>& images);
  // The timeline ends with the rules that made it: the news that its stored keys are gone.
  void end(std::vector<KeyImage>& images);
  bool restore_key(uint64_t space, uint64_t hash, uint32_t segment, std::string_view bytes, bool* known);
  void prefetch_key(uint64_t space_id, uint64_t hash) const {
    for (const Space& space : spaces_) {
      if (space.id == space_id) space.table.prefetch_slot(hash);
    }
  }
  // The name under which derived rows that wait are kept in a checkpoint, as if it were a key space and their positions hashes of keys.
  uint64_t derived_space() const { return derived_space_; }
  void restore_buffered(const BatchPtr& batch, std::span<const uint32_t> rows);
  void restore_frontier(TimeUs watermark) { frontier_ = watermark; }
  BufferedRows buffered() const;
  void adopt(const TimelineEngine& warmed, std::span<const ProgramId> programs);
  const Slot* find(uint64_t space, uint64_t hash, std::string_view key) const;
  // Nothing of the key can matter at `time` any more: it is as good as gone.
  bool is_over(BlockView block, TimeUs time) const { return key_end(block) <= time; }
  template <class F>
  void for_each_block(uint64_t space, F&& visit) const {
    for (const Space& candidate : spaces_) {
      if (candidate.id == space) candidate.table.for_each(visit);
    }
  }
  TimeUs frontier() const { return frontier_; }
  const RingCoverages* coverage() const { return coverage_.get(); }
  const Timeline& timeline() const { return *timeline_; }
  const RuleSet& rules() const { return *engine_.rules_; }
  uint64_t keys() const;
  uint64_t runs(ProgramId program) const;
  void count_runs(std::map<ProgramId, uint64_t>& runs) const;
  uint64_t state_bytes() const;
  uint64_t reorder_rows() const { return reorder_.size() + derived_.size(); }
  uint64_t derived_waiting() const { return derived_.size(); }

 private:
  friend class TimelinePeek;
  struct Space {
    uint64_t id = 0;
    KeyTable table;
    uint32_t new_block_bytes = 0;     // what the last new block came to
    double sweep_credit = 0;          // part of a slot that is still to be swept
  };
  // Release order of derived rows: time, then position (the alert's id), then stream.
  using DerivedKey = std::tuple<TimeUs, uint64_t, StreamId>;
  struct Derived {
    BatchPtr row;
    uint32_t segment = 0;      // where its image is; 0: nowhere yet
  };
  bool owns(uint64_t key_hash) const;
  void drop_space(Space& space);
  bool speaks_for(uint64_t position) const;      // of all shards, which hold the same derived rows, the one that counts and stores this one
  void release_derived(std::vector<Alert>& alerts);
  void drop_derived(std::map<DerivedKey, Derived>::iterator row);
  bool is_owned_by_shard(const Batch& batch, uint32_t row);
  bool encode_row_key(const Batch& batch, uint32_t row, const Role& role, std::string& key);
  bool pass_through(const Batch& batch, const Admission& admission, std::vector<Alert>& alerts);
  void buffer(const BatchPtr& batch, const Admission& admission);
  void process_rows(const Batch& batch, uint32_t first, uint32_t last, const std::vector<uint64_t>& words, std::vector<Alert>& alerts);
  bool prefetch_block(Prepared& prepared, size_t created) const;
  void prefetch_rings(const Prepared& prepared) const;
  void prefetch_newest(const Space& space, uint64_t hash) const;
  void prepare(const Role& role, const Batch& batch, uint32_t row, const uint64_t* words);
  bool prepare_key(const Role& role, const Batch& batch, uint32_t row);
  void process_prepared(const Prepared& prepared, Touch& touch);
  static void extend_end(const Role& role, Slot& slot, TimeUs time);
  void move_windows(const Role& role, Space& space, Slot& slot, const Touch& touch, std::string_view key);
  bool begins_anew(const Role& role, const Slot& slot) const;
  bool feed_in_place(BlockView block, uint32_t number, const Touch& touch);
  void mark_changed(const Space& space, uint64_t hash, BlockHeader& header);
  void feed_rings(const Role& role, const Touch& touch, size_t first = 0);
  RingEntryValue entry_of(const BoundRing& bound, const Touch& touch, Value* argument);
  void feed_ring(uint32_t number, const Touch& touch);
  void note_dropped(uint32_t ring, TimeUs dropped, TimeUs now);
  void run_inputs(const Role& role, const Touch& touch);
  bool is_asked(const RuleInput& input, BlockView block, const Touch& touch) const;
  void wake_inputs(const Role& role, uint32_t first);
  void run_rule(const BoundRule& rule, uint16_t input, const Touch& touch);
  void fire_deadlines(const Touch& touch, TimeUs until);
  void take_matches(MatchScope& scope, const Touch& touch, TimeUs now);
  void end_due_episode(MatchScope& scope, const Touch& touch, TimeUs now, bool absences_came);
  void keep_image(const Space& space, Slot& slot);
  void open_key(Space& space, Slot& slot, TimeUs now);
  void take_image(const Space& space, Slot& slot, std::vector<KeyImage>& images);
  bool is_changed_before_barrier(BlockView block) const;
  bool take_victims(size_t* bytes_left, std::vector<KeyImage>& images);
  bool take_due_timers();
  void sweep(TimeUs before, std::vector<Alert>& alerts);
  void forget_deadline(Slot& slot);
  bool drop_if_over(Space& space, Slot& slot, TimeUs now);
  void service_key(Space& space, uint64_t hash, TimeUs now, std::vector<Alert>& alerts);
  void prune(TimeUs now);
  TimeUs cell_end(Cell& cell) const;
  TimeUs key_end(BlockView block) const;
  Slot* close_key(Space& space, uint64_t hash, Slot* slot);
  void begin_derived_images();
  bool restore_derived(uint32_t segment, std::string_view bytes);
  void adopt_derived(const TimelineEngine& warmed);
  void adopt_waiting(const TimelineEngine& warmed);
  bool reaches_further(Cell& warmed, Cell& own) const;
  void adopt_block(BlockView warmed, std::span<const ProgramId> programs, Space& space, uint64_t hash);
  uint64_t awaits_of(BlockView block) const;
  void schedule(Space& space, Slot& slot);
  const std::vector<Value>& key_values(const BoundRule& rule);
  MatchScope match_scope(const BoundRule& rule);
  OutputScope output_scope(const MatchScope& match, const Touch& touch);
  const std::vector<uint64_t>& words_of(WaitingBatch& waiting);
  const BoundRing* ring_by_id(uint64_t id) const;
  Slot* borrow(Space& space, uint64_t hash, std::string_view key);

  Engine& engine_;
  uint32_t index_;
  const Timeline* timeline_ = nullptr;     // of the rules in force
  std::string name_;
  TimeUs frontier_ = kTimeMin;
  std::shared_ptr<const RingCoverages> coverage_;     // as the clock last said
  bool is_new_ = true;                     // no row has come yet: a warmed timeline says how far time is
  Reorder reorder_;
  uint64_t derived_space_ = 0;
  std::map<DerivedKey, Derived> derived_;
  std::vector<Space> spaces_;
  TimeQueue<KeyTimer> timers_;
  std::vector<std::pair<Space*, uint64_t>> due_;        // keys (by hash) whose timers are under work
  ChangedKeys dirty_;                      // in this epoch
  std::vector<GoneKey> gone_;
  uint8_t epoch_ = 1;                      // 1 or 2: changes at each barrier
  bool has_episodes_ = false, has_absences_ = false;    // some rule has: their ends are timers
  DurationUs longest_us_ = kSecond;        // that anything of a key can matter after its last event
  size_t touches_ = 0;                     // of keys, since the last sweep
  BarrierImages images_;
  BlockMemory memory_;
  BlockEditor editor_;
  Matcher matcher_;
  TextArena texts_;
  std::vector<uint32_t> awake_;            // rows under work that some role cares about
  std::vector<Prepared> prepared_;
  PreparedKeys prepared_keys_;
  std::string key_;                        // encoded key under work
  std::vector<Value> key_values_;          // decoded when an output needs it
  std::vector<Match> matches_;
  std::vector<uint64_t> packed_;           // a row on its way into a ring
  std::vector<uint64_t> image_;            // of a key that is restored: aligned, as a block is
  std::vector<uint64_t> words_;            // predicate bits of a batch that passes through
  AppendedRings appended_;
  std::vector<uint64_t> woken_;            // a bit an input of the role: the event under work may start its rule or wake a run of it
  std::unique_ptr<TimelinePeek> peek_;     // nullptr: no decision has asked since the rules changed
  TimelineLoan* const loan_ = nullptr;     // this one works on copies of another's keys (a peek); nullptr: on its own
};

}  // namespace cep
