// Runs a case through the engine and through the reference, and says what came of it.
// The engine is the whole path of a rule in one process: parser, compiler, clock, reorder buffer, matcher, alerts (service/pipeline).
// Invariant: what two sides are compared by is the set of alerts as text: time, key, measures, events, and how many were folded.
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
  std::vector<std::string> expected;             // the reference's alerts as a script expects them
  bool differs() const { return kind == Kind::kCompared && engine != reference; }
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
  void ask_engine(const Case& one, Outcome& outcome);
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
