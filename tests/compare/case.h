// One case of the comparison: a rule as text, and events and watermarks to feed it. Two streams with the same columns, two lists, a table.
// Plain data; texts of values are constants of the program.
#pragma once

#include <array>
#include <bitset>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/reference_matcher.h"

namespace compare {

// What a case has in it. Each is in at least 5 % of the cases.
#define COMPARE_FEATURES(X)                                                                                                     \
  X(kNext, "link ,") X(kAny, "link ->>") X(kLinkGap, "gap on a link") X(kOptional, "optional") X(kLoop, "loop")                 \
  X(kLoopStrict, "loop strict") X(kLoopAny, "loop any") X(kGreedy, "greedy") X(kUntil, "until") X(kLoopGap, "gap of a loop")    \
  X(kGroup, "group") X(kGroupLoop, "loop over a group") X(kGroupWithin, "within of a group") X(kAlternation, "alternation")     \
  X(kPermute, "permute") X(kNot, "not in the middle") X(kNotNext, "`, not`") X(kNotFor, "not for in the middle")                \
  X(kAbsence, "absence at the end") X(kHeadNot, "head not") X(kWithin, "within") X(kSkipPast, "skip past last row")             \
  X(kSkipNext, "skip to next row") X(kSkipTo, "skip to first/last") X(kNoSkip, "no skip") X(kSuppress, "suppress")              \
  X(kHaving, "having") X(kMeasures, "measures") X(kBoundValue, "bound values") X(kBoundAggregate, "bound aggregates")           \
  X(kWindow, "window last w") X(kWindowFilter, "window filter") X(kExclude, "exclude current") X(kRows, "window of rows")       \
  X(kAll, "over (all)") X(kFirstLast, "first/last over") X(kPrev, "prev") X(kSubset, "subset") X(kEpisode, "emit episode")      \
  X(kBoundFilter, "filter of bound events") X(kMerged, "merged runs")                                                           \
  X(kWhen, "when") X(kStreams, "several streams") X(kRoles, "one stream twice") X(kFilter, "source filter")                     \
  X(kTwoColumns, "key of two columns") X(kNoKey, "no key") X(kKeys, "several keys") X(kList, "list") X(kLookUp, "look-up")      \
  X(kArithmetic, "arithmetic")                                                                                                  \
  X(kTies, "equal times") X(kNulls, "nulls") X(kDelay, "delay") X(kDisorder, "disorder") X(kLate, "late") X(kWatermark, "watermark")     \
  X(kLong, "long texts")

enum Feature : size_t {
#define X(id, name) id,
  COMPARE_FEATURES(X)
#undef X
      kFeatures
};
inline constexpr std::string_view kFeatureNames[] = {
#define X(id, name) name,
    COMPARE_FEATURES(X)
#undef X
};
using FeatureSet = std::bitset<kFeatures>;

enum Column : size_t { kX, kV, kAmt, kF, kFlag, kG, kG2, kH, kAt, kColumns };
using Delays = std::array<int, 2>;                       // of the two streams, in seconds

struct Step {
  int stream = 0;                                        // -1: a watermark at `time`
  cep::TimeUs time = 0;
  std::vector<cep::Value> fields;                        // by Column
};

struct Case {
  uint64_t number = 0;
  std::string rule;
  Delays delays{};
  std::vector<Step> steps;
  FeatureSet features;
};

inline constexpr cep::TimeUs kClock = 1'767'571'200 * cep::kSecond;     // that of a script

inline constexpr std::string_view kListValues[] = {"a", "bc", "d"};
inline constexpr std::pair<std::string_view, int> kPairValues[] = {{"a", 1}, {"b", 2}, {"ab", 3}, {"c", 0}};
inline constexpr std::pair<std::string_view, int> kRateValues[] = {{"a", 2}, {"c", 0}, {"bc", 4}};

// `create stream`, `create list` and `create table` of everything.
std::string declarations(const Delays& delays);
// The case as a script of `weir test`, with `expected` behind the events and `remarks` before all.
std::string as_script(const Case& one, const std::vector<std::string>& expected, const std::vector<std::string>& remarks);

}  // namespace compare
