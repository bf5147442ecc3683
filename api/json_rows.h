// JSON events to rows of a batch (R54, R55): one event object in, one row out, or the reason why not.
// Invariant: a row is appended whole or not at all; what it holds depends on the bytes and the schema only, so a replay
// of the log decodes as live did. Numbers are read from their digits, never through a double. Declared fields may come
// once; others are ignored, but must be JSON. Fields are looked for in the order of the previous event first. Threads:
// one decoder has one user at a time. Cost: about 350 ns for 245 bytes of flat JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cep/batch.h"
#include "cep/schema.h"

namespace api {

inline constexpr int kJsonDepthMax = 32;                 // nested objects and arrays, the event itself being the first
inline constexpr uint32_t kJsonFieldsMax = 256;          // in one object
inline constexpr size_t kJsonStringBytesMax = 64 << 10;  // of one string, unescaped
inline constexpr size_t kJsonRowBytesMax = 1 << 20;      // of one event

// Why an event was refused; printed by event_code_name, stored by name, so the order may change.
enum class EventCode : uint8_t {
  kWrongType,
  kNotNull,
  kOutOfRange,
  kBadTime,
  kTooFarAhead,
  kLate,
  kDuplicateKey,
  kBadUtf8,
  kTooDeep,
  kTooLarge,
  kBadJson,
  kUnknownStream,
  kFromRules,
};
std::string_view event_code_name(EventCode code);  // "wrong_type"

struct RowError {
  EventCode code = EventCode::kBadJson;
  std::string field;    // column name, empty if the row as a whole is meant
  std::string message;  // for a person
};

bool is_utf8(std::string_view text);

class JsonRows {
 public:
  explicit JsonRows(cep::SchemaPtr schema);
  ~JsonRows();
  JsonRows(JsonRows&&) noexcept;
  JsonRows& operator=(JsonRows&&) noexcept;

  // Appends the event in `json` to `rows`, a builder of the same schema. False: `*error` says why and `rows` is
  // unchanged. Reads nothing beyond `json`: no padding needed.
  bool append(std::string_view json, uint64_t position, cep::BatchBuilder& rows, RowError* error);

  // An event time beyond this is too_far_ahead (R55). Set it from the clock of arrival; leave it at kTimeMax in replay,
  // run, test.
  void set_time_max(cep::TimeUs time_max_us);

  // Times so far that were whole numbers below 10^11: probably seconds where milliseconds are expected (R55).
  uint64_t looks_like_seconds() const;
  const cep::SchemaPtr& schema() const;

 private:
  class Decoder;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace api
