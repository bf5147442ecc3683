// What a stream's events look like: its columns, its event time, and how its time and identity behave.
// Immutable once published; shared as shared_ptr<const StreamSchema>. A newer version of a stream may only append
// nullable columns, so a column keeps its index for ever and an older row is read with "missing = null".
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/types.h"

namespace cep {

struct Column {
  std::string name;
  Type type;
  bool not_null = false;
  std::string path;             // JSON pointer into the event ("/card/number"); empty: the top-level field `name`
  bool operator==(const Column&) const = default;
};

// A nullable text that no event sets by its own fields; null where there was no JSON (CSV) or no `keep raw` yet.
inline constexpr std::string_view kRawColumn = "$raw";

struct StreamSchema {
  std::string name;
  StreamId id{};                // number in the catalogue: one for each stream, the same for all its versions
  uint32_t version = 1;         // grows by one with each accepted change of the declaration
  std::vector<Column> columns;
  uint16_t time_column = 0;     // a `timestamp not null` column: the event time
  DurationUs delay_us = 0;      // how much later than the greatest time seen an event may still come
  bool explicit_watermark = false;              // time moves only by {"$watermark": T} lines
  DurationUs idle_us = 30 * kSecond;            // silence after which a source no longer holds time back; 0: never holds
  std::optional<DurationUs> ahead_us;           // reject events further ahead of the clock; unset: 10 min in serve, off in run
  std::optional<DurationUs> retain_us;          // log retention wanted by this stream
  std::string zone = "UTC";                     // zone of times written without one
  std::vector<uint16_t> unique_columns;         // identity of an event (R68); empty: its position
  DurationUs unique_within_us = kHour;          // of arrival
  bool from_rules = false;                      // filled by `into`
  std::optional<uint16_t> raw_column;           // `keep raw`: the column, kRawColumn, that holds the whole event as JSON

  // Index of the column of that name, or -1.
  int column_index(std::string_view column) const {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == column) return static_cast<int>(i);
    }
    return -1;
  }
};

using SchemaPtr = std::shared_ptr<const StreamSchema>;

}  // namespace cep
