// The shapes that every answer of the backend is made of: JSON bodies, pages, refusals by error code, ETags.
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/backend.h"
#include "api/json_writer.h"
#include "cep/result.h"
#include "cep/types.h"

namespace service {

api::Answer json_answer(std::string body, int status = 200);
api::Answer no_content();
// A refusal with the status that fits the error's code: 404, 409, 422, 503, else 500.
api::Answer error_answer(const cep::Error& error);
// 503 with Retry-After.
api::Answer busy_answer(std::string detail);
// 422 with `diagnostics[]`; `diagnostics` is a finished JSON array.
api::Answer diagnostics_answer(std::string detail, const std::string& diagnostics);

std::string etag_of(uint32_t version);     // "\"3\""
// RFC 9110: `*`, or a list of quoted tags; a weak tag fits as well, our tags being exact.
bool etag_fits(std::string_view header, std::string_view etag);

void append_time(cep::TimeUs time, api::JsonWriter& json);     // null for kTimeMin and kTimeMax

// A number of a cursor; nothing if it is none of ours.
std::optional<uint64_t> parse_cursor_number(std::string_view cursor);
api::Answer bad_cursor();

// {"items": [...], "next": cursor or null}
class PageWriter {
 public:
  PageWriter() : json_(body_) { json_.begin_object().key("items").begin_array(); }
  api::JsonWriter& json() { return json_; }
  api::Answer finish(const std::optional<std::string>& next);

 private:
  std::string body_;
  api::JsonWriter json_;
};

// A page of a map by name: the cursor is the last name of the page before. `write(name, value, json)` appends one item.
template <class Value, class Write>
api::Answer page_by_name(const std::map<std::string, Value>& all, const api::PageQuery& query, const Write& write) {
  PageWriter page;
  std::optional<std::string> next;
  uint32_t items = 0;
  for (auto at = query.cursor.empty() ? all.begin() : all.upper_bound(query.cursor); at != all.end(); ++at) {
    if (items++ == query.limit) {
      next = std::prev(at)->first;
      break;
    }
    write(at->first, at->second, page.json());
  }
  return page.finish(next);
}

}  // namespace service
