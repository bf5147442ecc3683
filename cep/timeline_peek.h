// Peeks of one timeline in one shard (R37): what would complete on an event, found by a second TimelineEngine of the same rules that works
// on copies of the keys it meets and forgets them afterwards. So a verdict comes from the very code that makes alerts.
// One thread. Complexity: a copy of each key of the event, and the work of its rows that wait. Once a peek has found rows that wait,
// every row that comes and goes costs an entry of WaitingKeys.
#pragma once

#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "cep/timeline_engine.h"
#include "cep/waiting_keys.h"

namespace cep {

// Whose keys the second engine copies when it first meets them.
struct TimelineLoan {
  const TimelineEngine& lender;
  std::unordered_set<const Slot*> lent;      // slots there of which there is a copy, or was
};

class TimelinePeek {
 public:
  explicit TimelinePeek(TimelineEngine& timeline);

  // Appends what would complete on the row, were it released behind the rows that wait and come before it. False: too many do.
  bool run(const BatchPtr& event, const Admission& admission, std::vector<Alert>& alerts);
  // A row begins to wait in the timeline's buffer, or was taken out of it.
  void note_waiting(const Reorder::Item& item);
  void note_released(const Reorder::Item& item);

 private:
  // A row that is looked at before the event.
  struct EarlierRow {
    BatchPtr batch;
    uint32_t row = 0;
    const std::vector<uint64_t>* words = nullptr;      // predicate bits; nullptr: not computed yet
  };

  template <class F>
  void for_each_key(const Batch& batch, uint32_t row, F&& visit);
  void index_waiting();
  void find_waiting(const Batch& event, std::vector<Reorder::Item>& items);
  void find_derived(const Batch& event, std::vector<BatchPtr>& rows);
  bool find_earlier(const Batch& event, std::vector<EarlierRow>& earlier);
  void run_row(const Batch& batch, uint32_t row, const std::vector<uint64_t>* words, std::vector<Alert>& alerts);
  void forget_copies();

  TimelineEngine& timeline_;
  std::unique_ptr<WaitingKeys> waiting_;               // nullptr: nothing has waited yet when a peek came
  TimelineLoan loan_;
  TimelineEngine copies_;
};

}  // namespace cep
