// The clock of every timeline: the one place where lateness, the frontier and silence are decided (R61-R67), and where time is forced
// forward because too many rows wait for it (L17).
// A timeline that reads a stream `from rules` has two hands: the clock of what comes from outside, and the least watermark of the
// timelines that feed it (R76). Its own watermark is the lesser of both: no alert to come is earlier, and none will become a row before.
// Owned by the sequencer (one thread), fed in log order; shards only obey what it returns. A pure function of the records it is fed.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cep/batch.h"
#include "cep/rule_set.h"
#include "cep/time_queue.h"

namespace cep {

// What a ring has seen: every row from event time `since` on, of which it keeps `span_us`. kTimeMax: no row has been released yet.
struct RingCoverage {
  TimeUs since = kTimeMax;
  DurationUs span_us = 0;
};
using RingCoverages = std::map<uint64_t, RingCoverage>;     // by RingShape::id

inline constexpr SourceId kEverySource = 0xfffe;

// What one batch means for one timeline. Rows that are not late enter the reorder buffer; then everything up to the frontier is
// released: what is earlier, and at that instant the sources up to `frontier_source`, since those behind it may still bring rows that come
// before others of that instant (R63). Of the rows that alerts became, which come last at one instant, everything with time < frontier.
struct Admission {
  uint32_t timeline = 0;
  TimeUs frontier = kTimeMin;               // after the whole batch
  SourceId frontier_source = kEverySource;
  bool has_rows = false;                    // the batch's stream is one of the timeline's
  std::vector<uint8_t> late;                // by row; empty: none is late
  std::vector<TimeUs> late_watermark;       // by row when late: the watermark it missed
  std::shared_ptr<const RingCoverages> coverage;

  bool covers(TimeUs time, SourceId source) const { return time < frontier || (time == frontier && source <= frontier_source); }
};

// State of one timeline's clock, as a checkpoint keeps it.
struct TimelineClock {
  std::string timeline;                     // its name
  TimeUs watermark = kTimeMin;
  SourceId frontier_source = kEverySource;  // at that instant
  std::map<SourceId, TimeUs> source_max;    // greatest event time seen from each source on its streams; kTimeMin: declared, still silent
  std::map<SourceId, TimeUs> source_received_us;   // wall clock of each source's newest row on them
  std::set<SourceId> idle;                  // sources that hold no time back until they speak (R64)
  TimeUs last_received_us = kTimeMin;       // wall clock of its newest row
  TimeUs silence_watermark = kTimeMin;      // watermark when the silence began
  std::shared_ptr<const RingCoverages> coverage = std::make_shared<RingCoverages>();    // replaced, never changed: shards share it
  TimeQueue<TimeUs> waiting;                // times of the rows admitted and not yet released; a checkpoint marks the rows instead
  TimeUs released = kTimeMin;               // timelines of level 1 and above: the lesser of both hands; `watermark` is the outside's
};

class Clock {
 public:
  // Rows of a timeline that may wait until limit_waiting says otherwise; a log without such a record means this number.
  static constexpr uint32_t kWaitingMaxAtFirst = 2'000'000;

  // Timelines that stay keep their clock. A new one starts from the greatest times seen of its streams.
  void apply_rules(const RuleSet& rules);
  // Admits a batch to each timeline its stream is in; moves their watermarks. Indices are of the rule set last applied.
  std::vector<Admission> admit(const Batch& batch);
  // {"$watermark": T}: moves every timeline (or those with the stream). Returns admissions without rows.
  std::vector<Admission> watermark(TimeUs time, const std::string* stream);
  // A tick at wall clock `received_us`: timelines silent for longer than idle move by the silence, never to the clock (R65).
  std::vector<Admission> tick(TimeUs received_us);
  // Whether that tick would move anything: an idle log needs no record of it otherwise.
  bool would_tick(TimeUs received_us) const;
  // A source that will bring rows of the stream: from here on time waits for it, though it has said nothing yet.
  void declare(SourceId source, const std::string& stream, TimeUs received_us);
  // The source has brought all that it has: where it has been silent for `idle` up to then, time goes on without it until it speaks (R64).
  std::vector<Admission> idle(SourceId source, TimeUs received_us);
  // Whether that would move anything.
  bool would_idle(SourceId source, TimeUs received_us) const;
  // Whether any timeline would stand still as long as the source is silent.
  bool waits_for(SourceId source) const;
  // At most so many rows of a timeline wait from here on; beyond it the frontier is forced to the earliest of them, row by row, so that
  // batches do not show. The number is data of the log: another one at a replay would give other late rows. Admissions without rows.
  std::vector<Admission> limit_waiting(uint32_t rows_max);
  uint32_t waiting_max() const { return waiting_max_; }
  uint64_t forced() const { return forced_; }     // steps that the limit forced
  // Every timeline as it stands, for shards that are to know it before the next row.
  std::vector<Admission> standing() const;
  // Clocks of a warm start: used for timelines that the next apply_rules makes; of those that are there, what their rings have seen.
  void offer(const std::vector<TimelineClock>& clocks);

  TimeUs watermark_of(uint32_t timeline) const {
    return timing_[timeline].level > 0 ? clocks_[timeline].released : clocks_[timeline].watermark;
  }
  std::vector<const TimelineClock*> clocks() const;      // of all timelines, parked ones too, until the next change
  std::vector<TimelineClock> save() const;
  std::map<StreamId, std::map<SourceId, TimeUs>> save_streams() const { return stream_max_; }
  // `clocks` without what waits: that is put back row by row, after apply_rules.
  void restore(const std::vector<TimelineClock>& clocks, const std::map<StreamId, std::map<SourceId, TimeUs>>& streams);
  void restore_waiting(const std::string& timeline, TimeUs time);

 private:
  struct Timing {
    DurationUs delay_us = 0;
    DurationUs idle_us = 0;
    bool is_explicit = false;
    bool has_unseen = false;                // a ring waits for its first row
    uint32_t level = 0;
    bool has_outside = true;
    std::vector<uint32_t> feeders;
    DurationUs lag_us = 0;                  // greatest delay of all that it reads, over any number of hops
    std::vector<StreamId> streams;
  };
  bool advance(TimelineClock& clock, const Timing& timing);
  void move_to(TimelineClock& clock, TimeUs time);
  bool is_idle(const TimelineClock& clock, const Timing& timing, SourceId source) const;
  bool waits_for(uint32_t timeline, SourceId source) const;
  bool falls_idle(uint32_t timeline, SourceId source, TimeUs received_us) const;
  bool admit_in_order(const Batch& batch, TimeUs& source_max, const Admission& admission);
  void admit_row(const Batch& batch, uint32_t row, TimeUs& source_max, Admission& admission);
  void release(uint32_t timeline);
  void cover_rings(const Timeline& timeline, TimelineClock& clock, Timing& timing);
  void note_first_row(TimelineClock& clock, Timing& timing, TimeUs time);
  SourceId frontier_source_of(uint32_t timeline) const;
  Admission standing(uint32_t timeline) const {
    return {timeline, watermark_of(timeline), frontier_source_of(timeline), false, {}, {}, clocks_[timeline].coverage};
  }
  bool is_awaited(uint32_t timeline) const;      // a declared source has said nothing yet and is not idle
  bool has_spoken(uint32_t timeline) const;
  bool is_moved_row_by_row(uint32_t timeline) const;
  // After a record moved the watermark: the rows that are due, and silence that counts from here.
  void settle(uint32_t timeline, std::vector<Admission>& admissions);
  void advance_fed();
  void add_fed(std::vector<Admission>& admissions) const;
  TimeUs ticked(uint32_t timeline, TimeUs received_us) const;

  std::vector<TimelineClock> clocks_;       // by timeline of the rule set
  std::vector<Timing> timing_;
  std::vector<std::vector<uint32_t>> by_stream_;
  std::vector<uint32_t> fed_;               // timelines of level 1 and above, by level
  std::map<std::string, StreamId> stream_ids_;
  std::map<std::string, TimelineClock> parked_;        // restored or dropped clocks, by timeline name
  std::map<StreamId, std::map<SourceId, TimeUs>> stream_max_;
  std::map<std::string, std::shared_ptr<const RingCoverages>> offered_;      // by timeline name, for the next apply_rules
  uint32_t waiting_max_ = kWaitingMaxAtFirst;
  uint64_t forced_ = 0;
};

}  // namespace cep
