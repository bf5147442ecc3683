// `weir log`: the event log of a stopped data directory, for people and for replays.
#pragma once

#include "service/cli.h"

namespace service {

void add_log(CLI::App& app, Action& action);

}  // namespace service
