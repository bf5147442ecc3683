// A small HTTP/1.1 server on loopback for tests of outgoing requests: one request a connection, then it closes.
// Threads: one that accepts, one a connection; the handler runs on the latter, several at once.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace test_support {

struct ReceivedRequest {
  std::string line;                            // "POST /path HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class HttpReceiver {
 public:
  // The bytes of the whole response; none: no answer, and the connection stays open until the receiver is destroyed.
  using Handler = std::function<std::optional<std::string>(const ReceivedRequest&)>;

  explicit HttpReceiver(Handler handler);
  ~HttpReceiver();
  HttpReceiver(const HttpReceiver&) = delete;
  HttpReceiver& operator=(const HttpReceiver&) = delete;

  int port() const { return port_; }
  std::string url(const std::string& path = "/hook", const std::string& host = "127.0.0.1") const;
  std::vector<ReceivedRequest> requests() const;  // so far, in order of arrival
  size_t connections() const;

 private:
  void accept_all();
  void serve(int socket);

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;  // guards the three below
  std::vector<ReceivedRequest> requests_;
  std::vector<int> sockets_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

// "HTTP/1.1 <status> ..." with `headers` (each line ended by \r\n) and `body`.
std::string http_response(int status, const std::string& headers = "", const std::string& body = "");

}  // namespace test_support
