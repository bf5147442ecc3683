// Alerts, their stream, match state and refused events: requests to port calls. Threads: called on an io thread; never
// waits.
#pragma once

#include "api/http.h"

namespace api {

void get_alerts(HttpRequest& request, Backend& backend, Responder respond);
void get_alert(HttpRequest& request, Backend& backend, Responder respond);
void get_alert_stream(HttpRequest& request, Backend& backend, Responder respond);
void get_matches(HttpRequest& request, Backend& backend, Responder respond);
void get_rejected(HttpRequest& request, Backend& backend, Responder respond);

}  // namespace api
