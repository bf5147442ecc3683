// Printer: the tree as canonical text. Clauses in the order of the grammar, keywords in lower case, a name quoted only
// where it must be, parentheses only where they are needed or help (an `and` inside an `or`).
// Invariant: for a tree without errors, print(parse(print(x))) == print(x), and two statements mean the same text to
// the language when print() of both is equal; comments do not count. format() keeps them.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "patterns/ast.h"

namespace patterns {

// One statement with its `;` and without comments: what versions are compared by.
std::string print(const Statement& statement);
// A whole file as `weir fmt` writes it: comments stay before what they stood before or behind.
std::string format(const File& file);

std::string print(const Expr& expr);
std::string print(const Alternation& pattern);
std::string print(const Duration& duration);
std::string print_name(std::string_view name);    // quoted if it is reserved or no plain word
std::string print_string(std::string_view text);  // in single quotes

}  // namespace patterns
