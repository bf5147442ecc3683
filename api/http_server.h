// The HTTP edge: accepts, guards, reads requests whole, hands them to the table of routes, writes answers and event
// streams. Invariant: every phase of a connection has one absolute deadline, every buffer a bound, and a request that
// was not understood to the last byte closes its connection. Requests of a connection are served one after the other.
// Threads: none of its own. The service's io threads call run(); a connection lives on a strand of the one io_context,
// what connections share on another. Handlers and the backend never block; replies come from any thread and are posted
// to the strand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/backend.h"
#include "api/http_guard.h"
#include "cep/result.h"

namespace api {

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 8484;  // 0: any free one, see HttpServer::port()
  HeadLimits head;
  std::vector<std::string> hosts;         // that a request may name beside localhost, 127.0.0.1 and [::1]; see check_browser
  uint32_t connections_max = 1024;        // more are answered 503 and closed
  uint32_t connections_per_ip_max = 64;   // the same
  bool loopback_is_exempt = true;         // from connections_per_ip_max
  uint64_t bodies_bytes_max = 256 << 20;  // of all requests being read or served; more are answered 429
  int head_ms = 5'000;
  int body_ms = 30'000;  // and less for a short body: it must come with body_bytes_per_s_min
  int body_bytes_per_s_min = 1'024;
  int idle_ms = 30'000;     // between two requests
  int write_ms = 30'000;    // an answer, or one piece of an event stream
  int comment_ms = 15'000;  // a silent event stream says that it lives
  int drain_ms = 10'000;
};

struct HttpServerCore;

class HttpServer {
 public:
  // Listens from now on and serves once run() is called. `backend` must outlive the server. Errors: bad_address,
  // cannot_listen.
  static cep::Result<std::unique_ptr<HttpServer>> start(const HttpServerOptions& options, Backend& backend);
  // Drains, and serves until that is done if no other thread does. All other threads must have left run().
  ~HttpServer();

  uint16_t port() const;
  // Serves until drained: what an io thread does all its life. Any number of threads.
  void run();
  // Stops accepting, ends event streams and idle connections, lets requests finish for drain_ms, cuts the rest; run()
  // returns when that is done. Any thread, returns at once, safe to call again.
  void drain();

 private:
  explicit HttpServer(std::shared_ptr<HttpServerCore> core);
  std::shared_ptr<HttpServerCore> core_;
};

}  // namespace api
