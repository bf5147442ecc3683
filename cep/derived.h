// Alerts as events (R76): the row that an alert becomes in a stream `from rules`, and its packed form in a checkpoint.
// Invariant: the row depends on the alert alone. Its position is bytes 6 to 13 of the alert's id, so that rows of one instant stand in
// the order of their alerts' ids, whatever made them first. Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cep/alert.h"
#include "cep/batch.h"

namespace cep {

struct EvalCounters;

// What fills a column of the stream.
struct IntoColumn {
  enum class Source : uint8_t { kMeasure, kKey, kRule, kSeverity, kScore, kDecision, kTime };
  uint16_t column = 0;
  Source source = Source::kTime;
  uint16_t index = 0;                  // of the measure or key part
};

// By name, from measures, then key, then `rule severity score decision at`; the event time is always the alert's. What nothing fills
// is missing here, and null.
std::vector<IntoColumn> bind_into(const Program& program, const StreamSchema& schema);

// The alert as a batch of one row. What a column cannot hold is null in it, counted as a failed cast.
BatchPtr derived_row(const Alert& alert, const SchemaPtr& schema, std::span<const IntoColumn> columns, EvalCounters& counters);

// Its bytes and back; nullptr: the bytes are not a sound row of the schema.
std::string pack_derived(const Batch& row);
BatchPtr unpack_derived(const SchemaPtr& schema, std::string_view bytes);

}  // namespace cep
