#include "service/script_events.h"

#include "api/json_scan.h"
#include "cep/value.h"
#include "service/event_reader.h"

namespace service {
namespace {

// The event with its time filled in from the offset, unless it says its own.
std::string with_time(const std::string& json, const cep::StreamSchema& schema, cep::TimeUs time_us) {
  const cep::Column& column = schema.columns[schema.time_column];
  const std::string name = column.path.empty() ? column.name : column.path.substr(1);
  api::JsonScan scan(json);
  if (name.find('/') != std::string::npos || !scan.enter('{')) return json;
  std::string_view key;
  std::string_view value;
  bool is_empty = true;
  while (scan.next_member(&key, &value)) {
    is_empty = false;
    if (key == name) return json;
  }
  if (scan.failed()) return json;
  const size_t open = json.find('{');
  return "{\"" + name + "\":\"" + cep::format_time(time_us) + "\"" + (is_empty ? "" : ",") + json.substr(open + 1);
}

}  // namespace

cep::BatchPtr ScriptEvents::decode(const ScriptStep& step, uint64_t position, const Streams& streams, api::RowError& error) {
  if (const auto refused = refused_stream(step.name, streams)) {
    error = *refused;
    return nullptr;
  }
  const cep::SchemaPtr& schema = streams.at(step.name);
  auto& decoder = decoders_[step.name];
  if (decoder == nullptr) decoder = std::make_unique<api::JsonRows>(schema);
  cep::BatchBuilder rows(schema, 0, 0);
  const std::string json = with_time(step.text, *schema, clock_us_ + step.offset_us);
  return decoder->append(json, position, rows, &error) ? rows.finish() : nullptr;
}

}  // namespace service
