// What io threads and readers of sources hand to the log thread, and how far a source has been read.
// Threads: plain values.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "api/backend.h"
#include "service/control_record.h"
#include "service/intake_watch.h"
#include "service/log_rows.h"

namespace service {

class Decision;

// A request decoded by an io thread, or records of a source decoded by its reader.
struct Submission {
  struct Part {
    cep::SchemaPtr schema;                     // null: a watermark line
    RowGroup group;
    WatermarkMark watermark;
  };
  std::shared_ptr<api::SubmitRequest> request;
  std::vector<Part> parts;
  std::vector<api::RejectedRow> rejected;
  std::shared_ptr<WaitingRequest> waiting;
  std::shared_ptr<Decision> decision;          // of its one event; null: nobody asks for one
  size_t bytes = 0;
  cep::SourceId source = cep::kInputSource;
  uint64_t source_next = 0;                    // of a source that numbers its own: where it goes on after this,
  std::vector<state::RowPlace> places;         // and where each of the request's items stood in it
};

inline void sort_rejected(Submission& submission) {
  std::sort(submission.rejected.begin(), submission.rejected.end(),
            [](const api::RejectedRow& a, const api::RejectedRow& b) { return a.index < b.index; });
}

// A source that time waits for, though nobody could be asked yet where it begins.
inline constexpr uint64_t kNotPlaced = UINT64_MAX;

// How far a source has been read: a function of the log.
struct SourcePlace {
  uint64_t next = 0;                           // ordinal: where to go on; or kNotPlaced
  bool has_last = false;                       // of the last row in the log:
  state::RowPlace last;                        //   where it stood
  cep::TimeUs newest_us = cep::kTimeMin;       // greatest event time of its rows
  bool is_placed() const { return next != kNotPlaced; }
};

struct SourceNumbers {
  cep::SourceId number = 0;
  std::string name, stream;
  SourcePlace place;
  bool is_at_end = false;                      // its reader says that there is no more at present
  bool is_idle = false;                        // at its end, and no time waits for it
};

}  // namespace service
