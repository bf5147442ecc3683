// `weir check`: what is wrong, or dubious, in rule files.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>

#include "service/commands.h"
#include "service/options.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::string config;
  std::string fail_on = "error";
  std::string output = "table";
};

// A configuration as `weir serve` would read it, secrets included; leaves the names of its sinks.
int check_config(const std::string& path, std::vector<std::string>& sinks, const Console& console) {
  ServeFlags flags;
  flags.config = path;
  const cep::Result<ServeOptions> options = load_serve_options(flags, process_environment());
  if (!options) {
    console.complain("weir check: " + options.error().message + "\n");
    return kExitBadUse;
  }
  for (const SinkSpec& sink : options->sinks) sinks.push_back(sink.name);
  console.print(fmt::format("{}: nothing to complain about, {} sink(s)\n", path, sinks.size()));
  return kExitFine;
}

int cmd_check(const CheckOptions& options, const Console& console) {
  if (options.paths.empty() && options.config.empty()) {
    console.complain("weir check: name rule files, or a configuration with --config\n");
    return kExitBadUse;
  }
  Compilation compilation;
  if (!options.config.empty()) {
    std::vector<std::string> sinks;
    const int status = check_config(options.config, sinks, console);
    if (status != kExitFine || options.paths.empty()) return status;
    compilation.book.know_sinks(std::move(sinks));
  }
  const auto texts = read_rule_files(options.paths);
  if (!texts) {
    console.complain(texts.error().message + "\n");
    return kExitBadInput;
  }
  if (texts->empty()) {
    console.complain("no .weir file there\n");
    return kExitBadInput;
  }
  compile_texts(*texts, compilation);
  const patterns::Diagnostics& diagnostics = compilation.diagnostics;
  if (options.output == "json") {
    console.print(patterns::to_json(compilation.sources, diagnostics) + "\n");
  } else if (options.output == "ndjson") {
    for (const patterns::Diagnostic& one : diagnostics.sorted()) {
      console.print(patterns::to_json(compilation.sources, one) + "\n");
    }
  } else if (!diagnostics.empty()) {
    console.print(patterns::to_text(compilation.sources, diagnostics));
  } else {
    console.print(fmt::format("{} file(s), {} rule(s), nothing to complain about\n", texts->size(),
                              compilation.book.rules().size()));
  }
  if (!compilation.ok) return kExitBadInput;
  return options.fail_on == "warning" && diagnostics.warnings() > 0 ? kExitFindings : kExitFine;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* const verb = app.add_subcommand("check", "Check rule files");
  verb->add_option("paths", options->paths, "Rule files, or directories with .weir files; - is the standard input");
  verb->add_option("--config", options->config,
                   "A configuration file of weir serve, checked with its secrets; rules may send to its sinks only");
  verb->add_option("--fail-on", options->fail_on, "Exit with 1 when there are warnings")
      ->check(CLI::IsMember({"error", "warning"}));
  verb->add_option("--output", options->output, "Form of the diagnostics")
      ->check(CLI::IsMember({"table", "json", "ndjson"}));
  verb->footer(
      "Example:\n  weir check rules\n  weir check --config weir.toml rules\n  weir check --fail-on warning --output json "
      "rules/cards/card_testing.weir");
  verb->callback(
      [options, &action] { action = [options](const Console& console) { return cmd_check(*options, console); }; });
}

}  // namespace service
