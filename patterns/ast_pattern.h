// The tree of a pattern, as written: alternations of sequences of items, with links, gaps and loops.
// Invariant: every node has the span of its text; only the members its kind names are in use.
// Threads: plain values. See ast.h for the rule on errors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "patterns/ast_expr.h"

namespace patterns {

enum class Link : uint8_t { kNone, kNext, kSkip, kAny };   // first of its sequence; `,`; `->`; `->>`

struct Gap {
  std::optional<Duration> at_least;
  Duration less_than;
  Span span;
};

struct Quantifier {
  uint32_t min = 0;
  std::optional<uint32_t> max;   // none: unbounded
  Span span;
  bool repeats() const { return !max || *max > 1; }
};

enum class LoopMode : uint8_t { kRelaxed, kStrict, kAny };

enum class ItemKind : uint8_t {
  kError,
  kVariable,   // name
  kNot,        // not name, not (a | b): names; absence_for
  kGroup,      // (alt within w): group, within
  kPermute,    // permute(a, b): members, each with link kNone
};

struct Alternation;

struct Item {
  ItemKind kind = ItemKind::kError;
  Span span;                               // the item itself, quantifier and modifiers included, link and gap not
  Link link = Link::kNone;                 // how it is reached from the item before it
  Span link_span;
  std::optional<Gap> gap;                  // on that link
  Name name;
  std::vector<Name> names;
  std::optional<Duration> absence_for;
  std::unique_ptr<Alternation> group;
  std::optional<Duration> within;          // one round of the group
  std::vector<Item> members;
  std::optional<Quantifier> quantifier;
  LoopMode mode = LoopMode::kRelaxed;
  bool greedy = false;
  std::optional<Gap> loop_gap;             // between rounds
  ExprPtr until;
};

struct Sequence {
  std::vector<Item> items;   // at least one
  Span span;
};

struct Alternation {
  std::vector<Sequence> branches;   // at least one
  Span span;
};

}  // namespace patterns
