// `weir serve`: the service in the foreground, until a signal ends it (see app.h).
#pragma once

#include "service/cli.h"

namespace service {

void add_serve(CLI::App& app, Action& action);

}  // namespace service
