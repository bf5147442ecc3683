#include "service/rule_book.h"

#include <algorithm>

namespace service {

bool RuleBook::compile(const patterns::SourceMap& sources, std::span<const patterns::FileId> files,
                       patterns::Diagnostics& diagnostics, std::vector<cep::ProgramId>& to_warm) {
  const auto deployment = patterns::compile_files(sources, files, catalog_, diagnostics);
  if (!deployment) return false;
  for (const patterns::DatasetDeclaration& made : deployment->datasets) datasets_[made.name] = empty_dataset(made);
  for (const patterns::CompiledRule& rule : deployment->rules) put_rule(rule, to_warm);
  for (const patterns::Drop& one : deployment->drops) drop(one);
  return true;
}

void RuleBook::put_compiled(std::span<const patterns::CompiledRule> rules) {
  std::vector<cep::ProgramId> started;
  for (const patterns::CompiledRule& rule : rules) put_rule(rule, started);
}

// Streams are the catalogue's; the number of a dropped rule's last version stays. Rules that are not in the catalogue hold nothing back:
// they go with what they look up.
void RuleBook::drop(const patterns::Drop& drop) {
  if (drop.kind == patterns::DropKind::kRule) rules_.erase(drop.name);
  if (drop.kind != patterns::DropKind::kList && drop.kind != patterns::DropKind::kTable) return;
  datasets_.erase(drop.name);
  std::erase_if(rules_, [&](const auto& rule) {
    const std::vector<std::string>& used = rule.second.program->datasets;
    return !catalog_.rules.contains(rule.first) && std::find(used.begin(), used.end(), drop.name) != used.end();
  });
}

void RuleBook::put_rule(const patterns::CompiledRule& rule, std::vector<cep::ProgramId>& to_warm) {
  const auto old = rules_.find(rule.name);
  const bool same_text = old != rules_.end() && old->second.program->fingerprint == rule.program->fingerprint;
  if (same_text) return;
  cep::RuleEntry entry;
  entry.program = rule.program;
  entry.version = ++versions_[rule.name];
  entry.mode = rule.shadow ? cep::RuleMode::kShadow : cep::RuleMode::kLive;
  if (old != rules_.end()) entry.mode = old->second.mode;       // R77: later only the API changes it
  const bool cosmetic =
      old != rules_.end() && old->second.program->matching_fingerprint == rule.program->matching_fingerprint;
  entry.id = cosmetic ? old->second.id : cep::ProgramId{next_program_++};
  if (!cosmetic) to_warm.push_back(entry.id);
  rules_[rule.name] = std::move(entry);
}

const cep::Dataset* RuleBook::dataset(const std::string& name, bool is_table) const {
  const auto known = datasets_.find(name);
  return known != datasets_.end() && known->second->is_table() == is_table ? known->second.get() : nullptr;
}

cep::Status RuleBook::edit(const DatasetChange& change) {
  const auto known = datasets_.find(change.dataset);
  if (known == datasets_.end()) return cep::Error{"unknown_dataset", "no rule file declares a list or table `" + change.dataset + "`"};
  cep::Result<cep::DatasetPtr> after = edited(*known->second, change, known->second->revision() + 1);
  if (!after.ok()) return after.error();
  known->second = std::move(*after);
  return cep::ok_status();
}

cep::RuleSetPtr RuleBook::build() const {
  std::vector<cep::RuleEntry> entries;
  for (const auto& [name, entry] : rules_) entries.push_back(entry);
  return cep::RuleSet::build(std::move(entries), datasets_, catalog_.streams);
}

}  // namespace service
