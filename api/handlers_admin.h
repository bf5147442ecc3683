// Sinks, streams, limits, checkpoints, health and metrics: requests to port calls.
// Threads: called on an io thread; never waits.
#pragma once

#include "api/http.h"

namespace api {

void get_sinks(HttpRequest& request, Backend& backend, Responder respond);
void get_sink(HttpRequest& request, Backend& backend, Responder respond);
void put_sink(HttpRequest& request, Backend& backend, Responder respond);
void delete_sink(HttpRequest& request, Backend& backend, Responder respond);
void post_sink_test(HttpRequest& request, Backend& backend, Responder respond);
void get_sink_attempts(HttpRequest& request, Backend& backend, Responder respond);
void get_sink_parked(HttpRequest& request, Backend& backend, Responder respond);
void post_sink_replay(HttpRequest& request, Backend& backend, Responder respond);

void get_streams(HttpRequest& request, Backend& backend, Responder respond);
void get_stream(HttpRequest& request, Backend& backend, Responder respond);
void get_limits(HttpRequest& request, Backend& backend, Responder respond);
void get_checkpoints(HttpRequest& request, Backend& backend, Responder respond);
void post_checkpoint(HttpRequest& request, Backend& backend, Responder respond);

void get_livez(HttpRequest& request, Backend& backend, Responder respond);
void get_readyz(HttpRequest& request, Backend& backend, Responder respond);
void get_healthz(HttpRequest& request, Backend& backend, Responder respond);
void get_metrics(HttpRequest& request, Backend& backend, Responder respond);

}  // namespace api
