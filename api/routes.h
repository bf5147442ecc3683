// The one table of what can be asked over HTTP: method, path, handler, limits, scope, and what OpenAPI says about it.
// A row without a handler is planned and answers 501. Threads: immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"

namespace api {

// What an API key must carry for the route, once there are keys; printed in OpenAPI already.
enum class Scope : uint8_t { kOpen, kIngest, kDecide, kRead, kRules, kAdmin };
std::string_view scope_name(Scope scope);

enum class BodyKind : uint8_t { kNone, kEvents, kRuleText, kJson, kCsv };

struct Route {
  std::string_view method;
  std::string_view path;  // "/v1/rules/{name}"; a last "{value*}" takes all segments that are left, at least one
  Handler handler;        // null: planned
  size_t body_bytes_max;  // 0: no body is read
  Scope scope;
  std::string_view summary;
  std::string_view query;  // names of parameters, blanks between; "key*" may be repeated, "rule!" is needed
  BodyKind body;
  std::string_view body_schema;  // kJson: of the components
  std::string_view answers;      // "200:RulePage 404": status, and the schema of a JSON body or a media type
};

const std::vector<Route>& routes();

struct RouteMatch {
  const Route* route = nullptr;  // null: see `allow`
  std::vector<std::string> captures;
  std::string allow;       // methods of the path, comma separated; empty: the path is unknown
  bool malformed = false;  // a segment is badly encoded
};
RouteMatch match_route(std::string_view method, std::string_view path);

// 404, or 405 with Allow.
Answer no_route(const RouteMatch& match, std::string_view path);
// Checks the names of the parameters and calls the handler; 501 for what is planned.
void dispatch(const Route& route, HttpRequest& request, Backend& backend, Responder respond);

}  // namespace api
