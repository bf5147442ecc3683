// /openapi.json: OpenAPI 3.1 printed from the table of routes, so that it says what the server does. Threads:
// immutable.
#pragma once

#include <string>

namespace api {

// Built at first use.
const std::string& openapi_json();

}  // namespace api
