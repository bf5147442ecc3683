// What an HTTP/1.1 request head must not contain, decided on the raw bytes before any parser sees them: Beast unfolds
// folded lines, takes several Host fields and odd Transfer-Encodings, and every such leniency is a way to smuggle a
// request past a proxy. Threads: pure functions. Reference: RFC 9112 sections 3 to 6.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// The value of a field of a head that check_head found nothing wrong with; empty if it is absent.
std::string_view field_of(std::string_view head, std::string_view lower_name);

// Whether a page in somebody's browser may be behind the request: a name that only DNS says is ours, or another site's page that posts
// here. `hosts`: names beside the loopback ones that clients may use. Empty: nothing wrong.
struct HostPolicy {
  bool only_known = true;            // loopback is listened on: other names in Host are refused
  std::vector<std::string> hosts;    // without port
};
std::optional<HeadRefusal> check_browser(std::string_view head, const HostPolicy& policy);

}  // namespace api
