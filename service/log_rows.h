// Rows on their way into the log and out of it: JSON events decoded to batches of one stream, with the hashes of their `unique` values,
// and event frames decoded again. What is logged is the JSON as received, so a replay decodes as live did.
// Threads: a LogRows has one user at a time; io threads, the sequencer and warm starts each have their own.
#pragma once

#include <map>
#include <memory>
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

// Hash of a row's `unique` values; all zero if the stream has none or one of them is null: never a duplicate (R68).
state::Id16 unique_hash(const cep::Batch& batch, uint32_t row);

class LogRows {
 public:
  // Decodes events of one stream. Rows that do not fit are left out and reported to `reject(index in rows, error)`.
  template <class Reject>
  RowGroup decode(const cep::SchemaPtr& schema, const std::vector<std::string_view>& rows, const std::vector<uint32_t>& index,
                  cep::TimeUs received_us, cep::TimeUs time_max_us, Reject&& reject) {
    api::JsonRows& decoder = decoder_of(schema);
    decoder.set_time_max(time_max_us);
    cep::BatchBuilder builder(schema, 0, received_us);
    RowGroup group;
    for (size_t i = 0; i < rows.size(); ++i) {
      api::RowError error;
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
  // The batches of an event frame, positions set. Every row was accepted when it was logged; an Error is damage or another program.
  cep::Result<std::vector<cep::BatchPtr>> decode_frame(const state::FrameView& frame, const cep::SchemaPtr& schema);

 private:
  api::JsonRows& decoder_of(const cep::SchemaPtr& schema);

  std::map<const cep::StreamSchema*, std::unique_ptr<api::JsonRows>> decoders_;
};

}  // namespace service
