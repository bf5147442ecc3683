// See registry.h. Test: tests/unit/service/registry_test.cc.
#include "service/registry.h"

#include <algorithm>

#include "patterns/compile.h"
#include "patterns/parser.h"
#include "patterns/printer.h"

namespace service {
namespace {

constexpr uint8_t kSaveFormat = 2;

cep::Error disagreement(const std::string& what) {
  return {"log_disagrees", what + "; this binary cannot read this data directory as it was written: use the version that wrote it"};
}

// Canonical texts of those declarations in a file that declare something new or changed: what one that was dropped had declared, a
// statement of the same text declares anew.
void collect_statements(const patterns::File& file, const patterns::Deployment& deployment, uint32_t next_number, RulesChange& change) {
  const auto is_one_of = [](const auto& made, const std::string& name, const auto& name_of) {
    return std::any_of(made.begin(), made.end(), [&](const auto& one) { return name_of(one) == name; });
  };
  const auto is_made = [&](const std::string& name) {
    return is_one_of(deployment.datasets, name, [](const patterns::DatasetDeclaration& one) { return one.name; });
  };
  for (const patterns::Statement& statement : file.statements) {
    if (const auto* stream = std::get_if<patterns::StreamDecl>(&statement.body)) {
      if (!is_one_of(deployment.streams, stream->name.text, [](const cep::SchemaPtr& one) { return one->name; })) continue;
      change.streams.push_back({next_number++, patterns::print(statement)});
    } else if (const auto* list = std::get_if<patterns::ListDecl>(&statement.body)) {
      if (is_made(list->name.text)) change.datasets.push_back(patterns::print(statement));
    } else if (const auto* table = std::get_if<patterns::TableDecl>(&statement.body)) {
      if (is_made(table->name.text)) change.datasets.push_back(patterns::print(statement));
    }
  }
}

}  // namespace

void Registry::add_rule_change(DeploymentPlan& plan, const std::string& name, const cep::ProgramPtr& program, bool shadow) const {
  RulesChange::Rule rule;
  rule.name = name;
  rule.text = program->text;
  rule.matching_fingerprint = program->matching_fingerprint;
  rule.mode = shadow ? cep::RuleMode::kShadow : cep::RuleMode::kLive;
  uint32_t fresh_programs = 0;
  for (const RulesChange::Rule& before : plan.change.rules) fresh_programs += before.is_new_program ? 1 : 0;
  auto known = rules_.find(name);
  RuleChangeKind kind = RuleChangeKind::kNew;
  rule.version = 1;
  if (known != rules_.end()) {
    const RuleRecord& record = known->second;
    rule.number = record.number;
    rule.version = record.versions.back().version + 1;
    if (!record.dropped) {
      rule.mode = record.mode;           // R77: after the first creation only the API changes it
      kind = record.versions.back().text == rule.text                                       ? RuleChangeKind::kNone
             : record.versions.back().matching_fingerprint == rule.matching_fingerprint     ? RuleChangeKind::kCosmetic
                                                                                            : RuleChangeKind::kMatching;
      if (kind == RuleChangeKind::kCosmetic) rule.program = record.versions.back().program;
      if (kind == RuleChangeKind::kNone) rule.version = record.versions.back().version;
    }
  } else {
    rule.number = next_rule_number_;
    for (const RulesChange::Rule& before : plan.change.rules) rule.number += rules_.contains(before.name) ? 0 : 1;
  }
  plan.outcomes.push_back({name, rule.version, kind});
  if (kind == RuleChangeKind::kNone) return;
  rule.is_new_program = kind != RuleChangeKind::kCosmetic;
  if (rule.is_new_program) rule.program = static_cast<cep::ProgramId>(next_program_ + fresh_programs);
  plan.change.rules.push_back(std::move(rule));
}

DeploymentPlan Registry::plan(const std::string& text, const std::string& file_name, std::optional<std::vector<std::string>> sinks) const {
  DeploymentPlan plan;
  patterns::FileId file = plan.sources.add(file_name, text);
  patterns::Catalog catalog = catalog_;
  catalog.sinks = std::move(sinks);
  std::optional<patterns::Deployment> deployment = patterns::compile_file(plan.sources, file, catalog, plan.diagnostics);
  plan.ok = deployment.has_value() && plan.diagnostics.errors() == 0;
  if (!plan.ok) return plan;
  patterns::Diagnostics again;               // the same text parsed once more for the canonical prints of its declarations
  collect_statements(patterns::parse(plan.sources, file, again), *deployment, static_cast<uint32_t>(schemas_.size()), plan.change);
  for (const patterns::CompiledRule& rule : deployment->rules) add_rule_change(plan, rule.name, rule.program, rule.shadow);
  for (const auto& [name, schema] : catalog_.streams) {
    if (!catalog.streams.contains(name)) plan.change.dropped_streams.push_back(name);
  }
  for (const auto& [name, dataset] : catalog_.datasets) {
    if (catalog.datasets.contains(name)) continue;
    (dataset.is_table ? plan.change.dropped_tables : plan.change.dropped_lists).push_back(name);
  }
  for (const auto& [name, rule] : rules_) {
    if (is_in_force(rule) && !catalog.rules.contains(name)) plan.change.dropped_rules.push_back(name);
  }
  return plan;
}

DeploymentPlan Registry::plan_restart(const RuleRecord& rule, const std::string& text, cep::RuleMode mode) const {
  DeploymentPlan plan;
  patterns::Catalog catalog = catalog_;
  std::optional<patterns::Deployment> deployment =
      patterns::compile_file(plan.sources, plan.sources.add(rule.name, text), catalog, plan.diagnostics);
  plan.ok = deployment.has_value() && deployment->rules.size() == 1;
  if (!plan.ok) return plan;
  RulesChange::Rule change;
  change.name = rule.name;
  change.number = rule.number;
  change.version = rule.versions.back().version + (text == rule.versions.back().text ? 0 : 1);
  change.program = static_cast<cep::ProgramId>(next_program_);
  change.mode = mode;
  change.matching_fingerprint = deployment->rules.front().program->matching_fingerprint;
  change.text = deployment->rules.front().program->text;
  change.is_new_program = true;
  plan.outcomes.push_back({rule.name, change.version, RuleChangeKind::kMatching});
  plan.change.rules.push_back(std::move(change));
  return plan;
}

cep::Status Registry::declare(const std::string& text, uint32_t number) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  std::optional<patterns::Deployment> deployment =
      patterns::compile_file(sources, sources.add("declaration", text), catalog_, diagnostics);
  if (!deployment) return disagreement("an accepted declaration does not compile any more: " + to_text(sources, diagnostics));
  if (number != kNoNumber) {
    WEIR_CHECK(deployment->streams.size() == 1 && number == schemas_.size(), "schema numbers are given in order");
    schemas_.push_back(deployment->streams.front());
    schema_numbers_[deployment->streams.front()->name] = number;
  }
  for (const patterns::DatasetDeclaration& made : deployment->datasets) put_dataset(empty_dataset(made));
  declarations_.push_back({number, text});
  return cep::ok_status();
}

cep::Result<cep::ProgramPtr> Registry::compile_rule(const std::string& text) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  std::optional<patterns::Deployment> deployment =
      patterns::compile_file(sources, sources.add("rule", text), catalog_, diagnostics);
  if (!deployment || deployment->rules.size() != 1) {
    return disagreement("an accepted rule does not compile any more: " + to_text(sources, diagnostics));
  }
  return deployment->rules.front().program;
}

cep::Status Registry::apply(const RulesChange& change) {
  for (const std::string& name : change.dropped_rules) {
    catalog_.rules.erase(name);
    rules_[name].dropped = true;
  }
  // What is replaced is no longer asked whether it goes with what comes: only the whole was checked.
  for (const RulesChange::Rule& rule : change.rules) catalog_.rules.erase(rule.name);
  for (const RulesChange::Stream& stream : change.streams) {
    if (cep::Status status = declare(stream.text, stream.number); !status.ok()) return status;
  }
  for (const std::string& dataset : change.datasets) {
    if (cep::Status status = declare(dataset, kNoNumber); !status.ok()) return status;
  }
  for (const RulesChange::Rule& rule : change.rules) {
    cep::Result<cep::ProgramPtr> program = compile_rule(rule.text);
    if (!program.ok()) return program.error();
    if ((*program)->matching_fingerprint != rule.matching_fingerprint) recompiled_.push_back(rule.name);
    RuleRecord& record = rules_[rule.name];
    record.name = rule.name;
    record.number = rule.number;
    record.dropped = false;
    record.mode = rule.mode;
    record.program = *program;
    if (record.versions.empty() || record.versions.back().version != rule.version) record.versions.emplace_back();
    record.versions.back() = {rule.version, rule.program, rule.matching_fingerprint, rule.text};
    next_program_ = std::max(next_program_, static_cast<uint32_t>(rule.program) + 1);
    next_rule_number_ = std::max(next_rule_number_, rule.number + 1);
  }
  for (const std::string& name : change.dropped_streams) {
    if (cep::Status status = declare("drop stream " + patterns::print_name(name) + ";", kNoNumber); !status.ok()) return status;
    schema_numbers_.erase(name);
  }
  for (const auto& [word, names] : {std::pair("drop list ", &change.dropped_lists), std::pair("drop table ", &change.dropped_tables)}) {
    for (const std::string& name : *names) {
      if (cep::Status status = declare(word + patterns::print_name(name) + ";", kNoNumber); !status.ok()) return status;
      datasets_.erase(name);
    }
  }
  return cep::ok_status();
}

cep::Status Registry::apply(const DatasetChange& change, cep::DatasetPtr after) {
  auto known = datasets_.find(change.dataset);
  if (known == datasets_.end()) return disagreement("the log edits the unknown list or table " + change.dataset);
  ++revision_;
  if (after == nullptr) {
    cep::Result<cep::DatasetPtr> made = edited(*known->second, change, revision_);
    if (!made.ok()) return made.error();
    after = std::move(*made);
  }
  known->second = std::move(after);
  return cep::ok_status();
}

std::vector<std::string> Registry::unrestored() const {
  std::vector<std::string> names;
  for (const auto& [name, size] : saved_sizes_) names.push_back(name);
  return names;
}

cep::Status Registry::restore_entries(const std::string& dataset, const cep::EntryMap& entries) {
  const auto saved = saved_sizes_.find(dataset);
  if (saved == saved_sizes_.end() || saved->second != entries.size()) {
    return cep::Error{"damaged", "the checkpoint holds " + std::to_string(entries.size()) + " entries of " + dataset +
                                     ", not those it counts; restore the data directory from a copy"};
  }
  auto whole = std::make_shared<cep::Dataset>(*datasets_.at(dataset));
  whole->restore(entries, whole->revision());
  put_dataset(std::move(whole));
  saved_sizes_.erase(saved);
  return cep::ok_status();
}

cep::Status Registry::apply(const ModeChange& change) {
  auto known = rules_.find(change.rule);
  if (known == rules_.end()) return disagreement("the log sets the mode of the unknown rule " + change.rule);
  known->second.mode = change.mode;
  return cep::ok_status();
}

cep::RuleEntry Registry::entry_of(const RuleRecord& rule) const {
  cep::RuleEntry entry;
  entry.id = rule.versions.back().program;
  entry.program = rule.program;
  entry.number = rule.number;
  entry.version = rule.versions.back().version;
  entry.mode = rule.mode;
  return entry;
}

std::vector<std::string> Registry::source_names() const {
  std::vector<std::string> names;
  for (const SourceChange& source : sources_) names.push_back(source.name);
  return names;
}

cep::DurationUs Registry::retain_us() const {
  cep::DurationUs longest = 0;
  for (const auto& [name, schema] : catalog_.streams) longest = std::max(longest, schema->retain_us.value_or(0));
  return longest;
}

cep::RuleSetPtr Registry::rule_set() const {
  std::vector<cep::RuleEntry> entries;
  for (const auto& [name, rule] : rules_) {
    if (is_in_force(rule) && rule.mode != cep::RuleMode::kPaused) entries.push_back(entry_of(rule));
  }
  return cep::RuleSet::build(std::move(entries), datasets_, catalog_.streams, source_names());
}

cep::RuleSetPtr Registry::rule_set_of(const std::vector<cep::ProgramId>& programs) const {
  std::vector<cep::RuleEntry> entries;
  for (const auto& [name, rule] : rules_) {
    if (is_in_force(rule)) entries.push_back(entry_of(rule));
  }
  return cep::RuleSet::build(cep::with_feeders(entries, programs), datasets_, catalog_.streams, source_names());
}

std::vector<cep::ProgramId> Registry::renew_recompiled() {
  std::vector<cep::ProgramId> renewed;
  for (const std::string& name : recompiled_) {
    RuleRecord& rule = rules_.at(name);
    RuleVersion& version = rule.versions.back();
    version.program = static_cast<cep::ProgramId>(next_program_++);
    version.matching_fingerprint = rule.program->matching_fingerprint;
    renewed.push_back(version.program);
  }
  return renewed;
}

const RuleRecord* Registry::rule_by_number(uint32_t number) const {
  for (const auto& [name, rule] : rules_) {
    if (rule.number == number) return &rule;
  }
  return nullptr;
}

cep::SchemaPtr Registry::find_stream(const std::string& name) const {
  const auto known = catalog_.streams.find(name);
  return known != catalog_.streams.end() ? known->second : nullptr;
}

uint32_t Registry::schema_number(const std::string& stream) const { return schema_numbers_.at(stream); }

std::string Registry::save() const {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(kSaveFormat).put<uint32_t>(next_program_).put<uint32_t>(next_rule_number_);
  out.put<uint32_t>(static_cast<uint32_t>(declarations_.size()));
  for (const Declaration& declaration : declarations_) out.put<uint32_t>(declaration.number).text(declaration.text);
  out.put<uint32_t>(static_cast<uint32_t>(rules_.size()));
  for (const auto& [name, rule] : rules_) {
    out.text(name).put<uint32_t>(rule.number).put<uint8_t>(rule.dropped ? 1 : 0).put<uint8_t>(static_cast<uint8_t>(rule.mode));
    out.put<uint32_t>(static_cast<uint32_t>(rule.versions.size()));
    for (const RuleVersion& version : rule.versions) {
      out.put<uint32_t>(version.version).put<uint32_t>(static_cast<uint32_t>(version.program));
      out.put<uint64_t>(version.matching_fingerprint).text(version.text);
    }
  }
  out.put<uint64_t>(revision_).put<uint32_t>(static_cast<uint32_t>(datasets_.size()));
  for (const auto& [name, dataset] : datasets_) out.text(name).put<uint64_t>(dataset->size()).put<uint64_t>(dataset->revision());
  return bytes;
}

// Format 1 had the elements of lists here.
cep::Status Registry::restore_datasets(state::Reader& in, uint8_t format) {
  if (format > 1) revision_ = in.get<uint64_t>();
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    if (format == 1) {
      cep::Result<DatasetChange> content = decode_dataset_change(in.text());
      if (!content.ok()) return content.error();
      if (cep::Status status = apply(*content); !status.ok()) return status;
      continue;
    }
    const std::string name(in.text());
    const auto known = datasets_.find(name);
    if (known == datasets_.end()) return disagreement("the checkpoint's lists and tables do not decode");
    saved_sizes_[name] = in.get<uint64_t>();
    auto declared = std::make_shared<cep::Dataset>(*known->second);
    declared->restore({}, in.get<uint64_t>());
    put_dataset(std::move(declared));
  }
  return cep::ok_status();
}

cep::Result<Registry> Registry::restore(std::string_view bytes) {
  state::Reader in(bytes);
  Registry registry;
  const auto format = in.get<uint8_t>();
  if (format < 1 || format > kSaveFormat) return disagreement("the checkpoint's rules are of an unknown format");
  registry.next_program_ = in.get<uint32_t>();
  registry.next_rule_number_ = in.get<uint32_t>();
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    uint32_t number = in.get<uint32_t>();
    std::string text(in.text());
    bool drops = text.starts_with("drop ");
    cep::Status status = registry.declare(text, number);
    if (!status.ok()) return status.error();
    if (!drops) continue;
    std::erase_if(registry.schema_numbers_, [&](const auto& known) { return !registry.catalog_.streams.contains(known.first); });
    std::erase_if(registry.datasets_, [&](const auto& known) { return !registry.catalog_.datasets.contains(known.first); });
  }
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    RuleRecord rule;
    rule.name = in.text();
    rule.number = in.get<uint32_t>();
    rule.dropped = in.get<uint8_t>() != 0;
    rule.mode = static_cast<cep::RuleMode>(in.get<uint8_t>());
    for (uint32_t versions = in.get<uint32_t>(); versions > 0 && in.ok(); --versions) {
      RuleVersion version;
      version.version = in.get<uint32_t>();
      version.program = static_cast<cep::ProgramId>(in.get<uint32_t>());
      version.matching_fingerprint = in.get<uint64_t>();
      version.text = in.text();
      rule.versions.push_back(std::move(version));
    }
    if (!in.ok() || rule.versions.empty()) return disagreement("the checkpoint's rules do not decode");
    patterns::Catalog before = registry.catalog_;
    cep::Result<cep::ProgramPtr> program = registry.compile_rule(rule.versions.back().text);
    if (rule.dropped) {                  // it counts for nothing, and the streams it read may be gone
      registry.catalog_ = std::move(before);
      if (program.ok()) rule.program = *program;
    } else {
      if (!program.ok()) return program.error();
      rule.program = *program;
      if (rule.program->matching_fingerprint != rule.versions.back().matching_fingerprint) registry.recompiled_.push_back(rule.name);
    }
    registry.rules_[rule.name] = std::move(rule);
  }
  if (cep::Status status = registry.restore_datasets(in, format); !status.ok()) return status.error();
  if (!in.at_end()) return disagreement("the checkpoint's rules do not decode");
  return registry;
}

}  // namespace service
