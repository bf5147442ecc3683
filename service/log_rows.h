// Rows on their way into the log and out of it: JSON events decoded to batches of one stream, with the hashes of their `unique` values,
// and event frames decoded again. What is logged is the JSON as received, so a replay decodes as live did.
// Threads: a LogRows has one user at a time; io threads, the sequencer and warm starts each have their own.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "api/json_rows.h"
#include "cep/batch.h"
#include "state/format.h"

namespace service {

// Consecutive events of one stream, decoded but without positions.
struct RowGroup {
  std::shared_ptr<cep::Batch> batch;
  std::vector<std::string_view> rows;          // the JSON of each, owned by the request or frame
  std::vector<uint32_t> index;                 // of each in its request
};

// Why a stream takes no events from outside: nobody declares it (`known` is null), or rules fill it. Empty: it takes them.
std::optional<api::RowError> refusal_of(const std::string& stream, const cep::StreamSchema* known);

// Hash of a row's `unique` values; all zero if the stream has none or one of them is null: never a duplicate (R68).
state::Id16 unique_hash(const cep::Batch& batch, uint32_t row);

// No event time is too far ahead: what is decoded again was accepted once.
inline cep::TimeUs any_time(size_t) { return cep::kTimeMax; }
// An event further ahead of its arrival than its stream allows would make every later one late (R55).
inline cep::TimeUs latest_time(const cep::StreamSchema& schema, cep::TimeUs arrival_us) {
  return arrival_us + schema.ahead_us.value_or(10 * cep::kMinute);
}

class LogRows {
 public:
  // A decoder is dear to make and belongs to one thread: threads that take events in keep their own.
  static LogRows& of_this_thread() {
    thread_local LogRows rows;
    return rows;
  }
  // Decodes events of one stream. No event time may be beyond `time_max(index in rows)`. Rows that do not fit are left out and reported to
  // `reject(index in rows, error)`.
  template <class TimeMax, class Reject>
  RowGroup decode(const cep::SchemaPtr& schema, const std::vector<std::string_view>& rows, const std::vector<uint32_t>& index,
                  cep::SourceId source, cep::TimeUs received_us, TimeMax&& time_max, Reject&& reject) {
    api::JsonRows& decoder = decoder_of(schema);
    cep::BatchBuilder builder(schema, source, received_us);
    RowGroup group;
    for (size_t i = 0; i < rows.size(); ++i) {
      api::RowError error;
      decoder.set_time_max(time_max(i));
      if (!decoder.append(rows[i], i, builder, &error)) {
        reject(i, error);
        continue;
      }
      group.rows.push_back(rows[i]);
      group.index.push_back(index[i]);
    }
    group.batch = builder.finish();
    return group;
  }
  // The batches of an event frame, positions and ordinals set. Every row was accepted when it was logged; an Error is damage or another
  // program.
  cep::Result<std::vector<cep::BatchPtr>> decode_frame(const state::FrameView& frame, const cep::SchemaPtr& schema);

 private:
  api::JsonRows& decoder_of(const cep::SchemaPtr& schema);

  std::map<const cep::StreamSchema*, std::unique_ptr<api::JsonRows>> decoders_;
};

}  // namespace service
