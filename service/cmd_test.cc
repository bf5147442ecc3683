// `weir test`: runs scripts in every mode and says which gave something else than expected.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "service/commands.h"
#include "service/script_lines.h"
#include "service/script_page.h"
#include "service/script_run.h"
#include "service/text_diff.h"

namespace service {
namespace {

struct TestOptions {
  std::vector<std::string> paths;
  std::vector<ScriptModeInfo> modes;
  std::vector<std::string> mode_names;
  bool rewrite = false;
};

// Where a block's expectations start to differ, and what stands there instead.
struct Rewrite {
  const ScriptBlock* block = nullptr;
  std::vector<std::string> lines;
};

class ScriptTest {
 public:
  ScriptTest(const Script& script, const TestOptions& options, ScriptCrowd& crowd) : script_(script), options_(options), crowd_(crowd) {}

  void run() {
    for (const ScriptCase& one : script_.cases) run_one(one);
  }
  // Empty: every block of every case gave what it says, in every mode.
  const std::string& failures() const { return failures_; }
  const std::vector<Rewrite>& rewrites() const { return rewrites_; }

 private:
  void run_one(const ScriptCase& one) {
    const auto setup = prepare_case(script_, one, &crowd_);
    if (!setup) return fail(setup.error());
    if (!(*setup)->errors.empty()) {
      std::vector<BlockResult> results(one.blocks.size());
      results[0].lines = (*setup)->errors;
      compare_expected(one, std::move(results), **setup);
      return;
    }
    const auto plain = run_case(script_, one, **setup, ScriptMode::kPlain);
    if (!plain) return fail(plain.error());
    compare_expected(one, *plain, **setup);
    for (const ScriptModeInfo& info : options_.modes) {
      const ScriptMode mode = info.mode;
      if (mode == ScriptMode::kPlain || !has_mode(one, **setup, mode) || (mode == ScriptMode::kShuffle && has_late(*plain))) continue;
      const auto other = run_case(script_, one, **setup, mode);
      if (!other) return fail(other.error());
      compare_modes(one, *plain, *other, info);
    }
  }

  // An event that comes too late may be in time when others are moved behind it.
  static bool has_late(const std::vector<BlockResult>& results) {
    for (const BlockResult& result : results) {
      for (const std::string& line : result.lines) {
        if (line.find(" late ") != std::string::npos) return true;
      }
    }
    return false;
  }

  void compare_expected(const ScriptCase& one, std::vector<BlockResult> results, const ScriptSetup& setup) {
    const std::vector<std::string>& first = one.blocks[0].expected;
    const bool about_warnings = std::any_of(first.begin(), first.end(), [](const auto& line) { return line.starts_with("warning "); });
    if (about_warnings) results[0].lines.insert(results[0].lines.begin(), setup.warned.begin(), setup.warned.end());
    const ScriptLines print(script_, one.clock);
    for (size_t b = 0; b < one.blocks.size(); ++b) {
      const ScriptBlock& block = one.blocks[b];
      const std::vector<std::string>& got = results[b].lines;
      std::vector<std::string> expected;
      for (const std::string& line : block.expected) {
        // An error or warning may leave out where it is.
        const bool is_short = (line.starts_with("error ") || line.starts_with("warning ")) && line.find(':') == std::string::npos;
        const size_t at = expected.size();
        const bool same_code = is_short && at < got.size() && got[at].starts_with(line + " ");
        expected.push_back(same_code ? got[at] : print.normalized(line));
      }
      if (expected == got) continue;
      rewrites_.push_back({&block, got});
      if (options_.rewrite) continue;
      const std::string place = fmt::format("{}:{}", script_.path, block.line);
      const bool about_rules = about_warnings || !setup.errors.empty();
      failures_ += unified_diff(expected, got, place + " expected", place + " got") + (about_rules ? setup.warnings : "");
    }
  }

  void compare_modes(const ScriptCase& one, const std::vector<BlockResult>& plain, const std::vector<BlockResult>& other,
                     const ScriptModeInfo& info) {
    for (size_t b = 0; b < one.blocks.size(); ++b) {
      // Other rules may share a timeline or not: only alerts are compared there.
      const bool same_lines = info.mode == ScriptMode::kAmid || plain[b].lines == other[b].lines;
      if (same_lines && plain[b].alerts == other[b].alerts) continue;
      const std::string place = fmt::format("{}:{} mode ", script_.path, one.blocks[b].line);
      const bool in_lines = plain[b].lines != other[b].lines;
      failures_ += unified_diff(in_lines ? plain[b].lines : plain[b].alerts, in_lines ? other[b].lines : other[b].alerts,
                                place + "plain", place + std::string(info.name));
      return;
    }
  }

  void fail(const cep::Error& error) { failures_ += error.message + "\n"; }

  const Script& script_;
  const TestOptions& options_;
  ScriptCrowd& crowd_;
  std::string failures_;
  std::vector<Rewrite> rewrites_;
};

// The lines of a script or page with other expectations; comments stay.
std::string rewritten(const std::vector<std::string>& lines, const std::vector<Rewrite>& rewrites) {
  std::string text;
  size_t next = 0;
  for (const Rewrite& rewrite : rewrites) {
    for (; next < rewrite.block->expected_begin; ++next) text += lines[next] + "\n";
    for (const std::string& line : rewrite.lines) text += line + "\n";
    if (rewrite.lines.empty()) text += "none\n";
    for (; next < rewrite.block->expected_end; ++next) {
      const std::string& line = lines[next];
      const size_t first = line.find_first_not_of(" \t\r");
      if (first == std::string::npos || line[first] == '#') text += line + "\n";
    }
  }
  for (; next < lines.size(); ++next) text += lines[next] + "\n";
  return text;
}

// What came of the scripts of one file.
struct FileTest {
  std::string failures;
  std::vector<std::string> lines;
  std::vector<Rewrite> rewrites;
  std::vector<std::unique_ptr<Script>> scripts;        // whose blocks are to be rewritten

  void run(const cep::Result<Script>& script, const TestOptions& options, ScriptCrowd& crowd) {
    if (!script) {
      failures += script.error().message + "\n";
      return;
    }
    scripts.push_back(std::make_unique<Script>(*script));
    ScriptTest test(*scripts.back(), options, crowd);
    test.run();
    failures += test.failures();
    rewrites.insert(rewrites.end(), test.rewrites().begin(), test.rewrites().end());
  }
};

void test_page(const std::string& path, const std::string& text, const TestOptions& options, ScriptCrowd& crowd, FileTest& test) {
  const cep::Result<ScriptPage> page = parse_page(path, text);
  if (!page) {
    test.failures += page.error().message + "\n";
    return;
  }
  if (page->fences.empty()) test.failures += path + ": no fence of this page begins with ```weir or ```weir-test\n";
  test.lines = page->lines;
  for (const PageFence& fence : page->fences) {
    if (!fence.is_script) {
      test.failures += check_fence(*page, fence);
      continue;
    }
    test.run(fence_script(*page, fence), options, crowd);
  }
}

// True: the script or page passes.
bool test_file(const std::string& path, const TestOptions& options, ScriptCrowd& crowd, const Console& console) {
  const cep::Result<std::string> text = read_whole_file(path);
  FileTest test;
  if (!text) {
    test.failures = text.error().message + "\n";
  } else if (is_page(path)) {
    test_page(path, *text, options, crowd, test);
  } else {
    test.lines = split_lines(*text);
    test.run(parse_script(path, *text), options, crowd);
  }
  if (!test.failures.empty()) console.complain(fmt::format("FAIL {}\n{}", path, test.failures));
  if (options.rewrite && !test.rewrites.empty()) {
    const cep::Status status = write_whole_file(path, rewritten(test.lines, test.rewrites));
    if (!status) {
      console.complain(status.error().message + "\n");
      return false;
    }
    console.complain("rewrote " + path + "\n");
  }
  return test.failures.empty();
}

int cmd_test(const TestOptions& options, const Console& console) {
  const auto files = find_test_files(options.paths);
  if (!files) {
    console.complain(files.error().message + "\n");
    return kExitBadInput;
  }
  size_t passed = 0;
  size_t failed = 0;
  ScriptCrowd crowd;
  for (const std::string& path : *files) ++(test_file(path, options, crowd, console) ? passed : failed);
  if (files->empty()) {
    console.complain("no .test file there, and no page with a ```weir-test fence\n");
    return kExitBadInput;
  }
  console.print(fmt::format("{} passed, {} failed\n", passed, failed));
  return failed == 0 ? kExitFine : kExitFindings;
}

}  // namespace

void add_test(CLI::App& app, Action& action) {
  auto options = std::make_shared<TestOptions>();
  CLI::App* const verb = app.add_subcommand("test", "Run rule tests: rules, events and the alerts they must give");
  verb->add_option("paths", options->paths, "Test scripts (.test), pages (.md), or directories of them")->required();
  std::vector<std::string> names;
  std::string modes = "Modes, which must all give the same:\n";
  for (const ScriptModeInfo& info : kScriptModes) {
    names.emplace_back(info.name);
    modes += fmt::format("  {:<8} {}\n", info.name, info.what);
  }
  verb->add_option("--modes", options->mode_names, "Run these modes only")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(names));
  verb->add_flag("--rewrite", options->rewrite, "Write what came into the scripts as what is expected");
  verb->footer(modes +
               "Pages (.md): ```weir-test fences hold whole scripts, ```weir fences rule text that `weir check` has nothing to\n"
               "complain about. What ```weir declares holds for the fences below: there `use stream NAME` finds it.\n"
               "Example:\n  weir test rules\n  weir test --modes plain,restart rules/cards/card_testing.test");
  verb->callback([options, &action] {
    for (const ScriptModeInfo& info : kScriptModes) {
      const auto& names = options->mode_names;
      const bool chosen = names.empty() || std::find(names.begin(), names.end(), info.name) != names.end();
      if (chosen) options->modes.push_back(info);
    }
    action = [options](const Console& console) { return cmd_test(*options, console); };
  });
}

}  // namespace service
