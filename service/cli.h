// The command line: one application, a verb a file, exit statuses that scripts can rely on.
// A verb is added by `add_<verb>(app, action)`: parsing the command line sets `action`, which run_cli then calls.
// Threads: the main thread.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace service {

inline constexpr std::string_view kVersion = "0.1.0";

enum ExitStatus : int {
  kExitFine = 0,
  kExitFindings = 1,       // a test failed; warnings with --fail-on warning; a file that fmt --check would change
  kExitBadInput = 2,       // a bad rule or bad events
  kExitBadUse = 3,         // bad flags or configuration
  kExitUnreachable = 4,    // the server does not answer
};

// Where a verb writes. Results go to `out`, everything about the work itself to `err`.
struct Console {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool err_is_terminal = false;

  void print(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), out); }
  void complain(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), err); }
};

// What the chosen verb does; returns the exit status.
using Action = std::function<int(const Console&)>;

// Parses and runs; returns the exit status of the process.
int run_cli(int argc, const char* const* argv, const Console& console);

}  // namespace service
