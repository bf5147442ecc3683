// Text operations of the rule language (R57): bytes in order, code points where a length or position is meant, ASCII
// case only. Results are views of the argument where possible, else owned by the arena. Threads: pure functions.
#pragma once

#include <array>
#include <string_view>

#include "cep/value.h"

namespace cep {

int64_t code_points(std::string_view text);
// SQL substring: `from` counts from 1, in code points; what lies before the text counts against `length`.
std::string_view substring(std::string_view text, int64_t from, int64_t length);
std::string_view trim_blanks(std::string_view text);
std::string_view lower_ascii(std::string_view text, TextArena& texts);
std::string_view upper_ascii(std::string_view text, TextArena& texts);
// `%` any text, `_` one code point, `\` takes the next character as itself; the whole text must fit.
bool is_like(std::string_view text, std::string_view pattern);
// SHA-256 of the bytes.
std::array<uint8_t, 32> sha256(std::string_view bytes);
// The first 16 hex digits of SHA-256.
std::string short_hash(std::string_view text);
// All but the last 4 code points replaced by '*'.
std::string mask_text(std::string_view text);

}  // namespace cep
