// `weir bench --plot`: what events cost as rules, keys, the events of a window and shards become more: each a chart of a few curves.
// Invariant: a point is the median of five passes or more of a workload made from a fixed seed.
// Threads: the caller's; for shards one each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "service/svg_chart.h"

namespace service {

struct CurveOptions {
  uint64_t events = 262'144;       // of a pass, in whole batches; where keys are many at least two a key
  uint64_t most = 1'000'000;       // no point goes beyond so many rules, keys or events in a window
  double seconds = 1;              // that the passes of a point take at least
  std::string foot;                // of every chart: when and where
};

struct NamedChart {
  std::string name;                // of its file, without the ending
  Chart chart;
};

// A point is told to `say` as soon as it is measured.
cep::Result<std::vector<NamedChart>> measure_curves(const CurveOptions& options, const std::function<void(const std::string&)>& say);

}  // namespace service
