// One event file as chunks of rows: NDJSON (plain events of one stream, or envelopes) or CSV with a header.
// A chunk holds consecutive records of one stream, or one watermark line, or one line of edits (dataset_line.h). Bad records are rejected
// one by one and never end a file; a record beyond api::kJsonRowBytesMax is skipped and rejected as too_large. Memory is bounded by the
// chunk.
// Threads: one owner.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/csv_rows.h"
#include "api/json_rows.h"
#include "cep/batch.h"
#include "cep/result.h"
#include "service/byte_source.h"
#include "service/dataset_change.h"

namespace service {

using Schemas = std::map<std::string, cep::SchemaPtr>;

// An argument of --events: [STREAM=]FILE.
struct EventFile {
  std::string path;
  std::string stream;      // empty: lines are envelopes, or the only declared stream
};
EventFile parse_event_file(const std::string& argument, const Schemas& schemas);
// Why no event of the stream can be read: nobody declares it, or rules fill it. Empty: it can.
std::optional<api::RowError> refused_stream(const std::string& stream, const Schemas& schemas);

struct RejectedRecord {
  std::string path;
  uint64_t record = 0;     // number in its file, from 0; header, watermark and edit lines are not counted
  std::string stream;      // empty: could not be told
  api::RowError error;
};

class EventReader {
 public:
  struct Chunk {
    cep::BatchPtr batch;                   // positions: the record's number in the file; nullptr: a watermark or edit line
    cep::TimeUs watermark = 0;
    std::optional<std::string> stream;     // of the watermark
    std::optional<DatasetChange> edit;
  };

  // Errors: not_found, io_error, bad_archive, unknown_format, unknown_stream, from_rules.
  static cep::Result<std::unique_ptr<EventReader>> open(const EventFile& file, const Schemas& schemas, uint32_t rows_max);

  // Empty at the end. Appends what it had to refuse to `rejected`. Errors: io_error, bad_archive, bad_csv.
  cep::Result<std::optional<Chunk>> next(std::vector<RejectedRecord>& rejected);
  const ByteSource& bytes() const { return *source_; }

 private:
  struct Decoder {
    api::JsonRows json;
    cep::BatchBuilder rows;
  };

  EventReader(EventFile file, const Schemas& schemas, uint32_t rows_max)
      : file_(std::move(file)), schemas_(schemas), rows_max_(rows_max) {}

  cep::Status prepare();
  cep::Status find_form();
  cep::Status read_header();
  // The next record without its line break; empty at the end.
  cep::Result<std::optional<std::string_view>> next_record();
  size_t record_size() const;
  cep::Status skip_long_record();
  cep::Status take_edit(std::string_view record);
  void take_json(std::string_view record, std::vector<RejectedRecord>& rejected);
  void take_csv(std::string_view record, std::vector<RejectedRecord>& rejected);
  void take_row(const std::string& stream, std::string_view json, std::vector<RejectedRecord>& rejected);
  void finish_chunk();
  Decoder* decoder(const std::string& stream);

  EventFile file_;
  const Schemas& schemas_;
  uint32_t rows_max_;
  std::unique_ptr<ByteSource> source_;
  std::string buffer_;
  size_t at_ = 0;                          // first unread byte of buffer_
  bool at_end_ = false;                    // the source has no more
  bool looking_ahead_ = false;             // prepare() goes back to the first byte: nothing may be dropped
  bool skipped_long_ = false;              // next_record had to skip one
  std::unique_ptr<api::CsvRows> csv_;
  std::string csv_json_;
  std::map<std::string, std::unique_ptr<Decoder>, std::less<>> decoders_;
  Decoder* open_ = nullptr;                // whose rows make the next chunk
  uint64_t records_ = 0;
  std::deque<Chunk> ready_;
};

}  // namespace service
