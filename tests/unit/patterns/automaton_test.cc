// Golden automata: the states and edges of the examples of language_rules.md. What a pattern means is decided here.
#include <gtest/gtest.h>

#include <set>

#include "patterns/explain.h"
#include "tests/unit/patterns/compile_support.h"

namespace patterns {
namespace {

struct Golden {
  const char* rule;  // of language_rules.md
  const char* pattern;
  const char* automaton;  // the dump from `state 0` on
};

const Golden kGolden[] = {
    {"", "a, b", R"(state 0
  -> 1 a
state 1 a
  , 2 b
state 2 b accepts
)"},
    {"", "a -> b", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
state 2 b accepts
)"},
    {"", "a ->> b", R"(state 0
  -> 1 a
state 1 a
  ->> 2 b
state 2 b accepts
)"},
    {"R10", "a -> [1 minute, 5 minutes] b", R"(state 0
  -> 1 a
state 1 a
  -> 2 b [1 minute, 5 minutes]
state 2 b accepts
)"},
    {"R5", "a -> b?, c", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
  , 3 c
state 2 b
  , 3 c
state 3 c accepts
)"},
    {"R6", "a -> b? -> c", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
  -> 3 c
state 2 b
  -> 3 c
state 3 c accepts
)"},
    {"R2", "c -> a+ -> d", R"(state 0
  -> 1 c
state 1 c
  -> 2 a
state 2 a
  -> 2 a
  -> 3 d
state 3 d accepts
)"},
    {"R3, skipped too", "c -> a* greedy -> d", R"(state 0
  -> 1 c
state 1 c
  -> 2 a
  -> 3 d unless a
state 2 a
  -> 2 a
  -> 3 d unless a
state 3 d accepts
)"},
    {"R3, no guard at the maximum", "c -> a{1,2} greedy -> b", R"(state 0
  -> 1 c
state 1 c
  -> 2 a
state 2 a
  -> 3 a
  -> 4 b unless a
state 3 a
  -> 4 b
state 4 b accepts
)"},
    {"", "a -> b? greedy -> c", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
  -> 3 c unless b
state 2 b
  -> 3 c
state 3 c accepts
)"},
    {"R3, of a group", "c -> (a -> b)+ greedy -> d", R"(state 0
  -> 1 c
state 1 c
  -> 2 a
state 2 a
  -> 3 b
state 3 b
  -> 2 a
  -> 4 d unless a
state 4 d accepts
)"},
    {"R4", "c -> a+ until (v = 5) -> d", R"(state 0
  -> 1 c
state 1 c
  -> 2 a not entered at until#1
state 2 a until#1
  -> 2 a ended by 0
  -> 3 d
state 3 d accepts
)"},
    {"R3, R4", "c -> a* greedy until (v = 5) -> d", R"(state 0
  -> 1 c
state 1 c until#1
  -> 2 a not entered at until#1
  -> 3 d unless a lifted by 0
state 2 a until#1
  -> 2 a ended by 0
  -> 3 d unless a lifted by 0
state 3 d accepts
)"},
    {"R4, unfinished round", "(a -> b)+ until (v = 1) -> d", R"(state 0
  -> 1 a not entered at until#1
state 1 a until#1
  -> 2 b ended by 0
state 2 b until#1
  -> 1 a ended by 0
  -> 3 d
state 3 d accepts
)"},
    {"R9", "b{3} [2 minutes]", R"(state 0
  -> 1 b
state 1 b
  -> 2 b [2 minutes]
state 2 b
  -> 3 b [2 minutes]
state 3 b accepts
)"},
    {"", "a{2,} strict", R"(state 0
  -> 1 a
state 1 a
  , 2 a
state 2 a accepts
  , 2 a
)"},
    {"R17", "a+ any -> b", R"(state 0
  -> 1 a
state 1 a
  ->> 1 a
  -> 2 b
state 2 b accepts
)"},
    {"R11", "(a{2} within 10 minutes) -> [5 minutes] b", R"(state 0
  -> 1 a starts clock 0
state 1 a
  -> 2 a in clock 0
state 2 a
  -> 3 b [5 minutes]
state 3 b accepts
clock 0: 10 minutes
)"},
    {"R11, each round", "(a -> b within 1 minute){2}", R"(state 0
  -> 1 a starts clock 0
state 1 a
  -> 2 b in clock 0
state 2 b
  -> 3 a starts clock 0
state 3 a
  -> 4 b in clock 0
state 4 b accepts
clock 0: 1 minute
)"},
    {"R13", "a -> (b | c) -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
  -> 3 c
state 2 b
  -> 4 d
state 3 c
  -> 4 d
state 4 d accepts
)"},
    {"R14", "a -> b -> a", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
state 2 b
  -> 3 a
state 3 a accepts
)"},
    {"R16", "a*", R"(state 0
  -> 1 a
state 1 a accepts
  -> 1 a
)"},
    {"R16", "(a?)+ -> b", R"(state 0
  -> 1 a
state 1 a
  -> 1 a
  -> 2 b
state 2 b accepts
)"},
    {"R18", "a -> not b ->> c? ->> d", R"(state 0
  -> 1 a
state 1 a
  ->> 2 c unless b
  ->> 3 d unless b
state 2 c
  ->> 3 d
state 3 d accepts
)"},
    {"R19", "a -> b+ -> not c -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
state 2 b
  -> 2 b unless c
  -> 3 d unless c
state 3 d accepts
)"},
    {"R19, behind a group", "(a -> b)+ -> not c -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
state 2 b
  -> 1 a unless c
  -> 3 d unless c
state 3 d accepts
)"},
    {"R19", "a+, not b -> c", R"(state 0
  -> 1 a
state 1 a
  -> 1 a unless next b
  -> 2 c unless next b
state 2 c accepts
)"},
    {"R19", "a{2}, not b -> c", R"(state 0
  -> 1 a
state 1 a
  -> 2 a
state 2 a
  -> 3 c unless next b
state 3 c accepts
)"},
    {"R20", "a -> not b -> c?", R"(state 0
  -> 1 a
state 1 a accepts
  -> 2 c unless b
state 2 c accepts
)"},
    {"R21", "a -> b -> not c for 1 hour within 2 hours", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
state 2 b
  absent for 1 hour unless c for 1 hour
within 2 hours
)"},
    {"R21", "a -> not b within 1 hour", R"(state 0
  -> 1 a
state 1 a
  absent unless b
within 1 hour
)"},
    {"R22", "a, not b", R"(state 0
  -> 1 a
state 1 a
  absent next unless next b
)"},
    {"R22", "a, not b for 1 hour", R"(state 0
  -> 1 a
state 1 a
  absent next for 1 hour unless next b for 1 hour
)"},
    {"R23", "a -> not b for 1 hour -> c", R"(state 0
  -> 1 a
state 1 a
  -> 2 c [1 hour, ..] unless b for 1 hour
state 2 c accepts
)"},
    {"R24", "not b for 1 hour -> a -> c", R"(state 0
  -> 1 a unless before it b for 1 hour
state 1 a
  -> 2 c
state 2 c accepts
head not b for 1 hour
)"},
    {"R24", "not b -> a within 1 hour", R"(state 0
  -> 1 a unless before it b for 1 hour
state 1 a accepts
head not b for 1 hour
within 1 hour
)"},
    {"R24, only on the road that skips", "a? -> not b -> c within 1 hour", R"(state 0
  -> 1 a
  -> 2 c unless before it b for 1 hour
state 1 a
  -> 2 c unless b
state 2 c accepts
head not b for 1 hour
within 1 hour
)"},
    {"R25", "(a -> not b){2} within 1 hour", R"(state 0
  -> 1 a
state 1 a
  -> 2 a unless b
state 2 a
  absent unless b
within 1 hour
)"},
    {"R25", "a -> (not b for 1 hour | c)", R"(state 0
  -> 1 a
state 1 a
  -> 2 c
  absent for 1 hour unless b for 1 hour
state 2 c accepts
)"},
    {"R12", "permute(a, b?) -> c", R"(state 0
  -> 1 a
  -> 2 b
state 1 a
  -> 3 b
  -> 5 c
state 2 b
  -> 4 a
state 3 b
  -> 5 c
state 4 a
  -> 5 c
state 5 c accepts
)"},
    {"R24, with and without", "(not b for 1 hour -> a) | (a -> c)", R"(state 0
  -> 1 a unless before it b for 1 hour
  -> 2 a
state 1 a accepts
state 2 a
  -> 3 c
state 3 c accepts
head not b for 1 hour
)"},
    {"R26", "a -> not (b | c) -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 d unless b unless c
state 2 d accepts
)"},
    {"R27", "a+ -> not b for 1 hour", R"(state 0
  -> 1 a
state 1 a
  -> 1 a unless b for 1 hour
  absent for 1 hour unless b for 1 hour
)"},
    {"R5, inside a group", "a -> (b?, c) -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 b
  , 3 c
state 2 b
  , 3 c
state 3 c
  -> 4 d
state 4 d accepts
)"},
    {"", "a, (not b -> c)", R"(state 0
  -> 1 a
state 1 a
  -> 2 c unless next b
state 2 c accepts
)"},
    {"", "a -> not b for 1 hour -> not c for 2 hours -> d", R"(state 0
  -> 1 a
state 1 a
  -> 2 d [2 hours, ..] unless b for 1 hour unless c for 2 hours
state 2 d accepts
)"},
};

// Every letter of the pattern is a variable with a condition of its own.
std::string rule_of(const std::string& pattern) {
  std::set<char> letters;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const auto is_word = [&](size_t at) {
      return at < pattern.size() && std::isalnum(static_cast<unsigned char>(pattern[at])) != 0;
    };
    if (pattern[i] >= 'a' && pattern[i] <= 'd' && !is_word(i + 1) && (i == 0 || !is_word(i - 1)))
      letters.insert(pattern[i]);
  }
  std::string defines;
  for (const char letter : letters) {
    defines += (defines.empty() ? "" : ", ") + std::string(1, letter) + " as country = '" + letter + "'";
  }
  return kTx + "create rule r on tx pattern " + pattern + " define " + defines + " after match no skip alert;";
}

TEST(Automaton, GoldenDumps) {
  for (const Golden& golden : kGolden) {
    const Compiled compiled = compile_text(rule_of(golden.pattern));
    ASSERT_TRUE(compiled.deployment) << golden.pattern << "\n" << compiled.report;
    const cep::Program& program = *compiled.deployment->rules.at(0).program;
    std::string automaton = dump_lines(program, "state 0", true);
    automaton.erase(automaton.find("no skip\n"));
    EXPECT_EQ(automaton, golden.automaton) << golden.rule << ": " << golden.pattern;
  }
}

struct Refused {
  const char* pattern;
  std::vector<std::string> errors;  // code and marked text
};

TEST(Automaton, WhatHasNoMeaningIsRefused) {
  const Refused refused[] = {
      {"a -> not b", {"E0201 not b"}},
      {"a -> (not b) -> c?", {}},
      {"not b -> a", {"E0201 not b"}},
      {"a -> not b for 1 hour, c", {"E0212 ,"}},
      {"not b for 1 hour, a", {"E0214 ,"}},
      {"a -> not b for 1 hour -> not c -> d", {"E0215 not c"}},
      {"not a for 1 hour", {"E0222 pattern not a for 1 hour"}},
      {"a -> permute(b{400}, c{300}, d{400})", {"E0406 pattern a -> permute(b{400}, c{300}, d{400})"}},
      {"a{0,1000} -> b{1001}", {"E0406 pattern a{0,1000} -> b{1001}"}},
      {"a -> (b | c | b | c | b | c | b | c | b | c | b | c | b | c | b | c){5}", {}},
      {"(a? -> b? -> c? -> d?){400}", {}},
  };
  for (const Refused& it : refused) {
    const Compiled compiled = compile_text(rule_of(it.pattern));
    std::vector<std::string> errors;
    for (const std::string& error : compiled.errors)
      errors.push_back(error.substr(0, 6) + error.substr(error.find(' ', 6) + 1));
    EXPECT_EQ(errors, it.errors) << it.pattern << "\n" << compiled.report;
  }
}

// A state's live edges and untils are bits of one word.
TEST(Automaton, TooManyRoadsAreCounted) {
  std::string pattern = "a";
  for (int i = 0; i < 70; ++i) pattern += " -> b?";
  const Compiled compiled = compile_text(rule_of(pattern + " -> c"));
  ASSERT_EQ(codes(compiled.errors), std::vector<std::string>{"E0411"});
  EXPECT_NE(compiled.report.find("behind `a` the rule can go on in 71 ways, 63 are allowed"), std::string::npos)
      << compiled.report;
}

// Thousands of skippable items stop early instead of making millions of roads.
TEST(Automaton, ExplosionStopsEarly) {
  std::string pattern = "a";
  for (int i = 0; i < 1900; ++i) pattern += "->b?";
  EXPECT_EQ(codes(compile_text(rule_of(pattern)).errors), std::vector<std::string>{"E0411"});
}

TEST(Automaton, DotNamesEveryState) {
  const Compiled compiled = compile_text(rule_of("a -> b+ -> not c for 1 hour"));
  ASSERT_TRUE(compiled.deployment) << compiled.report;
  const std::string dot = compile_dot(*compiled.deployment->rules[0].program);
  for (const char* part : {"digraph \"r\"", "label=\"start\"", "label=\"1 a\"", "label=\"2 b\"", "s1 -> s2",
                           "absent for 1 hour unless c for 1 hour"}) {
    EXPECT_NE(dot.find(part), std::string::npos) << part << "\n" << dot;
  }
}

}  // namespace
}  // namespace patterns
