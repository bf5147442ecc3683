#include "api/http_guard.h"

#include <algorithm>
#include <cstdint>

namespace api {
namespace {

HeadRefusal bad(std::string_view detail) { return {"bad-request", detail}; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_token_char(char c) {
  const bool alphanumeric = (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
  return alphanumeric || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_token(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Method, target and version of the request line, parted by exactly one blank each.
struct RequestLine {
  std::string_view method, target, version;
};
RequestLine split_request_line(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return {};
  return {line.substr(0, first), line.substr(first + 1, last - first - 1), line.substr(last + 1)};
}

std::optional<HeadRefusal> check_request_line(std::string_view text, const HeadLimits& limits, RequestLine* line) {
  *line = split_request_line(text);
  if (!is_token(line->method)) return bad("The request line is malformed.");
  if (line->target.size() > limits.target_bytes_max)
    return HeadRefusal{"target-too-long", "The target is longer than 2 KB."};
  const bool printable =
      std::all_of(line->target.begin(), line->target.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!line->target.starts_with('/') || !printable) return bad("The target must be a path in printable ASCII.");
  if (line->version.size() != 8 || !line->version.starts_with("HTTP/")) return bad("The request line is malformed.");
  if (line->version != "HTTP/1.1" && line->version != "HTTP/1.0") {
    return HeadRefusal{"version-not-supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here."};
  }
  return std::nullopt;
}

// Counts of the fields that must not come twice, or not together.
struct Fields {
  size_t all = 0, host = 0, length = 0, encoding = 0;
};

std::optional<HeadRefusal> check_field(std::string_view line, Fields* fields) {
  if (line.front() == ' ' || line.front() == '\t') return bad("Folded header fields are not accepted.");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return bad("A header field has no colon.");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_token(name)) return bad("A header field's name is malformed.");
  const bool control = std::any_of(value.begin(), value.end(),
                                   [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f; });
  if (control) return bad("A header field holds a control character.");
  ++fields->all;
  if (equal_ignoring_case(name, "host")) {
    ++fields->host;
    if (value.find_first_of(" \t,@/") != std::string_view::npos) return bad("The Host is malformed.");
  } else if (equal_ignoring_case(name, "content-length")) {
    ++fields->length;
    const bool digits =
        !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || value.size() > 18) return bad("The Content-Length is not a number.");
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    ++fields->encoding;
    if (!equal_ignoring_case(value, "chunked")) return bad("The only Transfer-Encoding accepted is chunked.");
  }
  return std::nullopt;
}

// Without the port.
std::string_view name_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, std::min(authority.find(']'), authority.size() - 1) + 1);
  return authority.substr(0, authority.find(':'));
}

bool is_known_host(std::string_view name, const std::vector<std::string>& more) {
  if (name.ends_with('.')) name.remove_suffix(1);
  const bool is_loopback = equal_ignoring_case(name, "localhost") || name == "127.0.0.1" || name == "[::1]";
  return is_loopback || std::any_of(more.begin(), more.end(), [&](const std::string& one) { return equal_ignoring_case(name, one); });
}

}  // namespace

size_t find_head_end(std::string_view bytes) {
  const size_t at = bytes.find("\r\n\r\n");
  return at == std::string_view::npos ? at : at + 4;
}

std::optional<HeadRefusal> check_head(std::string_view head, const HeadLimits& limits) {
  if (head.size() > limits.head_bytes_max) return HeadRefusal{"headers-too-large", "The header is larger than 8 KB."};
  RequestLine request;
  Fields fields;
  for (bool first = true;; first = false) {
    const size_t end = head.find("\r\n");
    if (end == std::string_view::npos) return bad("The header is malformed.");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.find_first_of("\r\n") != std::string_view::npos) return bad("A line of the header ends without CR LF.");
    if (line.empty()) break;
    const auto refusal = first ? check_request_line(line, limits, &request) : check_field(line, &fields);
    if (refusal) return refusal;
    if (fields.all > limits.fields_max) return HeadRefusal{"headers-too-large", "The header has more than 100 fields."};
  }
  if (request.method.empty()) return bad("The request line is missing.");
  const bool is_11 = request.version == "HTTP/1.1";
  if (fields.host > 1) return bad("The Host is given twice.");
  if (is_11 && fields.host == 0) return bad("HTTP/1.1 needs a Host.");
  if (fields.length > 1) return bad("The Content-Length is given twice.");
  if (fields.encoding > 1) return bad("The Transfer-Encoding is given twice.");
  if (fields.encoding > 0 && fields.length > 0) return bad("Transfer-Encoding and Content-Length exclude each other.");
  if (fields.encoding > 0 && !is_11) return bad("HTTP/1.0 has no Transfer-Encoding.");
  return std::nullopt;
}

std::string_view field_of(std::string_view head, std::string_view lower_name) {
  for (size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
    at += 2;
    const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), lower_name)) return trim(line.substr(colon + 1));
  }
  return {};
}

std::optional<HeadRefusal> check_browser(std::string_view head, const HostPolicy& policy) {
  const std::string_view host = field_of(head, "host");
  if (policy.only_known && !host.empty() && !is_known_host(name_of(host), policy.hosts)) {
    return HeadRefusal{"forbidden", "This Host is not known here: use localhost, 127.0.0.1 or [::1], or name it in server.hosts."};
  }
  const std::string_view method = head.substr(0, head.find(' '));
  if (method == "GET" || method == "HEAD") return std::nullopt;
  const std::string_view origin = field_of(head, "origin");
  const size_t scheme = origin.find("://");
  const std::string_view authority = scheme == std::string_view::npos ? std::string_view() : origin.substr(scheme + 3);
  if (origin.empty() || equal_ignoring_case(authority, host)) return std::nullopt;
  return HeadRefusal{"forbidden", "The Origin is another site than this Host: pages of other sites may change nothing here."};
}

}  // namespace api
