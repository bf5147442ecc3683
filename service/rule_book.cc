#include "service/rule_book.h"

#include <memory>

namespace service {

bool RuleBook::compile(const patterns::SourceMap& sources, std::span<const patterns::FileId> files,
                       patterns::Diagnostics& diagnostics, std::vector<cep::ProgramId>& to_warm) {
  const auto deployment = patterns::compile_files(sources, files, catalog_, diagnostics);
  if (!deployment) return false;
  for (const patterns::ListDeclaration& list : deployment->lists) {
    if (!lists_.contains(list.name)) lists_[list.name] = std::make_shared<const cep::List>(list.name, list.types);
  }
  for (const patterns::CompiledRule& rule : deployment->rules) put_rule(rule, to_warm);
  for (const patterns::Drop& one : deployment->drops) drop(one);
  return true;
}

void RuleBook::put_compiled(std::span<const patterns::CompiledRule> rules) {
  std::vector<cep::ProgramId> started;
  for (const patterns::CompiledRule& rule : rules) put_rule(rule, started);
}

// Streams are the catalogue's; the number of a dropped rule's last version stays.
void RuleBook::drop(const patterns::Drop& drop) {
  if (drop.kind == patterns::DropKind::kRule) rules_.erase(drop.name);
  if (drop.kind == patterns::DropKind::kList) lists_.erase(drop.name);
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

cep::Status RuleBook::edit_list(const std::string& list, const std::function<cep::Status(cep::List&)>& change) {
  const auto known = lists_.find(list);
  if (known == lists_.end()) return cep::Error{"unknown_list", "no rule file declares a list `" + list + "`"};
  auto changed = std::make_shared<cep::List>(*known->second);
  const cep::Status status = change(*changed);
  if (status) known->second = std::move(changed);
  return status;
}

cep::RuleSetPtr RuleBook::build() const {
  std::vector<cep::RuleEntry> entries;
  for (const auto& [name, entry] : rules_) entries.push_back(entry);
  return cep::RuleSet::build(std::move(entries), lists_, catalog_.streams);
}

}  // namespace service
