// The verbs that need no server: each function adds one verb to the command line (see cli.h).
#pragma once

#include "service/cli.h"

namespace service {

void add_check(CLI::App& app, Action& action);
void add_fmt(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_test(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_lsp(CLI::App& app, Action& action);

}  // namespace service
