// What can be called in an expression, for messages and editors: names, how a call is written, what other languages call it.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cep/functions.h"

namespace patterns {

// Aggregates, functions and `prev`.
std::vector<std::string> callable_names();
// What a letter of FunctionInfo::arguments stands for: "a text".
std::string_view letter_text(char letter);
// A call as its author might write it: `round(number, [whole number])`.
std::string usage(const cep::FunctionInfo& info);
// What to write for a name that is no function here: what another language's is called here, or the name nearest to it.
std::string function_meant(const std::string& name);

}  // namespace patterns
