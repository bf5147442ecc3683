// The definition of a match, executable: what a rule must answer for given events, found by trying everything (R0-R52, R61-R69).
// It walks the pattern's tree anew for every start event and every thread, with no automaton, no state and no sharing. Every function
// names its rules. It is right because it is short; the engine is right if it agrees (tests/compare).
// Invariant: pure. Threads: one owner.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/reference_expr.h"

namespace support {

// Ways to be wrong on purpose: whoever compares with the reference must notice each.
enum class ReferenceBreak {
  kNone,
  kWindowEdge,       // exactly `within` apart is inside
  kArrowNoSkip,      // `->` does not skip
  kUntilIgnored,
  kAbsenceAtEvent,   // an event of the deadline's instant comes before it
  kSkipTooMuch,      // a skip drops its target as well
  kQuietEdge,        // exactly the quiet time apart is the same episode
  kAnyUsedUp,        // `->>` waits no longer once an event came
};

// "window_edge", "arrow_no_skip", "until_ignored", "absence_at_event", "skip_too_much", "quiet_edge", "any_used_up".
std::optional<ReferenceBreak> reference_break(std::string_view name);

struct ReferenceStep {               // an event, or a watermark
  const ReferenceRow* row = nullptr;
  cep::TimeUs watermark = cep::kTimeMin;
};

struct ReferenceAlert {
  cep::TimeUs time = 0;
  std::vector<cep::Value> key;
  std::vector<std::pair<std::string, const ReferenceRow*>> events;
  std::vector<cep::Value> measures;
  uint64_t suppressed = 0;
};

class Reference {
 public:
  Reference(const patterns::RuleDecl& rule, const std::map<std::string, cep::SchemaPtr>& streams, const ReferenceLists& lists,
            ReferenceBreak broken);

  // By key, in order. None: more questions than `work_max` had to be asked.
  std::optional<std::vector<ReferenceAlert>> alerts(const std::vector<ReferenceStep>& steps, uint64_t work_max) const;

  struct Part;                       // of a pattern
  using Sequence = std::vector<Part>;
  struct Part {
    enum class Kind { kVariable, kNot, kGroup };
    Kind kind = Kind::kGroup;
    patterns::Link link = patterns::Link::kNone;       // on the way to it
    cep::DurationUs at_least = 0;
    cep::DurationUs less_than = cep::kTimeMax;
    std::vector<size_t> variables;                     // kVariable: one; kNot: any of them
    std::optional<cep::DurationUs> absent_for;
    std::vector<Sequence> branches;                    // kGroup
    std::optional<cep::DurationUs> within;             // of one round
    uint32_t min = 1;
    uint32_t max = 1;
    bool taken = false;                                // of an order of a permute in which it is not left out
    patterns::Link again = patterns::Link::kSkip;      // to another round
    cep::DurationUs again_at_least = 0;
    cep::DurationUs again_less_than = cep::kTimeMax;
    bool greedy = false;
    const patterns::Expr* until = nullptr;
  };

  size_t input(const std::string& name) const;

  const patterns::RuleDecl& rule;
  ReferenceNames names;
  Part pattern;
  std::vector<const patterns::Condition*> defines;     // by variable; null: fits every event
  std::vector<std::optional<size_t>> define_inputs;    // by variable
  ReferenceBreak broken;

 private:
  Part part_of(const patterns::Item& item);
  Sequence sequence_of(const patterns::Sequence& sequence);
  std::vector<Sequence> permuted(const patterns::Item& item);
  size_t variable(const std::string& name);
  std::vector<const ReferenceRow*> released(const std::vector<ReferenceStep>& steps, cep::TimeUs* watermark) const;
  std::optional<std::vector<cep::Value>> key_of(const ReferenceRow& row, size_t input) const;

  std::vector<cep::SchemaPtr> streams_;                // by input
};

}  // namespace support
