// What to do about a diagnostic, where that is the same wherever it is reported. Whoever reports it may say something better.
#pragma once

#include <string_view>

#include "patterns/diagnostic.h"

namespace patterns {

struct DefaultHint {
  Code code;
  std::string_view hint;
};

inline constexpr DefaultHint kDefaultHints[] = {
    {Code::kUnclosedComment, "close it with `*/`"},
    {Code::kBadUtf8, "save the file as UTF-8"},
    {Code::kEmptyName, "write a name between the quotes"},
    {Code::kDuplicateName, "choose another name"},
    {Code::kNotAggregate, "leave it out"},
    {Code::kNotConstant, "write the value itself: it is the same for every event"},
    {Code::kBadRegex, "a `(`, `[`, `*`, `+`, `?` or `.` that means itself has a `\\` before it"},
    {Code::kTupleWidth, "write as many values as the list, or the key of the table, has"},
    {Code::kStrictAfterAbsence, "write `->`: the absence is over at its deadline, and then the next one counts"},
    {Code::kHeadNotStrict, "write `->`"},
    {Code::kHeadNotNames, "a NOT at the head looks back: its condition knows only its own event"},
    {Code::kNotBound, "compare inside the condition of the NOT, or name a variable that takes an event"},
    {Code::kNothingBound, "say what comes before it: `a -> not b for 1 hour`"},
    {Code::kKeyType, "name columns of one type"},
    {Code::kOverPlace, "windows stand in `when` and in `define`"},
    {Code::kExprDepth, "leave out parentheses that change nothing, or split the condition"},
    {Code::kPatternNesting, "leave out parentheses that group nothing, or split the rule"},
    {Code::kTooBig, "ask for fewer rounds, or count with a window: `count(*) over (last 1 hour) > 100`"},
    {Code::kTooManyVariables, "variables that stand side by side with `|` can be one, with `or` in its condition"},
    {Code::kRegexSize, "make several conditions with `or`, or put the values into a list: `in @list`"},
    {Code::kTooManyRoads, "have fewer optional items in a row, or write two rules"},
    {Code::kTooManyClocks, "give the whole pattern a `within`, or the links a gap: `-> [5 minutes] b`"},
    {Code::kInUse, "drop or change that first"},
    {Code::kIntoType, "cast it in a measure of the column's name, or declare the column with its type"},
    {Code::kFromRulesOption, "leave it out"},
    {Code::kUnreachable, "make the pattern's `within` longer, or the waiting shorter"},
    {Code::kShadowed, "give the later one a condition that the loop's events do not fit"},
    {Code::kSkipTargetOptional, "skip to a variable that is always bound if that is not meant"},
    {Code::kDecisionAbsence, "leave `decision` out: the alert comes all the same"},
    {Code::kQuadratic, "say how many rounds at most, `a{1,5}`, or let one event start the match: `first -> a+`"},
    {Code::kExplicitRuns, "say how many rounds at most, `{1,5}`, where a key may have many"},
};

}  // namespace patterns
