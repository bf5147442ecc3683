// The rules, streams, lists and tables in force, by name, and their versions: what texts are compiled against and rule sets are built from.
// A plain value: a change is tried on a copy. A rule keeps its program number across a cosmetic change (R73); a dropped rule's
// versions continue when it comes back. Threads: one owner.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/rule_set.h"
#include "patterns/catalog.h"
#include "patterns/compile.h"
#include "service/dataset_change.h"

namespace service {

class RuleBook {
 public:
  // Compiles the files as one deployment against the book and, if there is no error, applies it. Appends the programs that start anew (new
  // rules, and those whose matching changed) to `to_warm`. False: `diagnostics` say why and the book is as it was.
  bool compile(const patterns::SourceMap& sources, std::span<const patterns::FileId> files,
               patterns::Diagnostics& diagnostics, std::vector<cep::ProgramId>& to_warm);

  // Rules compiled from here on may send to these sinks only; until then to any.
  void know_sinks(std::vector<std::string> names) { catalog_.sinks = std::move(names); }

  // Edits a list or table. Errors: unknown_dataset, those of `edited` (dataset_change.h).
  cep::Status edit(const DatasetChange& change);

  // Rules compiled elsewhere against the same catalogue. They are in force, and nothing they read is in use by that.
  void put_compiled(std::span<const patterns::CompiledRule> rules);

  cep::RuleSetPtr build() const;
  const patterns::Catalog& catalog() const { return catalog_; }
  const std::map<std::string, cep::RuleEntry>& rules() const { return rules_; }
  const std::map<std::string, cep::SchemaPtr>& streams() const { return catalog_.streams; }
  const cep::Datasets& datasets() const { return datasets_; }
  // The list (or table) of that name; null: there is none.
  const cep::Dataset* dataset(const std::string& name, bool is_table) const;

 private:
  void drop(const patterns::Drop& drop);
  void put_rule(const patterns::CompiledRule& rule, std::vector<cep::ProgramId>& to_warm);

  patterns::Catalog catalog_;
  cep::Datasets datasets_;
  std::map<std::string, cep::RuleEntry> rules_;
  std::map<std::string, uint32_t> versions_;      // newest number given to a name, dropped rules included
  uint32_t next_program_ = 1;
};

}  // namespace service
