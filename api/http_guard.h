// What an HTTP/1.1 request head must not contain, decided on the raw bytes before any parser sees them: Beast unfolds
// folded lines, takes several Host fields and odd Transfer-Encodings, and every such leniency is a way to smuggle a
// request past a proxy. Threads: pure functions. Reference: RFC 9112 sections 3 to 6.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace api {

struct HeadLimits {
  size_t head_bytes_max = 8 << 10;
  size_t fields_max = 100;
  size_t target_bytes_max = 2 << 10;
};

// Names a row of problem_kinds(); the connection is closed after it.
struct HeadRefusal {
  std::string_view problem;
  std::string_view detail;
};

// The head's size with its empty line, npos while that has not come.
size_t find_head_end(std::string_view bytes);

// `head` from the request line to the empty line, inclusive. Empty: nothing wrong with it.
std::optional<HeadRefusal> check_head(std::string_view head, const HeadLimits& limits);

}  // namespace api
