// The verbs that talk to a running server: rules, alerts, matches, lists, sinks, streams, checkpoints, limits, events.
// Each is one request, or a stream of alerts, or a file of events; what the server said decides the exit status.
#pragma once

#include "service/cli.h"

namespace service {

void add_client(CLI::App& app, Action& action);

}  // namespace service
