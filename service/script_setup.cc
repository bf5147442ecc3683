// See script_run.h: from a case's `use` and `rule` lines to a book of compiled rules.
#include <algorithm>
#include <filesystem>
#include <set>

#include "service/dataset_text.h"
#include "service/script_lines.h"
#include "service/script_page.h"
#include "service/script_run.h"

namespace service {
namespace {

namespace fs = std::filesystem;

constexpr const char* kAbove = "<above>";      // among the files that were added: the page's declarations

std::string absolute(const std::string& path) {
  std::error_code error;
  return fs::absolute(path, error).lexically_normal().string();
}

class Setup {
 public:
  Setup(const Script& script, const ScriptCase& one, ScriptSetup& setup, ScriptCrowd* crowd)
      : script_(script), case_(one), setup_(setup), crowd_(crowd), directory_(fs::path(script.path).parent_path()) {}

  cep::Status run() {
    for (const ScriptUse& use : case_.uses) {
      const cep::Status status = add_use(use);
      if (!status) return status;
    }
    for (const ScriptRule& rule : case_.rules) {
      if (rule.path.empty()) {
        files_.push_back(setup_.sources.add(script_.path + ":" + std::to_string(rule.line), rule.text));
        continue;
      }
      const cep::Status status = add_file((directory_ / rule.path).string(), rule.line);
      if (!status) return status;
    }
    std::vector<cep::ProgramId> started;
    setup_.book.compile(setup_.sources, files_, diagnostics_, started);
    for (const patterns::Diagnostic& diagnostic : diagnostics_.sorted()) {
      const bool is_error = diagnostic.severity == patterns::Severity::kError;
      (is_error ? setup_.errors : setup_.warned).push_back(diagnostic_line(setup_.sources, diagnostic));
    }
    if (!diagnostics_.empty()) setup_.warnings = patterns::to_text(setup_.sources, diagnostics_);
    if (!setup_.errors.empty()) return cep::ok_status();
    for (const ScriptUse& use : case_.uses) {
      const cep::Status status = fill(use, setup_.book);
      if (!status) return status;
    }
    if (crowd_ == nullptr) return cep::ok_status();
    cep::Result<RuleBook> amid = crowd_->amid(setup_.book);
    if (!amid) return amid.error();
    setup_.amid = std::move(*amid);
    add_neighbours();
    return cep::ok_status();
  }

 private:
  cep::Error bad(size_t line, const std::string& what) const {
    return {"bad_script", script_.path + ":" + std::to_string(line) + ": " + what};
  }

  cep::Status add_file(const std::string& path, size_t line) {
    if (!added_.insert(absolute(path)).second) return cep::ok_status();
    const cep::Result<std::string> text = read_whole_file(path);
    if (!text) return bad(line, text.error().message);
    files_.push_back(setup_.sources.add(path, *text));
    return cep::ok_status();
  }

  static std::string declared_as(const ScriptUse& use) {
    const bool is_stream = use.kind == ScriptUse::Kind::kStream;
    return (is_stream ? "stream " : use.kind == ScriptUse::Kind::kTable ? "table " : "list ") + use.name;
  }

  // Text that stands in the case itself declares it.
  bool is_declared_here(const ScriptUse& use) const {
    return std::any_of(case_.rules.begin(), case_.rules.end(), [&](const ScriptRule& rule) {
      return rule.path.empty() && declared_names({script_.path, rule.text}).contains(declared_as(use));
    });
  }

  // True: the page declares it above the script.
  bool use_above(const ScriptUse& use) {
    if (!declared_names({script_.path, script_.above}).contains(declared_as(use))) return false;
    if (added_.insert(kAbove).second) files_.push_back(setup_.sources.add(script_.path, script_.above));
    return true;
  }

  cep::Status add_use(const ScriptUse& use) {
    if (use.kind == ScriptUse::Kind::kFile) return add_file((directory_ / use.name).string(), use.line);
    if (is_declared_here(use) || use_above(use)) return cep::ok_status();
    // A list or table may also be declared by one of the case's own files.
    const char* const names[] = {"streams.weir", "lists.weir"};
    bool found = false;
    for (const char* const name : names) {
      if (use.kind == ScriptUse::Kind::kStream && name == names[1]) continue;
      const std::string path = find_above(directory_.string(), name);
      if (path.empty()) continue;
      found = true;
      const cep::Status status = add_file(path, use.line);
      if (!status) return status;
    }
    if (!found && use.kind == ScriptUse::Kind::kStream) {
      const std::string nearest = "no streams.weir beside the script or above";
      return bad(use.line, is_page(script_.path) ? "no ```weir fence above declares `" + use.name + "`, and there is " + nearest : nearest);
    }
    return cep::ok_status();
  }

  // Names must exist; lists get their elements, tables their rows.
  cep::Status fill(const ScriptUse& use, RuleBook& book) const {
    if (use.kind == ScriptUse::Kind::kStream && !book.streams().contains(use.name)) {
      return bad(use.line, "streams.weir declares no stream `" + use.name + "`");
    }
    const bool is_table = use.kind == ScriptUse::Kind::kTable;
    if (!is_table && use.kind != ScriptUse::Kind::kList) return cep::ok_status();
    const cep::Dataset* const dataset = book.dataset(use.name, is_table);
    if (dataset == nullptr) return bad(use.line, std::string("nothing declares a ") + (is_table ? "table `" : "list `") + use.name + "`");
    DatasetChange change;
    change.dataset = use.name;
    for (const std::vector<std::string>& value : use.values) change.edits.push_back({value, cep::EntryText(), std::nullopt});
    if (is_table) {
      cep::Result<DatasetChange::Edit> row = read_row(*dataset, use.row, nullptr);
      if (!row) return bad(use.line, row.error().message);
      change.edits.push_back(std::move(*row));
    }
    const cep::Status status = book.edit(change);
    return status ? cep::ok_status() : bad(use.line, status.error().message);
  }

  // The other rules beside streams.weir, as many as do not clash with the script's own.
  void add_neighbours() {
    const std::string streams = find_above(directory_.string(), "streams.weir");
    if (streams.empty() || !added_.contains(streams)) return;
    const auto paths = find_files({fs::path(streams).parent_path().string()}, ".weir");
    if (!paths) return;
    for (const std::string& path : *paths) {
      const cep::Result<std::string> text = read_whole_file(path);
      if (!text || added_.contains(absolute(path))) continue;
      patterns::SourceMap sources;
      patterns::Diagnostics diagnostics;
      const patterns::FileId file = sources.add(path, *text);
      RuleBook more = setup_.amid;
      std::vector<cep::ProgramId> started;
      if (!more.compile(sources, {&file, 1}, diagnostics, started) || changes_own_rule(more) || feeds_own_rule(more)) continue;
      setup_.amid = std::move(more);
    }
  }

  bool changes_own_rule(const RuleBook& more) const {
    for (const auto& [name, entry] : setup_.book.rules()) {
      const auto now = more.rules().find(name);
      if (now == more.rules().end() || now->second.program != entry.program) return true;
    }
    return false;
  }

  // What the script's rules read of other rules' making is part of what it expects.
  bool feeds_own_rule(const RuleBook& more) const {
    std::set<std::string> read;
    for (const auto& [name, entry] : setup_.book.rules()) {
      for (const cep::Input& input : entry.program->inputs) read.insert(input.schema->name);
    }
    return std::any_of(more.rules().begin(), more.rules().end(), [&](const auto& rule) {
      return !setup_.book.rules().contains(rule.first) && read.contains(rule.second.program->into);
    });
  }

  const Script& script_;
  const ScriptCase& case_;
  ScriptSetup& setup_;
  ScriptCrowd* crowd_;
  fs::path directory_;
  patterns::Diagnostics diagnostics_;
  std::vector<patterns::FileId> files_;
  std::set<std::string> added_;
};

}  // namespace

cep::Result<std::unique_ptr<ScriptSetup>> prepare_case(const Script& script, const ScriptCase& one, ScriptCrowd* crowd) {
  auto setup = std::make_unique<ScriptSetup>();
  const cep::Status status = Setup(script, one, *setup, crowd).run();
  if (!status) return status.error();
  return setup;
}

}  // namespace service
