// `weir check`: what is wrong, or dubious, in rule files.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

#include "service/commands.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct CheckOptions {
  std::vector<std::string> paths;
  std::string fail_on = "error";
  std::string output = "table";
};

int cmd_check(const CheckOptions& options, const Console& console) {
  const auto texts = read_rule_files(options.paths);
  if (!texts) {
    console.complain(texts.error().message + "\n");
    return kExitBadInput;
  }
  Compilation compilation;
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
    console.print(fmt::format("{} file(s), {} rule(s), nothing to complain about\n", texts->size(), compilation.book.rules().size()));
  }
  if (!compilation.ok) return kExitBadInput;
  return options.fail_on == "warning" && diagnostics.warnings() > 0 ? kExitFindings : kExitFine;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* const verb = app.add_subcommand("check", "Check rule files");
  verb->add_option("paths", options->paths, "Rule files, or directories with .weir files; - is the standard input")->required();
  verb->add_option("--fail-on", options->fail_on, "Exit with 1 when there are warnings")
      ->check(CLI::IsMember({"error", "warning"}));
  verb->add_option("--output", options->output, "Form of the diagnostics")->check(CLI::IsMember({"table", "json", "ndjson"}));
  verb->footer("Example:\n  weir check rules\n  weir check --fail-on warning --output json rules/cards/card_testing.weir");
  verb->callback([options, &action] {
    action = [options](const Console& console) { return cmd_check(*options, console); };
  });
}

}  // namespace service
