// The part of `weir bench --end-to-end` about decisions: how many a server answers at most, then at a third of that how long one takes,
// from the request to the answer over loopback, in turns of half a second with bare appends and fdatasyncs of as many bytes on the same
// disk; once alone, and once beside events at a third of the rate that saturates them. Decisions are on a stream without a delay and with
// twenty rules.
// Threads: those that send, beside the server's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cep/result.h"

namespace service {

struct LatencyFigure {
  double p50_us = 0, p99_us = 0, p999_us = 0, max_us = 0;
  uint64_t samples = 0;
};
LatencyFigure latency_figure_of(std::vector<double>& samples_us);      // which it sorts

struct DecisionFigure {
  double saturation_per_s = 0;
  uint32_t connections = 0;
  struct Row {
    double decisions_per_s = 0, events_per_s = 0;      // as they were, while decisions took their turns
    LatencyFigure decision, append;
    uint64_t degraded = 0;
  };
  Row alone, beside_events;
};

// Of the server at that address. `directory`: where the bare appends go, on the disk of the server's log. `events_per_s`: what saturates
// it. `seconds` for each of three parts.
cep::Result<DecisionFigure> measure_decisions(const std::string& server, const std::string& directory, double events_per_s, double seconds);

}  // namespace service
