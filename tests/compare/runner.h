// Runs a case through the engine and through the reference, and says what came of it.
// The engine is the whole path of a rule in one process: parser, compiler, clock, reorder buffer, matcher, alerts (service/pipeline).
// Rules whose runs can be merged run twice, with partial matches merged and each a run of its own: alerts, ids, their order and what
// readers see of half-finished matches must be the same.
// Invariant: what engine and reference are compared by is the set of alerts as text: time, key, measures, events, how many were folded.
// Threads: one owner each.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "service/rule_book.h"
#include "tests/compare/case.h"

namespace compare {

struct Outcome {
  enum class Kind {
    kCompared,
    kRefused,       // the text is no rule
    kLimited,       // more work than the reference wants to do, or than the engine's limits allow
  };
  Kind kind = Kind::kCompared;
  std::vector<std::string> reasons;              // of a refusal: code and message
  std::vector<std::string> engine;               // sorted
  std::vector<std::string> reference;
  bool merges = false;                           // runs of the rule can be merged
  std::vector<std::string> apart;                // if it gives something else with every run apart: that, and what it gives merged
  std::vector<std::string> merged;
  std::vector<std::string> expected;             // the reference's alerts as a script expects them
  bool differs() const { return kind == Kind::kCompared && (engine != reference || apart != merged); }
};

class Runner {
 public:
  explicit Runner(support::ReferenceBreak broken) : broken_(broken) {}

  Outcome run(const Case& one);

 private:
  struct World {
    service::RuleBook book;                      // streams and lists, no rules
  };
  const World& world(const Delays& delays);
  bool compile(const Case& one, Outcome& outcome);
  // All that a rule whose runs can be merged tells, in order: alerts with their ids, and half-finished matches on the way and at the end.
  std::vector<std::string> ask_engine(const Case& one, bool merges_runs, Outcome& outcome);
  void ask_engines(const Case& one, Outcome& outcome);
  void ask_reference(const Case& one, Outcome& outcome);

  support::ReferenceBreak broken_;
  std::map<Delays, World> worlds_;
  support::ReferenceLists lists_;
  std::string compiled_;                         // text and delays that `book_` holds: four cases in a row have the same
  Delays compiled_delays_{};
  Outcome compiled_outcome_;
  service::RuleBook book_;
  cep::RuleSetPtr rules_;
  patterns::SourceMap sources_;
  patterns::File tree_;
};

}  // namespace compare
