// Compiler: a checked rule to a program. The one bridge between the tree and the engine's tables.
// Threads: pure function.
#pragma once

#include <string>

#include "patterns/checker.h"

namespace patterns {

// `rule` was checked without an error; `text` is its canonical print.
cep::ProgramPtr compile_rule(const CheckedRule& rule, std::string text);

}  // namespace patterns
