// Puts the alerts of all timelines and shards into one order: time, rule, key, then R31. That order depends neither on the number of
// shards nor on how rows were cut into batches, which is what makes two runs comparable line by line.
// An alert waits here until no timeline that has spoken can still make an earlier one. At most kHeldMax wait: beyond that
// the earlier half goes, so a timeline that stands still cannot fill the memory.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <vector>

#include "cep/alert.h"

namespace service {

class AlertOrder {
 public:
  static constexpr size_t kHeldMax = 100'000;

  // Alerts of one timeline or shard, in the order the engine gave them.
  void add(std::vector<cep::Alert>&& alerts);
  // Moves alerts with time < `until` to the end of `out`, in order.
  void take(cep::TimeUs until, std::vector<cep::Alert>& out);

 private:
  void sort();

  std::vector<cep::Alert> held_;
  size_t sorted_ = 0;      // the first of held_ are in order
};

// Time, rule, key; equal for alerts whose order R31 decides.
bool is_alert_before(const cep::Alert& a, const cep::Alert& b);

}  // namespace service
