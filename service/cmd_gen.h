// `weir gen`: generated traffic with planted fraud, as envelope lines on the standard output (see generator.h).
#pragma once

#include "service/cli.h"

namespace service {

void add_gen(CLI::App& app, Action& action);

}  // namespace service
