#include "service/cli.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "patterns/diagnostic.h"
#include "service/cmd_bench.h"
#include "service/cmd_client.h"
#include "service/cmd_gen.h"
#include "service/cmd_log.h"
#include "service/cmd_serve.h"
#include "service/commands.h"

namespace service {
namespace {

// The verbs of the command line as far as it was understood: "weir rules put".
std::string understood(const CLI::App& app) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  return verbs.empty() ? app.get_name() : app.get_name() + " " + understood(*verbs.back());
}

// CLI11 only says of a word that is no verb that a verb is missing. Empty: the first word is none, or is a verb.
std::string unknown_verb(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(verb->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) != names.end()) return {};
  return fmt::format("weir: there is no verb `{}` {}\nTry weir --help.\n", argv[1],
                     patterns::did_you_mean(argv[1], names));
}

// Output is buffered: a full disk may show only now. A reader that has gone is no failure.
bool is_written(const Console& console) {
  errno = 0;
  const bool flushed = std::fflush(console.out) == 0 && std::ferror(console.out) == 0;
  if (flushed || errno == EPIPE) return true;
  console.complain(fmt::format("weir: cannot write the output: {}\n", std::strerror(errno == 0 ? EIO : errno)));
  return false;
}

}  // namespace

int run_cli(int argc, const char* const* argv, const Console& console) {
  CLI::App app{"Weir finds patterns in streams of events and says so at once.", "weir"};
  app.set_version_flag("--version", fmt::format("weir {}", kVersion));
  app.require_subcommand(1);
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return fmt::format("weir: {}\nTry {} --help.\n", error.what(), understood(*failed));
  });

  Action action;
  add_serve(app, action);
  add_run(app, action);
  add_test(app, action);
  add_check(app, action);
  add_fmt(app, action);
  add_explain(app, action);
  add_lsp(app, action);
  add_gen(app, action);
  add_log(app, action);
  add_bench(app, action);
  add_client(app, action);

  if (const std::string wrong = unknown_verb(app, argc, argv); !wrong.empty()) {
    console.complain(wrong);
    return kExitBadUse;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app.exit(error, out, err) == 0;  // --help, --version
    console.print(out.str());
    console.complain(err.str());
    return asked ? kExitFine : kExitBadUse;
  }
  const int status = action(console);
  return status == kExitFine && !is_written(console) ? kExitBadInput : status;
}

}  // namespace service
