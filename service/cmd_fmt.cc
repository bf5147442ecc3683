// `weir fmt`: rule files in the one form in which they are written. A file that cannot be read as rules is left alone.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <optional>

#include "patterns/parser.h"
#include "patterns/printer.h"
#include "service/commands.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct FmtOptions {
  std::vector<std::string> paths;
  bool write = false;
  bool check = false;
};

// Empty: the text has errors, which were printed.
std::optional<std::string> formatted(const std::string& path, const std::string& text, const Console& console) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add(path, text), diagnostics);
  if (diagnostics.errors() == 0) return patterns::format(file);
  console.complain(patterns::to_text(sources, diagnostics));
  return std::nullopt;
}

int format_file(const std::string& path, const FmtOptions& options, const Console& console) {
  const cep::Result<std::string> text = read_whole_file(path);
  if (!text) {
    console.complain(text.error().message + "\n");
    return kExitBadInput;
  }
  const std::optional<std::string> form = formatted(path, *text, console);
  if (!form) return kExitBadInput;
  const bool in_place = options.write && path != "-";
  if (options.check) console.print(*form == *text ? "" : path + "\n");
  if (!options.check && !in_place) console.print(*form);
  if (in_place && *form != *text) {
    const cep::Status status = write_whole_file(path, *form);
    if (!status) {
      console.complain(status.error().message + "\n");
      return kExitBadInput;
    }
  }
  return options.check && *form != *text ? kExitFindings : kExitFine;
}

int cmd_fmt(const FmtOptions& options, const Console& console) {
  const auto files = find_files(options.paths, ".weir");
  if (!files) {
    console.complain(files.error().message + "\n");
    return kExitBadInput;
  }
  if (files->empty()) {
    console.complain("no .weir file there\n");
    return kExitBadInput;
  }
  int worst = kExitFine;
  for (const std::string& path : *files) worst = std::max(worst, format_file(path, options, console));
  return worst;
}

}  // namespace

void add_fmt(CLI::App& app, Action& action) {
  auto options = std::make_shared<FmtOptions>();
  CLI::App* const verb = app.add_subcommand("fmt", "Write rule files in their one form");
  verb->add_option("paths", options->paths, "Rule files, or directories with .weir files; - is the standard input")
      ->required();
  verb->add_flag("-w,--write", options->write, "Change the files instead of printing");
  verb->add_flag("--check", options->check, "Only name the files that would change; exit with 1 if there are any");
  verb->footer("Example:\n  weir fmt -w rules\n  weir fmt --check rules");
  verb->callback(
      [options, &action] { action = [options](const Console& console) { return cmd_fmt(*options, console); }; });
}

}  // namespace service
