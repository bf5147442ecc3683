// POST /v1/events and POST /v1/streams/{stream}/events: bodies to submitted events, the port's answer to 202 and its
// kin. Threads: called on an io thread; never waits.
#pragma once

#include "api/http.h"

namespace api {

void post_events(HttpRequest& request, Backend& backend, Responder respond);
void post_stream_events(HttpRequest& request, Backend& backend, Responder respond);

// {accepted, duplicates, rejected: [{index, code, field, message}]}, or the problem.
Answer submit_answer(const SubmitAnswer& answer);

}  // namespace api
