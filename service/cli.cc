#include "service/cli.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "service/cmd_bench.h"
#include "service/cmd_client.h"
#include "service/cmd_gen.h"
#include "service/cmd_log.h"
#include "service/cmd_serve.h"
#include "service/commands.h"

namespace service {

int run_cli(int argc, const char* const* argv, const Console& console) {
  CLI::App app{"Weir finds patterns in streams of events and says so at once.", "weir"};
  app.set_version_flag("--version", fmt::format("weir {}", kVersion));
  app.require_subcommand(1);
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return fmt::format("weir: {}\nTry {} --help.\n", error.what(), failed->get_name());
  });

  Action action;
  add_serve(app, action);
  add_run(app, action);
  add_test(app, action);
  add_check(app, action);
  add_fmt(app, action);
  add_explain(app, action);
  add_gen(app, action);
  add_log(app, action);
  add_bench(app, action);
  add_client(app, action);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app.exit(error, out, err) == 0;    // --help, --version
    console.print(out.str());
    console.complain(err.str());
    return asked ? kExitFine : kExitBadUse;
  }
  return action(console);
}

}  // namespace service
