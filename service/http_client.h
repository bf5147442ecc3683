// Outgoing HTTP: libcurl's multi interface on a thread of its own. The one file pair that knows libcurl.
// Invariants: no connection to an address the EgressPolicy refuses, checked on the address being connected to;
// redirects are never followed; no proxy, cookie, .netrc or other ambient setting of the machine takes part; what is
// read of a response is bounded and dropped; every accepted request completes exactly once. Threads: submit() and
// stop() from any thread. Completions run on the client's thread and must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "service/egress_policy.h"

namespace service {

struct HttpHeader {
  std::string name;
  std::string value;
};

// A POST.
struct HttpRequest {
  std::string url;
  std::vector<HttpHeader> headers;
  std::string body;
};

// What kept a status from arriving. Attempts are stored with these numbers: never renumber.
enum class TransportError : uint8_t {
  kNone = 0,
  kTimeout = 1,
  kResolve = 2,
  kRefusedAddress = 3,  // the name resolved, and the policy refused every address
  kConnect = 4,
  kTls = 5,
  kBroken = 6,     // connected, then no whole response
  kCancelled = 7,  // stop() came first; it may or may not have been sent
};
// "timeout", "resolve_failed", "refused_address", ...; of kNone the empty word.
std::string_view transport_error_word(TransportError error);

struct HttpResult {
  int status = 0;  // 0: none arrived, and `error` says why
  TransportError error = TransportError::kNone;
  int64_t latency_us = 0;                // from the start of the transfer to its end
  std::optional<int64_t> retry_after_s;  // > 0, of the Retry-After header in either form
};

using HttpDone = std::function<void(const HttpResult&)>;

// What sends; a port, so that the delivery engine can be tested without sockets.
class HttpSender {
 public:
  virtual ~HttpSender() = default;
  // Never blocks. Ok: `done` is called once, later, on another thread. Error (busy, stopped): it is never called.
  virtual cep::Status submit(HttpRequest request, HttpDone done) = 0;
};

struct HttpClientOptions {
  EgressPolicy policy;
  uint32_t requests_max = 1024;  // submitted and not yet complete; beyond it submit() answers busy
  cep::DurationUs connect_timeout_us = 10 * cep::kSecond;  // resolving, connecting and TLS
  cep::DurationUs timeout_us = 15 * cep::kSecond;          // the whole exchange
  uint64_t response_bytes_max = 64 * 1024;                 // of the body; the status counts even if there is more
  std::string user_agent = "weir";
};

class HttpClient final : public HttpSender {
 public:
  // Error: egress_unavailable.
  static cep::Result<std::unique_ptr<HttpClient>> create(HttpClientOptions options);
  ~HttpClient() override;

  cep::Status submit(HttpRequest request, HttpDone done) override;

  // Ends the thread; what is unfinished completes as `cancelled`. Not from a completion. Idempotent.
  void stop();

  class Loop;  // the libcurl side

 private:
  explicit HttpClient(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

// Absolute http or https, a host, no user info and no fragment, at most 2,048 printable ASCII characters; read by the
// same parser that will connect. The message never repeats the URL, since its path may be a secret. Error: bad_url.
cep::Status check_http_url(std::string_view url);

}  // namespace service
