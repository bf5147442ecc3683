// The other rules of the mode `amid`: 200 rules over what a case's own rules read, under the same keys, so that they share its timelines,
// key spaces, blocks, predicates and windows, and nothing of its alerts may change by that.
// Invariant: the crowd depends on the case's streams and rules alone. What differs only in the case's events is compiled once.
// Threads: one owner.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cep/result.h"
#include "service/rule_book.h"

namespace service {

class ScriptCrowd {
 public:
  static constexpr size_t kRules = 200;

  // The case's rules among kRules others; those are not in the catalogue, so a script may still drop what they read. Without a rule
  // in `own` there is nothing to stand amid: the same book. Error: bad_crowd, a rule of the crowd does not compile.
  cep::Result<RuleBook> amid(const RuleBook& own);

 private:
  std::map<std::string, std::vector<patterns::CompiledRule>> compiled_;      // by declarations and texts
};

}  // namespace service
