// What `weir bench` feeds the engine: made events as finished batches, and the rules that go with them.
// Made from a fixed seed: the same on every machine. Threads: pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cep/batch.h"
#include "cep/limits.h"
#include "cep/result.h"
#include "cep/rule_set.h"

namespace service {

using BenchBatches = std::vector<std::shared_ptr<const cep::Batch>>;

struct BenchWorkload {
  std::string name;
  std::string what;  // one line for a person
  cep::RuleSetPtr rules;
  BenchBatches batches;         // event times never decrease
  cep::DurationUs span_us = 0;  // of event time: a further pass is moved by it
  uint64_t events = 0;
  uint64_t untimed = 0;  // of them, at the head of each pass: they fill windows and are not timed; a batch ends there
  cep::Limits limits;
};

inline constexpr uint32_t kBenchBatches = 256;  // of kBatchRowsMax rows: the batches of the built-in workloads

// Rules compiled from text. Error: bad_rules, with the diagnostics.
cep::Result<cep::RuleSetPtr> compile_bench_rules(const std::string& name, const std::string& text);

// "seq3": three events in order without a key.
cep::Result<BenchWorkload> bench_sequence();
// "keyed3_<cards>": the same per card.
cep::Result<BenchWorkload> bench_keyed(uint32_t cards);
// "velocity_<cards>": count and sum of the last minute per card, on every event.
cep::Result<BenchWorkload> bench_velocity(uint32_t cards);
// "rules_20": the twenty rules below at once.
cep::Result<BenchWorkload> bench_twenty_rules(uint32_t batches = kBenchBatches);
// Rules on payments of so many cards, one every `gap_us`; the rules begin with the declaration of their stream.
cep::Result<BenchWorkload> bench_payments(std::string name, std::string what, const std::string& rules, uint32_t cards,
                                          cep::DurationUs gap_us, uint32_t batches = kBenchBatches);
std::string bench_stream_text();
// The shipped rules (files and directories) on `weir gen` traffic; batches are its runs of one stream, so most are
// short.
cep::Result<BenchWorkload> bench_rule_files(const std::vector<std::string>& paths);
// A directory of another harness: events.csv in order of event time, rules.weir, meta.json with `untimed`. Its rows are cut
// into batches of `batch_rows`; the limits that would cut matches are lifted. Errors: io_error, not_found, bad_rules, bad_events.
cep::Result<BenchWorkload> bench_directory(const std::string& name, const std::string& directory, uint32_t batch_rows);
// One run for each of so many cards: what bytes per key and per run are counted on. `starts` more events start a run
// each.
cep::Result<BenchWorkload> bench_runs(uint32_t cards, uint32_t starts);

// Declaration of a stream and twenty rules on it: sequences, windows, an absence, a distinct count.
// `delay`: of the stream, as in "1 second".
std::string twenty_rules_text(std::string_view delay, std::string_view stream = "tx");

}  // namespace service
