// `weir bench`: what this build does on this machine (see bench_engine.h and bench_server.h).
#pragma once

#include "service/cli.h"

namespace service {

void add_bench(CLI::App& app, Action& action);

}  // namespace service
