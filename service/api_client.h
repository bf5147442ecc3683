// The HTTP client of the command line: one connection to a Weir server, kept between requests. Blocking.
// Redirects are not followed and no proxy or other ambient setting takes part. Threads: one owner; several may exist.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cep/result.h"

namespace service {

inline constexpr std::string_view kDefaultServer = "http://127.0.0.1:8484";

struct ApiRequest {
  std::string method = "GET";
  std::string path;  // with its query, encoded: see url_encode
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct ApiResponse {
  int status = 0;
  std::string body;
  std::string etag;
  int retry_after_s = 0;  // 0: the answer names none
  bool ok() const { return status >= 200 && status < 300; }
};

class ApiClient {
 public:
  // `server`: "http://host:port". Error: bad_option.
  static cep::Result<std::unique_ptr<ApiClient>> create(const std::string& server);
  ~ApiClient();

  // Whole answers of any status. Error: unreachable (no answer, or half of one).
  cep::Result<ApiResponse> send(const ApiRequest& request);
  cep::Result<ApiResponse> get(const std::string& path) { return send({"GET", path, "", {}}); }

  // Reads an answer that does not end. `take` gets pieces of a 2xx body as they come and ends it by false; other bodies
  // are in the response. Returns when the server, or `take`, ended it. `idle` is asked about once a second; false ends
  // it too.
  using Take = std::function<bool(std::string_view)>;
  cep::Result<ApiResponse> stream(const ApiRequest& request, const Take& take, const std::function<bool()>& idle = {});

  const std::string& server() const { return server_; }

 private:
  class Handle;
  ApiClient(std::string server, std::unique_ptr<Handle> handle);

  std::string server_;
  std::unique_ptr<Handle> handle_;
};

// A path segment or the value of a parameter.
std::string url_encode(std::string_view text);

// Server-sent events out of pieces of a stream.
class SseReader {
 public:
  struct Event {
    std::string id, event, data;
  };
  // Calls `take` for each event that is complete; comments are passed over.
  void feed(std::string_view piece, const std::function<void(const Event&)>& take);

 private:
  std::string rest_;
  Event next_;
};

}  // namespace service
