// The clock of every timeline: the one place where lateness, the frontier and silence are decided (R61-R67).
// Owned by the sequencer (one thread), fed in log order; shards only obey what it returns. A pure function of the records it is fed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cep/batch.h"
#include "cep/rule_set.h"

namespace cep {

// What one batch means for one timeline. Rows that are not late enter the reorder buffer; then everything with
// time <= frontier is released.
struct Admission {
  uint32_t timeline = 0;
  TimeUs frontier = kTimeMin;               // after the whole batch
  std::vector<uint8_t> late;                // by row; empty: none is late
  std::vector<TimeUs> late_watermark;       // by row when late: the watermark it missed
};

// State of one timeline's clock, as a checkpoint keeps it.
struct TimelineClock {
  std::string timeline;                     // its name
  TimeUs watermark = kTimeMin;
  std::map<SourceId, TimeUs> source_max;    // greatest event time seen from each source on its streams
  TimeUs last_received_us = kTimeMin;       // wall clock of its newest row
  TimeUs silence_watermark = kTimeMin;      // watermark when the silence began
};

class Clock {
 public:
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
  // Clocks of a warm start: used for timelines that the next apply_rules makes.
  void offer(const std::vector<TimelineClock>& clocks);

  TimeUs watermark_of(uint32_t timeline) const { return clocks_[timeline].watermark; }
  std::vector<TimelineClock> save() const;
  std::map<StreamId, std::map<SourceId, TimeUs>> save_streams() const { return stream_max_; }
  void restore(const std::vector<TimelineClock>& clocks, const std::map<StreamId, std::map<SourceId, TimeUs>>& streams);

 private:
  struct Timing {
    DurationUs delay_us = 0;
    DurationUs idle_us = 0;
    bool is_explicit = false;
    std::vector<StreamId> streams;
  };
  bool advance(TimelineClock& clock, const Timing& timing);
  TimeUs ticked(uint32_t timeline, TimeUs received_us) const;

  std::vector<TimelineClock> clocks_;       // by timeline of the rule set
  std::vector<Timing> timing_;
  std::vector<std::vector<uint32_t>> by_stream_;
  std::map<std::string, StreamId> stream_ids_;
  std::map<std::string, TimelineClock> parked_;        // restored or dropped clocks, by timeline name
  std::map<StreamId, std::map<SourceId, TimeUs>> stream_max_;
};

}  // namespace cep
