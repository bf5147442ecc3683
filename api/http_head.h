// The head of an answer as bytes. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/backend.h"

namespace api {

std::string_view reason_phrase(int status);
// Status line and header fields with the empty line; `keep` false says that the connection will be closed.
std::string format_head(const Answer& answer, bool keep);
// The head of a stream of events, which ends when the connection does.
std::string format_stream_head();

}  // namespace api
