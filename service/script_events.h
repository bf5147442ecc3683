// The events of a script's case as rows: JSON decoded as a request's is, with the event time filled in from the offset unless it says
// its own.
// Threads: one owner.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "api/json_rows.h"
#include "cep/batch.h"
#include "service/script.h"

namespace service {

class ScriptEvents {
 public:
  using Streams = std::map<std::string, cep::SchemaPtr>;

  explicit ScriptEvents(cep::TimeUs clock_us) : clock_us_(clock_us) {}

  // A batch of one row. Null: `error` says why the event is refused.
  cep::BatchPtr decode(const ScriptStep& step, uint64_t position, const Streams& streams, api::RowError& error);
  // After a change of the streams.
  void forget_schemas() { decoders_.clear(); }

 private:
  cep::TimeUs clock_us_;
  std::map<std::string, std::unique_ptr<api::JsonRows>> decoders_;
};

}  // namespace service
