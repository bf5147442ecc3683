// See log_rows.h.
#include "service/log_rows.h"

#include "cep/key.h"
#include "state/checkpoint_format.h"

namespace service {

std::optional<api::RowError> refusal_of(const std::string& stream, const cep::StreamSchema* known) {
  if (known == nullptr) {
    return api::RowError{api::EventCode::kUnknownStream, "", "no stream `" + stream + "` is declared; deploy its `create stream` first"};
  }
  if (!known->from_rules) return std::nullopt;
  return api::RowError{api::EventCode::kFromRules, "",
                       "`" + stream + "` is a stream `from rules`: only rules with `into " + stream + "` fill it"};
}

state::Id16 unique_hash(const cep::Batch& batch, uint32_t row) {
  state::Id16 hash{};
  const std::vector<uint16_t>& columns = batch.schema->unique_columns;
  if (columns.empty()) return hash;
  std::string bytes = batch.schema->name;
  for (uint16_t column : columns) {
    cep::Value value = batch.value(row, column);
    if (value.is_null()) return hash;
    cep::append_tagged(bytes, value);
  }
  return state::digest_of(bytes);
}

api::JsonRows& LogRows::decoder_of(const cep::SchemaPtr& schema) {
  std::unique_ptr<api::JsonRows>& decoder = decoders_[schema.get()];
  if (decoder == nullptr) decoder = std::make_unique<api::JsonRows>(schema);
  return *decoder;
}

cep::Result<std::vector<cep::BatchPtr>> LogRows::decode_frame(const state::FrameView& frame, const cep::SchemaPtr& schema) {
  std::vector<cep::BatchPtr> batches;
  api::JsonRows& decoder = decoder_of(schema);
  decoder.set_time_max(cep::kTimeMax);
  cep::BatchBuilder builder(schema, static_cast<cep::SourceId>(frame.header.source), frame.header.received_us);
  uint32_t first = 0;
  auto finish = [&](uint32_t end) {
    std::shared_ptr<cep::Batch> batch = builder.finish();
    for (uint32_t row = first; frame.has_places() && row < end; ++row) batch->ordinal.push_back(frame.place(row).ordinal);
    batches.push_back(std::move(batch));
    first = end;
  };
  for (uint32_t i = 0; i < frame.header.events; ++i) {
    api::RowError error;
    if (!decoder.append(frame.row(i), frame.header.first_offset + i, builder, &error)) {
      return cep::Error{"log_disagrees", "event " + std::to_string(frame.header.first_offset + i) + " of the log, stream " +
                                             schema->name + ", does not decode any more: " + error.message};
    }
    if (builder.rows() == cep::kBatchRowsMax) finish(i + 1);
  }
  if (builder.rows() > 0) finish(frame.header.events);
  return batches;
}

}  // namespace service
