// See cmd_serve.h. Signals are blocked before the first thread starts and taken by the main thread alone: SIGTERM and
// SIGINT drain, a second one ends the process where it stands (safe by design), SIGHUP applies the rules again.
// Threads: the main thread.
#include "service/cmd_serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <future>
#include <memory>

#include "service/app.h"

namespace service {
namespace {

constexpr int kExitSecondSignal = 130;  // and for one that comes before anything is served

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

void exit_at_once(int) { _exit(kExitSecondSignal); }

// Recovery may take long and nothing is served yet: a signal ends the process, which loses nothing. The app starts on a
// thread of its own for that.
cep::Result<std::unique_ptr<App>> start_app(const ServeOptions& options, const ServiceLog& log, const sigset_t& set) {
  constexpr timespec kLook{0, 10'000'000};
  auto starting = std::async(std::launch::async, [&] { return App::start(options, log); });
  while (starting.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    const int signal = sigtimedwait(&set, nullptr, &kLook);
    if (signal == SIGTERM || signal == SIGINT) _exit(kExitSecondSignal);
  }
  return starting.get();
}

// From now on a signal acts although the main thread is busy draining.
void let_next_signal_kill() {
  struct sigaction action{};
  action.sa_handler = exit_at_once;
  for (const int signal : {SIGTERM, SIGINT}) sigaction(signal, &action, nullptr);
  sigset_t set = our_signals();
  sigdelset(&set, SIGHUP);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// What a person can do about a data directory that was refused.
std::string advice(const std::string& code) {
  if (code == "locked") return "another weir serves from this directory: stop it, or choose another --data";
  if (code == "foreign_data") return "choose an empty directory, or one that weir made, with --data";
  if (code == "newer_data") return "a newer version of weir wrote it: run that version";
  if (code == "damaged" || code == "log_disagrees")
    return "keep a copy of the directory for study and restore the last good copy";
  if (code == "admin_missing") return "restore admin/ from the last good copy";
  if (code == "state_missing") return "restore state/ from the last good copy";
  if (code == "remote_missing") return "mount it; see docs/checkpoints.md, `Taking over`";
  if (code == "remote_taken") return "see docs/checkpoints.md, `Taking over`";
  if (code == "disk_full") return "make room on that disk and start again; nothing was lost";
  if (code == "cannot_listen") return "another process listens there: stop it, or choose another --listen";
  return {};
}

int refuse(const Console& console, const cep::Error& error) {
  if (error.code == "bad_rules") {
    console.complain(error.message + "\nweir serve: the rules were not applied, so nothing is served\n");
    return kExitBadInput;
  }
  console.complain(fmt::format("weir serve: {}\n", error.message));
  if (const std::string what = advice(error.code); !what.empty())
    console.complain(fmt::format("What to do: {}.\n", what));
  return kExitBadUse;
}

std::string host_of(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

int serve(const ServeFlags& flags, const Console& console) {
  const cep::Result<ServeOptions> options = load_serve_options(flags, process_environment());
  if (!options) return refuse(console, options.error());
  sigset_t set = our_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const ServiceLog log(options->log_level, options->log_json);
  cep::Result<std::unique_ptr<App>> app = start_app(*options, log, set);
  if (!app) return refuse(console, app.error());
  console.print(fmt::format("listening on http://{}:{}\n", host_of(options->http.address), (*app)->port()));
  std::fflush(console.out);
  if (!parse_listen(options->listen)->is_loopback)
    log.warning("no authentication and no TLS: whoever reaches this address can do everything");

  for (int signal = 0; signal != SIGTERM && signal != SIGINT;) {
    if (sigwait(&set, &signal) != 0) continue;
    if (signal == SIGHUP) (*app)->reload();
  }
  log.info("stopping: a second signal ends the process at once");
  let_next_signal_kill();
  (*app)->stop();
  log.info("stopped");
  return kExitFine;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* const verb = app.add_subcommand("serve", "Take events over HTTP, match rules, send alerts");
  verb->add_option("--config", flags->config, "Configuration file (TOML)");
  verb->add_option("--data", flags->data, "The one directory that holds everything (./weir-data)");
  verb->add_option("--rules", flags->rules, "Directories or files with rules, applied at start and on SIGHUP");
  verb->add_option("--listen", flags->listen, "ADDRESS:PORT (127.0.0.1:8484); port 0 is any free one");
  verb->add_option("--shards", flags->shards, "Threads that match (cores - 1)")->check(CLI::Range(1u, kShardsMax));
  verb->add_option("--log-dir", flags->log_dir, "Put the event log on another disk than --data");
  verb->add_option("--log-level", flags->log_level,
                   "Of the log on the standard error: debug, info, warning, error (info)");
  verb->add_option("--log-format", flags->log_format, "text or json (text)");
  verb->add_flag("--insecure", flags->insecure, "Allow a --listen address that other machines can reach");
  verb->footer(
      "Example:\n  weir serve --rules rules --data ./weir-data\n  weir serve --config weir.toml --listen 127.0.0.1:0");
  verb->callback([flags, &action] { action = [flags](const Console& console) { return serve(*flags, console); }; });
}

}  // namespace service
