// `weir gen`: ordinary traffic for the streams of rules/streams.weir with fraud planted for every rule of rules/.
// One line at a time, event times never decreasing. The same options give the same bytes on every machine: own random
// numbers, whole-number arithmetic. Every 1 / fraud events one planted instance begins, the rules taking turns in a
// shuffled order; those that need hours come to their end only if the run spans them.
// Memory: the lines that wait for their time, bounded by PendingLines. Threads: belongs to its owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "service/generator_background.h"
#include "service/generator_plots.h"

namespace service {

struct GeneratorOptions {
  uint64_t seed = 1;
  uint64_t events = 1'000'000;
  double rate_per_s = 3;             // of event time: a million events span almost four days
  int64_t from_ms = 0;               // since 1970
  uint64_t keys = 10'000;            // cards, users, devices of the ordinary traffic
  double fraud = 0.001;              // planted instances by event
  std::vector<std::string> streams;  // empty: all
};

class Generator {
 public:
  static constexpr double kFraudMax = 0.02;
  static constexpr uint64_t kKeysMax = 100'000'000;

  // Errors: bad_option, with what to write instead.
  static cep::Result<std::unique_ptr<Generator>> create(const GeneratorOptions& options);
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Appends the next line; false, and nothing appended, when all events are out.
  bool next(std::string& out);
  // Time of the line appended last, ms since 1970.
  int64_t at_ms() const { return at_ms_; }
  // Planted instances whose time has come since the last call, a line each:
  // {"rule": R, "key": {...}, "time": T, "ids": [...]}: T is the time of the alert to expect.
  std::string take_truth();
  uint64_t planted() const { return planted_; }
  // Lines that wait for their time: at most PendingLines::kPendingLinesMax.
  size_t waiting() const { return world_.pending.size(); }

 private:
  Generator(const GeneratorOptions& options, GenStreams streams);

  void plant(int64_t start_ms);
  void tell_truth(int64_t at_ms);

  GeneratorOptions options_;
  PlotWorld world_;
  Background background_;
  std::vector<Scenario> deck_;
  uint64_t made_ = 0;
  uint64_t planted_ = 0;
  int64_t at_ms_ = 0;
  std::string truth_;
};

// The rules that have a plot, sorted.
std::vector<std::string_view> planted_rules();

}  // namespace service
