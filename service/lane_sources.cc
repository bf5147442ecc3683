// See lane.h: sources beside the input.
#include <future>

#include "service/lane.h"

namespace service {
namespace {

// A source that cannot wait for a client must not take the last room from those that do.
bool has_room_for(const Sequencer& sequencer, size_t bytes) {
  const size_t waiting = sequencer.waiting_bytes();
  return waiting == 0 || waiting + bytes <= sequencer.options().credit_bytes / 5 * 4;
}

bool is_fed_from_outside(const Registry& registry, const std::string& stream) {
  auto known = registry.streams().find(stream);
  return known != registry.streams().end() && !known->second->from_rules;
}

// Decodes records into batches; what is no event of the stream is refused one by one.
void decode_records(const SourceRecords& records, const cep::SchemaPtr& schema, cep::TimeUs now, Submission& submission) {
  std::vector<std::string_view> rows;
  std::vector<uint32_t> index;
  auto flush = [&] {
    if (rows.empty()) return;
    Submission::Part part;
    part.schema = schema;
    part.group = LogRows::of_this_thread().decode(
        schema, rows, index, records.source, now,
        [&](size_t i) { return latest_time(*schema, records.places[index[i]].arrival_us); },
        [&](size_t i, const api::RowError& error) {
          submission.rejected.push_back({index[i], records.stream, error, std::string(rows[i].substr(0, api::kRejectedRawMax))});
        });
    if (part.group.batch->rows() > 0) submission.parts.push_back(std::move(part));
    rows.clear();
    index.clear();
  };
  for (const api::SubmitItem& item : records.request->items) {
    if (rows.size() == cep::kBatchRowsMax) flush();
    rows.push_back(item.row);
    index.push_back(item.index);
  }
  flush();
}

}  // namespace

cep::Result<SourceNumbers> Lane::open_source(const SourceChange& source, uint64_t first) {
  if (!is_fed_from_outside(*registry(), source.stream)) {
    return cep::Error{"unknown_stream", "no stream `" + source.stream + "` is declared that takes events from outside"};
  }
  auto opened = std::make_shared<SourceNumbers>();
  cep::Status status = change_and_wait([source, first, opened](Sequencer& sequencer) {
    *opened = sequencer.declare_source(source, first);
    return cep::ok_status();
  });
  if (!status.ok()) return status.error();
  return *opened;
}

Taken Lane::submit_records(SourceRecords& records, std::function<void()> durable) {
  const size_t bytes = records.request->body.size() + records.request->made.size() + 1;
  if (sequencer_->is_stopping()) return Taken::kStopping;
  if (!has_room_for(*sequencer_, bytes)) return Taken::kBusy;
  RegistryPtr registry = this->registry();
  if (!is_fed_from_outside(*registry, records.stream)) return Taken::kNoStream;
  const cep::TimeUs now = clock_();
  Submission submission;
  submission.request = records.request;
  submission.bytes = bytes;
  submission.rejected = records.request->rejected;
  submission.source = records.source;
  submission.source_next = records.next;
  submission.places = records.places;
  decode_records(records, registry->streams().at(records.stream), now, submission);
  submission.waiting = std::make_shared<WaitingRequest>(
      [durable = std::move(durable)](const api::SubmitAnswer&) {
        if (durable) durable();
      },
      now);
  if (sequencer_->submit(std::move(submission))) return Taken::kTaken;
  return sequencer_->is_stopping() ? Taken::kStopping : Taken::kBusy;
}

void Lane::set_source_at_end(cep::SourceId source, bool is_at_end) {
  sequencer_->post([source, is_at_end](Sequencer& sequencer) { sequencer.set_at_end(source, is_at_end); });
}

}  // namespace service
