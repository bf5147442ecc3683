// The one table of diagnostic codes. Add rows, never reuse or renumber one: rule authors silence lints by code. E0128, E0304, E0305, W0102
// and W0405 are taken: nothing reports them any more.
// E00xx text and tokens, E01xx names and types, E02xx pattern shape, E03xx keys, windows and time, E04xx limits and
// cost, E05xx deployment; W likewise. Columns: id, code, name (E-KEY-TYPE is key-type), rule in language_rules, text.
#pragma once

// clang-format off
#define WEIR_DIAGNOSTIC_CODES(X) \
  X(kBadToken, "E0001", "bad-token", "", "`{}` is no part of the language") \
  X(kUnclosedString, "E0002", "unclosed-string", "", "this string has no closing `'`") \
  X(kUnclosedName, "E0003", "unclosed-name", "", "this quoted name has no closing `\"`") \
  X(kUnclosedComment, "E0004", "unclosed-comment", "", "this comment has no closing `*/`") \
  X(kArrowComment, "E0005", "arrow-comment", "", "`-->` begins a comment and is no arrow") \
  X(kBadNumber, "E0006", "bad-number", "", "`{}` is not a number") \
  X(kNumberRange, "E0007", "number-range", "R53", "`{}` is too large for {}") \
  X(kMissingSemicolon, "E0008", "missing-semicolon", "", "the statement is not ended before `{}`") \
  X(kUnexpected, "E0009", "unexpected", "", "expected {}, found {}") \
  X(kBadUtf8, "E0010", "bad-utf8", "", "the text is not UTF-8 here") \
  X(kReservedWord, "E0011", "reserved-word", "", "`{}` is a reserved word and cannot be {}") \
  X(kClauseTwice, "E0012", "clause-twice", "", "`{}` is written twice") \
  X(kMissingClause, "E0013", "missing-clause", "", "rule `{}` has no {}") \
  X(kClauseConflict, "E0014", "clause-conflict", "", "a rule with `when` has no `{}`") \
  X(kOptionTwice, "E0015", "option-twice", "", "`{}` is given twice") \
  X(kChainedComparison, "E0016", "chained-comparison", "", "comparisons do not chain") \
  X(kCalendarUnit, "E0017", "calendar-unit", "", "`{}` has no fixed length") \
  X(kDurationRange, "E0018", "duration-range", "", "`{}` is {}") \
  X(kUnknownOperator, "E0019", "unknown-operator", "", "there is no `{}`") \
  X(kTuplePlace, "E0020", "tuple-place", "R60", "a tuple stands only left of `in @list`") \
  X(kDistinctOne, "E0021", "distinct-one", "", "`distinct` takes one argument") \
  X(kMissingAs, "E0022", "missing-as", "", "`as` is missing before `{}`") \
  X(kDefineCondition, "E0023", "define-condition", "", "`{}` has no condition") \
  X(kMisplacedWord, "E0024", "misplaced-word", "", "`{}` does not stand here") \
  X(kEmptyName, "E0025", "empty-name", "", "a name has at least one character") \
  X(kUnknownStream, "E0101", "unknown-stream", "", "unknown stream `{}`") \
  X(kUnknownVariable, "E0102", "unknown-variable", "R41", "unknown variable `{}`") \
  X(kUnknownField, "E0103", "unknown-field", "R41", "unknown field `{}` on stream `{}`") \
  X(kUnknownFunction, "E0104", "unknown-function", "", "unknown function `{}`") \
  X(kTypeClash, "E0105", "type-clash", "R58", "{} does not go with {} in `{}`") \
  X(kNotCondition, "E0106", "not-condition", "", "a condition is needed here, this is {}") \
  X(kArgumentCount, "E0107", "argument-count", "", "`{}` takes {}, not {}") \
  X(kArgumentType, "E0108", "argument-type", "", "`{}` takes {}, not {}") \
  X(kDuplicateName, "E0109", "duplicate-name", "", "`{}` is already the name of {}") \
  X(kUnknownInput, "E0110", "unknown-input", "", "`{}` is no input of the rule") \
  X(kUnknownList, "E0111", "unknown-list", "R60", "unknown list `{}`") \
  X(kUnknownTable, "E0112", "unknown-table", "R60", "unknown table `{}`") \
  X(kFieldNotInAll, "E0113", "field-not-in-all", "R40", "not every input has a field `{}`") \
  X(kNotAggregate, "E0114", "not-aggregate", "", "`{}` is no aggregate and takes no `{}`") \
  X(kNotConstant, "E0115", "not-constant", "", "{} must be a constant") \
  X(kBadRegex, "E0116", "bad-regex", "R57", "the pattern is not valid: {}") \
  X(kBadZone, "E0117", "bad-zone", "R56", "unknown time zone `{}`") \
  X(kBadTimestamp, "E0118", "bad-timestamp", "R55", "`{}` is not a time") \
  X(kUnknownType, "E0119", "unknown-type", "", "unknown type `{}`") \
  X(kTypeRange, "E0120", "type-range", "", "`{}` is out of range: {}") \
  X(kUnknownWord, "E0121", "unknown-word", "R36", "`{}` is no {}") \
  X(kUnknownPlaceholder, "E0122", "unknown-placeholder", "", "`{}` in the message is no measure, key or field") \
  X(kBadPlaceholder, "E0123", "bad-placeholder", "", "a `{` in the message is not closed") \
  X(kUnknownSink, "E0124", "unknown-sink", "", "unknown sink `{}`") \
  X(kBadPath, "E0125", "bad-path", "", "`{}` is not a JSON pointer") \
  X(kWhichEvents, "E0126", "which-events", "R44", "`{}`: of which events?") \
  X(kTupleWidth, "E0127", "tuple-width", "R60", "{} does not fit {}") \
  X(kUnknownColumn, "E0129", "unknown-column", "R60", "table `{}` has no column `{}`") \
  X(kNotUnbounded, "E0201", "not-unbounded", "R21", "nothing says when `not {}` is over") \
  X(kQuantifierRange, "E0202", "quantifier-range", "", "`{}` is no number of rounds") \
  X(kNeedsLoop, "E0203", "needs-loop", "", "`{}` needs a loop") \
  X(kLoopWords, "E0204", "loop-words", "", "`{}` does not go with `{}`") \
  X(kReluctant, "E0205", "reluctant", "R3", "there is no `{}`") \
  X(kNotGap, "E0206", "not-gap", "", "a NOT's own link takes no gap") \
  X(kGapPlace, "E0207", "gap-place", "R10", "a gap stands behind its arrow") \
  X(kWithinPlace, "E0208", "within-place", "R11", "`within` of a group stands inside its parentheses") \
  X(kNotQuantified, "E0209", "not-quantified", "", "a NOT takes no quantifier") \
  X(kPermuteShape, "E0210", "permute-shape", "R12", "`permute` takes {}") \
  X(kGapRange, "E0211", "gap-range", "R10", "the gap is empty: `{}` is not less than `{}`") \
  X(kStrictAfterAbsence, "E0212", "strict-after-absence", "R23", "`,` cannot follow `not {} for`") \
  X(kHeadNotNames, "E0213", "head-not-names", "R24", "nothing is bound yet where `{}` is used") \
  X(kHeadNotStrict, "E0214", "head-not-strict", "R24", "`,` cannot follow a NOT at the head") \
  X(kNotForMix, "E0215", "not-for-mix", "R26", "of several NOTs in one gap all or none have `for`") \
  X(kNotBound, "E0216", "not-bound", "R28", "`{}` stands only under NOT and is never bound") \
  X(kSkipTarget, "E0217", "skip-target", "R30", "`{}` is no variable of the pattern") \
  X(kFieldPath, "E0218", "field-path", "R41", "the last event may have no field `{}`") \
  X(kForwardName, "E0219", "forward-name", "R45", "`{}` comes later than the condition that uses it") \
  X(kAggregateMix, "E0220", "aggregate-mix", "R44", "an aggregate takes fields of one variable") \
  X(kNotInPattern, "E0221", "not-in-pattern", "", "`{}` is not in the pattern") \
  X(kNothingBound, "E0222", "nothing-bound", "R16", "the pattern has no item that takes an event") \
  X(kSubsetPlace, "E0223", "subset-place", "R28", "`{}` is a subset, which {}") \
  X(kKeyType, "E0301", "key-type", "R1", "key column `{}` has two types: {} and {}") \
  X(kKeyCount, "E0302", "key-count", "R1", "every input needs the same number of key columns") \
  X(kKeyForm, "E0303", "key-form", "R58", "{} cannot be a key") \
  X(kPartAlias, "E0306", "part-alias", "R1", "a computed key column needs a name") \
  X(kWindowAggregate, "E0307", "window-aggregate", "R51", "`{}` is not there over this window") \
  X(kPrevPlace, "E0308", "prev-place", "R50", "`{}` does not stand here") \
  X(kTimeField, "E0309", "time-field", "R55", "event time `{}` must be a timestamp not null") \
  X(kWindowInput, "E0310", "window-input", "R48", "which input does this window read?") \
  X(kOverPlace, "E0311", "over-place", "R48", "`over` does not stand here") \
  X(kThisPlace, "E0312", "this-place", "R41", "`this` stands only in the filter or argument of a window") \
  X(kDistinctCount, "E0313", "distinct-count", "", "`distinct` goes with `count`, not with `{}`") \
  X(kWindowRows, "E0314", "window-rows", "R51", "{} rows are no window: from 1 to {}") \
  X(kTextSize, "E0401", "text-size", "", "the text is longer than {} bytes") \
  X(kExprDepth, "E0402", "expr-depth", "", "the expression is nested deeper than {}") \
  X(kExprNodes, "E0403", "expr-nodes", "", "the expression has more than {} parts") \
  X(kPatternNesting, "E0404", "pattern-nesting", "", "the pattern is nested deeper than {}") \
  X(kInLength, "E0405", "in-length", "", "`in (...)` has more than {} values") \
  X(kTooBig, "E0406", "too-big", "", "the rule needs {} states, {} are allowed") \
  X(kHops, "E0407", "hops", "R76", "streams made of alerts reach over more than {} hops") \
  X(kTooManyVariables, "E0408", "variables", "", "the rule has {} variables, {} are allowed") \
  X(kRegexSize, "E0409", "regex-size", "R57", "the regular expression is too long: {}") \
  X(kTooManyRoads, "E0411", "too-many-roads", "", "behind `{}` the rule can go on in {} ways, {} are allowed") \
  X(kTooManyClocks, "E0412", "too-many-clocks", "R11", "more than {} groups of the pattern have `within`") \
  X(kCycle, "E0501", "cycle", "R76", "alerts of `{}` come back to their own rule") \
  X(kStreamChange, "E0502", "stream-change", "R73", "stream `{}` cannot change so: {}") \
  X(kUnknownDrop, "E0503", "unknown-drop", "", "there is no {} `{}`") \
  X(kInUse, "E0504", "in-use", "", "{} `{}` is used by {}") \
  X(kIntoStream, "E0505", "into-stream", "R76", "`{}` is not a stream `from rules`") \
  X(kTwiceInFile, "E0506", "twice-in-file", "", "{} `{}` is created twice") \
  X(kListChange, "E0507", "list-change", "R60", "list `{}` already has other types: {}") \
  X(kIntoType, "E0508", "into-type", "R76", "column `{}` of `{}` is {}, and rule `{}` has {} for it") \
  X(kIntoNull, "E0509", "into-null", "R76", "column `{}` of `{}` is `not null`, and rule `{}` may have nothing for it") \
  X(kFromRulesOption, "E0510", "from-rules-option", "R76", "a stream `from rules` takes no `{}`: nothing arrives at it from outside") \
  X(kTableChange, "E0511", "table-change", "R60", "table `{}` already has other columns or another key") \
  X(kBadAllow, "W0001", "bad-allow", "", "this comment silences nothing") \
  X(kUndefined, "W0101", "undefined", "", "`{}` has no definition and fits every event") \
  X(kPii, "W0103", "pii", "", "the message shows `{}`") \
  X(kFloatEq, "W0104", "float-eq", "R53", "a float is seldom equal to a decimal") \
  X(kNullHistory, "W0105", "null-history", "R42", "without history `{}` is null and the condition unknown") \
  X(kNeverTrue, "W0106", "never-true", "R52", "this is never true") \
  X(kAltSplit, "W0201", "alt-split", "R13", "`|` splits the whole path") \
  X(kVarTwice, "W0202", "var-twice", "R14", "`{}` stands twice in one path") \
  X(kEmpty, "W0203", "empty", "R16", "the pattern can be empty, and an empty match is never emitted") \
  X(kNotVacuous, "W0204", "not-vacuous", "R20", "`not {}` does not hold the match back") \
  X(kNeedsEvent, "W0205", "needs-event", "R22", "`, not {}` at the end waits for the next event for ever") \
  X(kPrefixAbsence, "W0206", "prefix-absence", "R27", "every event of the loop has a deadline of its own") \
  X(kMaybeUnbound, "W0207", "maybe-unbound", "R45", "`{}` is not bound on every path and may be null") \
  X(kNeverStarts, "W0208", "never-starts", "R43", "`{}` is null in the first round, which then never fits") \
  X(kUnreachable, "W0209", "unreachable", "R10", "this can never be reached: {}") \
  X(kShadowed, "W0210", "shadowed", "R7", "`{}` is always taken before `{}` can be") \
  X(kSkipTargetOptional, "W0211", "skip-target-optional", "R30", "`{}` may be unbound: then past the last row") \
  X(kTrailingLoop, "W0212", "trailing-loop", "R32", "a loop at the end completes with its first round") \
  X(kEpisodeSingle, "W0213", "episode-single", "R33", "every episode is one match: no other can come of its start") \
  X(kPinned, "W0301", "pinned", "R49", "the window is by another key: one shard holds the whole rule") \
  X(kPrevHorizon, "W0302", "prev-horizon", "R50", "`prev` looks back {}, beyond that it is null") \
  X(kForever, "W0303", "forever", "R51", "`over (all)` keeps an entry per key for ever") \
  X(kNullableUnique, "W0304", "nullable-unique", "R68", "`{}` may be null, and then the event is never a duplicate") \
  X(kNullableKey, "W0305", "nullable-key", "R69", "`{}` may be null, and then the rule does not see the event") \
  X(kGlobal, "W0306", "global", "R70", "without `partition by` one shard holds the whole rule") \
  X(kLongerThanLog, "W0307", "longer-than-log", "R75", "the window is longer than the log is kept") \
  X(kDecisionAbsence, "W0308", "decision-absence", "R37", "the rule completes at a deadline and answers no request") \
  X(kDecisionDelay, "W0309", "decision-delay", "R37", "with a delay the verdict is a peek and not final") \
  X(kNoWithin, "W0401", "no-within", "", "without `within` a run lives for {}") \
  X(kExponential, "W0402", "exponential", "", "runs double with every event") \
  X(kQuadratic, "W0403", "quadratic", "", "every start keeps a run of every length") \
  X(kExplicitRuns, "W0404", "explicit-runs", "", "the condition looks at bound events, so runs are kept one by one") \
  X(kScan, "W0406", "scan", "", "`this` in the filter reads the whole window for every event") \
  X(kStateAllKeys, "W0407", "state-all-keys", "", "state is kept for keys that never match") \
  X(kNoisy, "W0408", "noisy", "R40", "the rule fires on every true event")
// clang-format on
