// weir_reference: every rule of rule tests and pages through the engine and through the reference matcher, compared. `weir test` shows that
// a script gives what it says in every mode; this shows that what it says is what the definition of a match says.
// Arguments: files and directories as of `weir test`, and --broken NAME: the reference is wrong on purpose, which must be noticed.
// What the reference does not know is counted and listed. Exit status 0: no difference, and at least half of the rules compared (with
// --broken: a difference).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "cep/parse.h"
#include "patterns/parser.h"
#include "service/pipeline.h"
#include "service/rule_files.h"
#include "service/script_events.h"
#include "service/script_page.h"
#include "service/script_run.h"
#include "tests/compare/reference_lines.h"
#include "tests/support/reference_unknown.h"

namespace {

constexpr uint64_t kWorkMax = 20'000'000;          // questions to conditions, of one rule and run
constexpr uint32_t kEnough = 100'000;              // runs and matches: the reference has no such limits
constexpr int kDifferencesShown = 20;

struct Totals {
  uint64_t files = 0;
  uint64_t rules = 0;              // of cases that compile
  uint64_t compared = 0;
  uint64_t alerts = 0;
  int differences = 0;
  std::map<std::string, uint64_t> unknown;
};

// Blocks that go on from one another: one life of the engine.
using Life = std::vector<const service::ScriptStep*>;

std::vector<Life> lives(const service::ScriptCase& one) {
  std::vector<Life> all;
  for (const service::ScriptBlock& block : one.blocks) {
    if (block.fresh) all.emplace_back();
    for (const service::ScriptStep& step : block.steps) all.back().push_back(&step);
  }
  return all;
}

// What in a case's steps the reference cannot follow; empty: nothing.
std::string unknown_step(const service::ScriptCase& one) {
  using Kind = service::ScriptStep::Kind;
  if (one.limits.runs_per_key_max != cep::Limits().runs_per_key_max || one.limits.window_entries_max != cep::Limits().window_entries_max ||
      one.limits.scan_entries_max != cep::Limits().scan_entries_max || one.limits.window_bytes_max != cep::Limits().window_bytes_max ||
      one.limits.block_bytes_max != cep::Limits().block_bytes_max || one.limits.alert_events_max != cep::Limits().alert_events_max ||
      one.limits.matches_per_event_max != cep::Limits().matches_per_event_max ||
      one.limits.reorder_rows_max != cep::Limits().reorder_rows_max) {
    return "limit in the script";
  }
  for (const service::ScriptBlock& block : one.blocks) {
    for (const service::ScriptStep& step : block.steps) {
      if (step.offset_us >= cep::Limits::key_idle_max_us - cep::kDay) return "key that is silent for 400 days";
      const bool known = step.kind == Kind::kEvent || step.kind == Kind::kAdvance || step.kind == Kind::kRestart;
      if (!known) return step.kind == Kind::kDeploy ? "deploy midway" : "edit midway";
    }
  }
  return "";
}

class CaseComparison {
 public:
  CaseComparison(const service::Script& script, const service::ScriptCase& one, const service::ScriptSetup& setup,
                 support::ReferenceBreak broken, Totals& totals)
      : script_(script), case_(one), setup_(setup), broken_(broken), totals_(totals) {}

  void run() {
    fill_lists();
    for (patterns::FileId id = 0; id < setup_.sources.size(); ++id) {
      patterns::Diagnostics again;
      const patterns::File file = patterns::parse(setup_.sources, id, again);
      for (const patterns::Statement& statement : file.statements) {
        if (const auto* rule = std::get_if<patterns::RuleDecl>(&statement.body)) compare(*rule);
      }
    }
  }

 private:
  void fill_lists() {
    for (const auto& [name, dataset] : setup_.book.datasets()) {
      if (!dataset->is_table()) lists_[name];
    }
    for (const service::ScriptUse& use : case_.uses) {
      if (use.kind != service::ScriptUse::Kind::kList) continue;
      const std::vector<cep::Type>& types = setup_.book.datasets().at(use.name)->key_types();
      for (const std::vector<std::string>& texts : use.values) {
        auto& element = lists_[use.name].emplace_back();
        for (size_t i = 0; i < texts.size(); ++i) element.push_back(*cep::parse_value(texts[i], types[i]));
      }
    }
  }

  void compare(const patterns::RuleDecl& rule) {
    ++totals_.rules;
    std::string unknown = unknown_step(case_);
    if (unknown.empty()) unknown = support::unknown_to_reference(rule, setup_.book.streams());
    if (!unknown.empty()) {
      ++totals_.unknown[unknown];
      return;
    }
    const cep::RuleSetPtr alone = only(rule.name.text);
    const support::Reference reference(rule, setup_.book.streams(), lists_, broken_);
    for (const Life& life : lives(case_)) {
      if (compare(life, rule, alone, reference)) continue;
      ++totals_.unknown["more work than the reference wants to do"];
      return;
    }
    ++totals_.compared;
  }

  // The case's rules without all others: the delay of a timeline is of all that read it, and the reference knows one rule.
  cep::RuleSetPtr only(const std::string& name) const {
    std::string drops;
    for (const auto& [other, entry] : setup_.book.rules()) {
      if (other != name) drops += "drop rule \"" + other + "\";\n";
    }
    service::RuleBook book = setup_.book;
    patterns::SourceMap sources;
    patterns::Diagnostics diagnostics;
    std::vector<cep::ProgramId> started;
    const patterns::FileId file = sources.add("drops", drops);
    WEIR_CHECK(book.compile(sources, {&file, 1}, diagnostics, started), "rules can be dropped");
    return book.build();
  }

  // False: too much work, or a limit of the engine.
  bool compare(const Life& life, const patterns::RuleDecl& rule, const cep::RuleSetPtr& alone, const support::Reference& reference) {
    cep::Limits limits = case_.limits;
    limits.runs_per_key_max = kEnough;
    limits.matches_per_event_max = kEnough;
    limits.alert_events_max = 1'000;
    service::Pipeline pipeline({1, false, limits});
    pipeline.apply_rules(alone);
    service::ScriptEvents events(case_.clock);
    std::vector<cep::BatchPtr> batches;
    std::vector<support::ReferenceRow> rows(life.size());
    std::vector<support::ReferenceStep> steps;
    for (const service::ScriptStep* step : life) {
      if (step->kind == service::ScriptStep::Kind::kAdvance) {
        pipeline.watermark(case_.clock + step->offset_us, nullptr);
        steps.push_back({nullptr, case_.clock + step->offset_us});
      }
      if (step->kind != service::ScriptStep::Kind::kEvent) continue;
      api::RowError error;
      const cep::BatchPtr batch = events.decode(*step, batches.size(), setup_.book.streams(), error);
      if (batch == nullptr) continue;
      support::ReferenceRow& row = rows[batches.size()];
      row = {batch->schema, batch->time[0], batches.size(), {}};
      for (uint16_t c = 0; c < batch->schema->columns.size(); ++c) row.fields.push_back(batch->value(0, c));
      steps.push_back({&row, cep::kTimeMin});
      batches.push_back(batch);
      pipeline.feed(batch);
    }
    const auto expected = reference.alerts(steps, kWorkMax);
    const cep::EngineCounters counters = pipeline.counters();
    if (!expected || counters.runs_refused + counters.runs_aged + counters.keys_forgotten > 0) return false;
    std::vector<cep::Alert> alerts;
    pipeline.take_alerts(alerts, true);
    std::vector<std::string> engine_lines;
    std::vector<std::string> reference_lines;
    for (const cep::Alert& alert : alerts) engine_lines.push_back(compare::engine_line(alert, case_.clock));
    for (const auto& alert : *expected) reference_lines.push_back(compare::reference_line(alert, case_.clock));
    std::sort(engine_lines.begin(), engine_lines.end());
    std::sort(reference_lines.begin(), reference_lines.end());
    totals_.alerts += reference_lines.size();
    if (engine_lines != reference_lines) tell(rule, life, engine_lines, reference_lines);
    return true;
  }

  void tell(const patterns::RuleDecl& rule, const Life& life, const std::vector<std::string>& engine,
            const std::vector<std::string>& reference) {
    if (++totals_.differences > kDifferencesShown) return;
    const size_t line = life.empty() ? case_.line : life[0]->line;
    std::printf("%s:%zu: rule %s\n", script_.path.c_str(), line, rule.name.text.c_str());
    for (const std::string& one : engine) std::printf("  engine:    %s\n", one.c_str());
    for (const std::string& one : reference) std::printf("  reference: %s\n", one.c_str());
  }

  const service::Script& script_;
  const service::ScriptCase& case_;
  const service::ScriptSetup& setup_;
  support::ReferenceBreak broken_;
  Totals& totals_;
  support::ReferenceLists lists_;
};

bool compare_script(const cep::Result<service::Script>& script, support::ReferenceBreak broken, Totals& totals) {
  if (!script) {
    std::printf("%s\n", script.error().message.c_str());
    return false;
  }
  for (const service::ScriptCase& one : script->cases) {
    const auto setup = service::prepare_case(*script, one, nullptr);
    if (!setup) {
      std::printf("%s\n", setup.error().message.c_str());
      return false;
    }
    if ((*setup)->errors.empty()) CaseComparison(*script, one, **setup, broken, totals).run();
  }
  return true;
}

// False: it cannot be read.
bool compare_file(const std::string& path, support::ReferenceBreak broken, Totals& totals) {
  const cep::Result<std::string> text = service::read_whole_file(path);
  if (!text) return false;
  ++totals.files;
  if (!service::is_page(path)) return compare_script(service::parse_script(path, *text), broken, totals);
  const cep::Result<service::ScriptPage> page = service::parse_page(path, *text);
  if (!page) return false;
  return std::all_of(page->fences.begin(), page->fences.end(), [&](const service::PageFence& fence) {
    return !fence.is_script || compare_script(service::fence_script(*page, fence), broken, totals);
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> paths;
  support::ReferenceBreak broken = support::ReferenceBreak::kNone;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--broken") != 0) {
      paths.emplace_back(argv[i]);
      continue;
    }
    const auto named = i + 1 < argc ? support::reference_break(argv[++i]) : std::nullopt;
    if (!named) return 2;
    broken = *named;
  }
  const auto files = service::find_test_files(paths);
  if (!files || files->empty()) {
    std::fprintf(stderr, "usage: weir_reference [--broken NAME] FILE|DIRECTORY..\n");
    return 2;
  }
  Totals totals;
  for (const std::string& path : *files) {
    if (!compare_file(path, broken, totals)) return 2;
  }
  for (const auto& [what, count] : totals.unknown) std::printf("%6lu  not compared: %s\n", count, what.c_str());
  std::printf("reference files=%lu rules=%lu compared=%lu alerts=%lu differences=%d\n", totals.files, totals.rules, totals.compared,
              totals.alerts, totals.differences);
  if (broken != support::ReferenceBreak::kNone) return totals.differences > 0 ? 0 : 1;
  return totals.differences == 0 && 2 * totals.compared >= totals.rules ? 0 : 1;
}
