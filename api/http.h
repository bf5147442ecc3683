// An HTTP request as handlers see it, and how they answer. Free of sockets and of Beast. Threads: plain values.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/backend.h"
#include "cep/result.h"

namespace api {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string path;     // of the target, still percent-encoded
  NamedValues query;    // decoded, in order
  NamedValues headers;  // names in lower case, in order
  std::string body;
  std::vector<std::string> captures;  // the {...} of the route, decoded, in order

  std::string_view header(std::string_view lower_name) const;    // the first of that name, empty if absent
  const std::string* param(std::string_view name) const;         // the first of that name, null if absent
  std::vector<std::string> params(std::string_view name) const;  // all of that name
};

// A handler calls one of the two, once.
struct Responder {
  Reply answer;
  // From now on the connection is a stream of server-sent events. `gap`: begin it with that event.
  std::function<void(FeedQuery query, bool gap)> stream;
};
using Handler = void (*)(HttpRequest& request, Backend& backend, Responder respond);

// %XX resolved, and '+' as a blank where a query wants it. False: a stray '%', a zero byte, or no UTF-8.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out);
// Cuts a target into path and decoded query. False: malformed.
bool parse_target(std::string_view target, HttpRequest& request);
std::string lower_case(std::string_view text);

// Parameters, with an error a person can use; absent gives the default or nothing.
cep::Result<PageQuery> page_param(const HttpRequest& request);  // limit, cursor
cep::Result<uint32_t> limit_param(const HttpRequest& request);  // 1..1000, default 100
cep::Result<std::optional<cep::TimeUs>> time_param(const HttpRequest& request, std::string_view name);
cep::Result<int> wait_ms_param(const HttpRequest& request);                       // "30s", "500ms"; at most 60 s
cep::Result<bool> flag_param(const HttpRequest& request, std::string_view name);  // "true", "false"
std::optional<std::string> text_param(const HttpRequest& request, std::string_view name);

}  // namespace api
