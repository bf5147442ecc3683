// `weir explain`: the machine a rule is compiled to.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <memory>
#include <set>

#include "cep/merged_runs.h"
#include "patterns/explain.h"
#include "service/commands.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct ExplainOptions {
  std::vector<std::string> paths;
  std::vector<std::string> rules;
  std::string output = "text";
};

std::string as_text(const cep::Program& program) {
  const bool bounded = program.horizon_us != cep::kTimeMax;
  const std::string_view runs = program.is_when ? "" : cep::can_merge_runs(program) ? "runs merged\n" : "runs apart\n";
  return fmt::format("{}{}horizon {}\nfingerprint {:016x} matching {:016x}\n", program.dump, runs,
                     bounded ? patterns::duration_text(program.horizon_us) : "the whole retained log",
                     program.fingerprint, program.matching_fingerprint);
}

int cmd_explain(const ExplainOptions& options, const Console& console) {
  const auto texts = read_rule_files(options.paths);
  if (!texts) {
    console.complain(texts.error().message + "\n");
    return kExitBadInput;
  }
  Compilation compilation;
  compile_texts(*texts, compilation);
  if (!compilation.diagnostics.empty())
    console.complain(patterns::to_text(compilation.sources, compilation.diagnostics));
  if (!compilation.ok) return kExitBadInput;
  if (compilation.book.rules().empty()) {
    console.complain("no rule there\n");
    return kExitBadInput;
  }
  std::set<std::string> wanted(options.rules.begin(), options.rules.end());
  bool first = true;
  for (const auto& [name, entry] : compilation.book.rules()) {
    if (!options.rules.empty() && wanted.erase(name) == 0) continue;
    if (!std::exchange(first, false)) console.print("\n");
    console.print(options.output == "dot" ? patterns::compile_dot(*entry.program) : as_text(*entry.program));
  }
  for (const std::string& name : wanted) console.complain("no rule " + name + " there\n");
  return wanted.empty() ? kExitFine : kExitBadInput;
}

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* const verb = app.add_subcommand("explain", "Show the automaton of a rule");
  verb->add_option("paths", options->paths, "Rule files, or directories with .weir files; - is the standard input")
      ->required();
  verb->add_option("--rule", options->rules, "Only this rule; may be given more than once")->allow_extra_args(false);
  verb->add_option("--output", options->output, "text, or dot for Graphviz")->check(CLI::IsMember({"text", "dot"}));
  verb->footer(
      "Example:\n  weir explain rules/cards/card_testing.weir\n"
      "  weir explain --output dot rules/cards/card_testing.weir | dot -Tsvg > card_testing.svg");
  verb->callback(
      [options, &action] { action = [options](const Console& console) { return cmd_explain(*options, console); }; });
}

}  // namespace service
