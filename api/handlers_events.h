// POST /v1/events, POST /v1/streams/{stream}/events and .../decisions: bodies to submitted events, the port's answer to 202
// and its kin; and the verdicts that were given. Threads: called on an io thread; never waits.
#pragma once

#include "api/http.h"

namespace api {

void post_events(HttpRequest& request, Backend& backend, Responder respond);
void post_stream_events(HttpRequest& request, Backend& backend, Responder respond);
void post_decision(HttpRequest& request, Backend& backend, Responder respond);
void get_decisions(HttpRequest& request, Backend& backend, Responder respond);
void get_decision(HttpRequest& request, Backend& backend, Responder respond);

// {accepted, duplicates, rejected: [{index, code, field, message}]}, or the problem.
Answer submit_answer(const SubmitAnswer& answer);

}  // namespace api
