// The event files of a run as one source (R63, R66): merged by the event time of each file's next record, ties by the order of the
// arguments; disorder inside a file stays. A watermark line stands at its own time, a line of edits where
// the records before it in its file end.
// Positions: a record's number in the merged order, counted from 0, rejected records included; with one file that is its
// number in the file (R71).
// Threads: one owner. Memory: one chunk a file and one batch.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cep/batch.h"
#include "cep/result.h"
#include "service/event_reader.h"

namespace service {

class SourceFiles {
 public:
  // One step of the source: up to `rows_max` rows of one stream in order, or a watermark, or edits of a list or table.
  struct Step {
    cep::BatchPtr batch;                   // nullptr: a watermark or edits
    cep::TimeUs watermark = 0;
    std::optional<std::string> stream;     // of the watermark
    std::optional<DatasetChange> edit;
  };

  // `schemas` must outlive it. `rows_max`: 1 to cep::kBatchRowsMax. Errors: those of EventReader::open.
  static cep::Result<std::unique_ptr<SourceFiles>> open(const std::vector<EventFile>& files, const Schemas& schemas,
                                                        uint32_t rows_max);

  // Empty at the end. Errors end the source: io_error, bad_archive.
  cep::Result<std::optional<Step>> next();

  // Refused since the last call.
  std::vector<RejectedRecord> take_rejected() { return std::exchange(rejected_, {}); }
  uint64_t bytes_read() const;
  uint64_t bytes_total() const { return bytes_total_; }    // 0: not known

 private:
  struct Input {
    std::unique_ptr<EventReader> reader;
    std::optional<EventReader::Chunk> chunk;
    uint32_t row = 0;                      // next row of the chunk
    uint64_t records = 0;                  // of this file that have their place in the merged order
    cep::TimeUs head_time() const {
      if (chunk->edit) return cep::kTimeMin;
      return chunk->batch == nullptr ? chunk->watermark : chunk->batch->time[row];
    }
  };

  cep::Status fill(Input& input);
  Input* earliest();
  cep::Result<std::optional<Step>> next_of_one();
  cep::Result<std::optional<Step>> next_merged();
  uint64_t place(Input& input, uint64_t record);

  std::vector<Input> inputs_;
  uint32_t rows_max_ = 0;
  std::map<std::string, std::unique_ptr<cep::BatchBuilder>> builders_;   // by stream, for merging
  uint64_t bytes_total_ = 0;
  uint64_t finished_bytes_ = 0;            // of files that are at their end
  uint64_t records_ = 0;                   // with a place in the merged order
  std::vector<RejectedRecord> rejected_;
};

}  // namespace service
