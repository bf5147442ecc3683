// CloudEvents and request bodies of every form: no bytes crash them; each item that a body gives is a row inside the body or made from
// it; the row of a CloudEvent with a JSON object as data is one too.
#include "api/cloudevents.h"
#include "api/event_body.h"
#include "api/json_scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/schemas.h"

namespace {

constexpr const char* kTypes[] = {"application/cloudevents+json", "application/cloudevents-batch+json", "application/x-ndjson",
                                  "application/json",             "text/csv",                           ""};

bool is_object(std::string_view json) {
  api::JsonScan scan(json);
  std::string_view key, value;
  if (!scan.enter('{')) return false;
  while (scan.next_member(&key, &value)) {
  }
  return !scan.failed();
}

}  // namespace

// The first byte chooses the form of the body and whether the path names a stream.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  static const cep::SchemaPtr kSchema = fuzz::every_type();
  fuzz::Bytes input(data, size);
  const uint8_t form = input.byte();
  const std::string_view body = input.rest();

  api::CloudEvent event;
  api::RowError error;
  if (api::read_cloud_event(body, &event, &error)) {
    std::string row;
    if (api::append_cloud_row(kSchema.get(), event, row, &error)) {
      // What is inside the data is for the decoder of rows to refuse.
      fuzz::check(is_object(row) || !is_object(event.data), "the row of a CloudEvent is no object", row);
    } else {
      fuzz::check(row.empty(), "a refused CloudEvent left bytes", row);
    }
  }

  api::EventBodyHead head;
  head.content_type = kTypes[form % std::size(kTypes)];
  head.stream = (form & 64) != 0 ? "s" : "";
  head.is_cloud_event = (form & 128) != 0;
  if (head.is_cloud_event) head.ce_type = "s";
  api::SubmitRequest request;
  request.body = std::string(body);
  const auto schemas = [](std::string_view stream) { return stream == "s" ? kSchema : nullptr; };
  if (!api::split_body(head, schemas, request)) return 0;
  const size_t most = fuzz::kPlanted ? 5 : api::kRequestRecordsMax;
  fuzz::check(request.items.size() + request.rejected.size() <= most, "more rows than allowed");
  return 0;
}
