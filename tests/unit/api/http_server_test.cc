// The server over real loopback sockets, in raw bytes: guards, limits, answers, keep-alive, event streams, draining.
#include "api/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "tests/unit/api/fake_backend.h"

namespace {

using api::FakeBackend;
using api::HttpServer;
using api::HttpServerOptions;

constexpr int kPatienceMs = 10'000;  // a test that waits this long has failed

class Client {
 public:
  explicit Client(uint16_t port, int receive_bytes = 0) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_bytes > 0) ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { ::close(socket_); }
  bool connected() const { return connected_; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Reads until `mark` has come, or the end. What was read so far, all of it.
  const std::string& read_until(std::string_view mark) {
    while (got_.find(mark) == std::string::npos && read_some()) continue;
    return got_;
  }
  std::string read_to_end() {
    while (read_some()) continue;
    return got_;
  }
  bool closed() const { return closed_; }
  void forget() { got_.clear(); }
  // One answer with Content-Length (or 204), cut from what came.
  std::string read_answer() {
    read_until("\r\n\r\n");
    const size_t head = got_.find("\r\n\r\n");
    if (head == std::string::npos) return std::exchange(got_, {});
    const size_t length_at = got_.find("Content-Length: ");
    const size_t length = length_at < head ? std::stoul(got_.substr(length_at + 16)) : 0;
    while (got_.size() < head + 4 + length && read_some()) continue;
    std::string answer = got_.substr(0, head + 4 + length);
    got_.erase(0, head + 4 + length);
    return answer;
  }

 private:
  bool read_some() {
    pollfd ready{socket_, POLLIN, 0};
    char bytes[4096];
    if (::poll(&ready, 1, kPatienceMs) <= 0) return false;
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    closed_ = count <= 0;
    if (count > 0) got_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }
  int socket_;
  bool connected_ = false;
  bool closed_ = false;
  std::string got_;
};

std::string get(const std::string& target, const std::string& extra = {}) {
  return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + extra + "\r\n";
}
std::string post(const std::string& target, const std::string& body, const std::string& extra = {}) {
  return "POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + extra +
         "\r\n" + body;
}
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::string status(const std::string& answer) { return answer.size() > 12 ? answer.substr(9, 3) : "none"; }

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest() {
    options_.port = 0;
    options_.hosts = {"x", "a"};
    auto schema = std::make_shared<cep::StreamSchema>();
    schema->name = "tx";
    cep::Column at;
    at.name = "at";
    at.type.kind = cep::TypeKind::kTimestamp;
    at.not_null = true;
    schema->columns = {at};
    backend_.add_schema(schema);
  }
  uint16_t start() {
    auto started = HttpServer::start(options_, backend_);
    EXPECT_TRUE(started.ok());
    server_ = std::move(started.value());
    for (int i = 0; i < threads_max_; ++i) threads_.emplace_back([this] { server_->run(); });
    return server_->port();
  }
  // Until every thread has left.
  void drain() {
    if (server_) server_->drain();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  ~HttpServerTest() override { drain(); }
  // The whole answer to one request on a connection of its own, which must be closed behind it if `must_close`.
  std::string ask(const std::string& request, bool must_close = false) {
    if (!server_) start();
    Client client(server_->port());
    EXPECT_TRUE(client.send(request));
    if (!must_close) return client.read_answer();
    std::string all = client.read_to_end();
    EXPECT_TRUE(client.closed());
    return all;
  }

  HttpServerOptions options_;
  FakeBackend backend_;
  std::unique_ptr<HttpServer> server_;
  std::vector<std::thread> threads_;
  int threads_max_ = 1;
};

TEST_F(HttpServerTest, AnswersAndKeepsAlive) {
  Client client(start());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send(get("/livez")));
    const std::string answer = client.read_answer();
    EXPECT_EQ(status(answer), "200");
    EXPECT_TRUE(has(answer, R"({"status":"ok"})"));
    EXPECT_FALSE(has(answer, "Connection: close"));
  }
  ASSERT_TRUE(client.send(get("/nothing")));
  EXPECT_EQ(status(client.read_answer()), "404");
  ASSERT_TRUE(client.send(get("/livez", "Connection: close\r\n")));
  EXPECT_TRUE(has(client.read_to_end(), "Connection: close"));
  EXPECT_TRUE(client.closed());
  const auto observed = backend_.observed();
  ASSERT_EQ(observed.size(), 5u);
  EXPECT_EQ(observed[0], "GET /livez 200");
  EXPECT_EQ(observed[3], "GET unknown 404");
}

TEST_F(HttpServerTest, ServesPipelinedRequestsInOrder) {
  Client client(start());
  ASSERT_TRUE(client.send(get("/v1/rules/a") + post("/v1/events", "") + get("/v1/rules/b")));
  EXPECT_EQ(status(client.read_answer()), "200");
  EXPECT_EQ(status(client.read_answer()), "202");
  EXPECT_EQ(status(client.read_answer()), "200");
  EXPECT_EQ(backend_.calls(), (std::vector<std::string>{"rule a", "submit", "rule b"}));
}

TEST_F(HttpServerTest, SubmitsEventsAndSaysWhatBecameOfThem) {
  backend_.submit_result.accepted = 2;
  backend_.submit_result.duplicates = 1;
  backend_.submit_result.rejected = {{1, "tx", {api::EventCode::kNotNull, "at", "is missing"}, ""}};
  const std::string body = "{\"at\":1}\n{}\n\n{\"$watermark\":\"2026-01-05T00:00:00Z\"}\n";
  const std::string answer = ask(post("/v1/streams/tx/events", body, "Idempotency-Key: k1\r\n"));
  EXPECT_EQ(status(answer), "202");
  EXPECT_TRUE(has(answer, R"({"accepted":2,"duplicates":1,"rejected":)"
                          R"([{"index":1,"code":"not_null","field":"at","message":"is missing"}]})"));
  const auto& submit = *backend_.last_submit;
  EXPECT_EQ(submit.idempotency_key, "k1");
  ASSERT_EQ(submit.items.size(), 3u);
  EXPECT_EQ(submit.items[0].row, "{\"at\":1}");
  EXPECT_EQ(submit.items[1].index, 1u);
  EXPECT_EQ(submit.items[2].kind, api::SubmitItem::Kind::kWatermark);
  EXPECT_EQ(submit.items[2].watermark_us, 1767571200000000);
  EXPECT_EQ(status(ask(post("/v1/streams/other/events", body))), "404");
}

// The same key and bytes for another stream or another kind of event are another request.
TEST_F(HttpServerTest, ARequestIsTheSameOnlyWithItsStreamAndKind) {
  auto other = std::make_shared<cep::StreamSchema>(*backend_.schema("tx"));
  other->name = "loads";
  backend_.add_schema(other);
  std::set<uint64_t> hashes;
  const auto hash_of = [&](const std::string& path, const std::string& headers) {
    EXPECT_EQ(status(ask(post(path, R"({"at":1})", "Idempotency-Key: k1\r\n" + headers))), "202");
    return backend_.last_submit->body_hash;
  };
  hashes.insert(hash_of("/v1/streams/tx/events", ""));
  hashes.insert(hash_of("/v1/streams/loads/events", ""));
  hashes.insert(hash_of("/v1/events", ""));
  hashes.insert(hash_of("/v1/streams/tx/events", "Content-Type: application/x-ndjson\r\n"));
  hashes.insert(hash_of("/v1/streams/tx/events", "ce-specversion: 1.0\r\nce-id: a\r\n"));
  hashes.insert(hash_of("/v1/streams/tx/events", "ce-specversion: 1.0\r\nce-id: b\r\n"));
  EXPECT_EQ(hashes.size(), 6u);
  EXPECT_FALSE(hashes.insert(hash_of("/v1/streams/tx/events", "")).second);
}

TEST_F(HttpServerTest, SaysWhyEventsWereNotTaken) {
  using Outcome = api::SubmitAnswer::Outcome;
  backend_.submit_result.retry_after_s = 7;
  for (const auto& [outcome, code] :
       {std::pair{Outcome::kBusy, "429"}, {Outcome::kUnavailable, "503"}, {Outcome::kKeyConflict, "409"}}) {
    backend_.submit_result.outcome = outcome;
    const std::string answer = ask(post("/v1/events", ""));
    EXPECT_EQ(status(answer), code);
    EXPECT_TRUE(has(answer, "application/problem+json"));
    EXPECT_EQ(has(answer, "Retry-After: 7"), outcome != Outcome::kKeyConflict);
  }
  EXPECT_EQ(status(ask(post("/v1/events", "x", "Content-Type: image/png\r\n"))), "415");
  EXPECT_EQ(status(ask(post("/v1/events", "x", "Content-Encoding: gzip\r\n"))), "415");
  EXPECT_EQ(status(ask(post("/v1/events", "[{\"stream\":", "Content-Type: application/json\r\n"))), "422");
}

TEST_F(HttpServerTest, RefusesMalformedRequestsAndCloses) {
  const std::pair<const char*, std::string> cases[] = {
      {"400", "GET / HTTP/1.1\r\n\r\n"},
      {"400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"400", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n"},
      {"400", "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
      {"400",
       "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"400", "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"},
      {"400", "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"},
      {"400", "POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
      {"400", "GET /v1/rules/%zz HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"400", "GET /v1/rules/%00 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"400", "PUT /v1/lists/l/%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"400", "GET /v1/matches?rule=r&key=%ed%a0%80 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"400", "nonsense\r\n\r\n"},
      {"505", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
      {"414", "GET /" + std::string(3000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"431", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"},
      {"413", "PUT /v1/rules/r HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n"},
      {"413", "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\nExpect: 100-continue\r\n\r\n"},
      {"417", "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: wonders\r\n\r\nx"},
      {"405", "POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"},
  };
  options_.head_ms = options_.body_ms = 60'000;
  start();
  for (const auto& [code, request] : cases) {
    Client client(server_->port());
    ASSERT_TRUE(client.send(request));
    const std::string answer = client.read_answer();
    EXPECT_EQ(status(answer), code) << request.substr(0, 200) << "\n" << answer;
    EXPECT_TRUE(has(answer, "Connection: close")) << request.substr(0, 200);
    EXPECT_EQ(client.read_to_end(), "");
    EXPECT_TRUE(client.closed());
  }
  EXPECT_TRUE(backend_.calls().empty());
}

// DNS rebinding and forms of other sites: what a page in a browser on this machine could send.
TEST_F(HttpServerTest, PagesOfOtherSitesCanDoNothing) {
  const auto head = [](const std::string& method, const std::string& host, const std::string& origin) {
    return method + " /v1/events HTTP/1.1\r\nHost: " + host + "\r\n" + (origin.empty() ? "" : "Origin: " + origin + "\r\n") +
           "Content-Length: 0\r\n\r\n";
  };
  for (const char* host : {"localhost", "LOCALHOST:8484", "127.0.0.1", "127.0.0.1:1", "[::1]:8484", "[::1]", "x", "X:80", "localhost.:1"}) {
    EXPECT_EQ(status(ask(head("POST", host, ""))), "202") << host;
    EXPECT_EQ(status(ask(head("POST", host, std::string("http://") + host))), "202") << host;
  }
  for (const char* host : {"evil.example", "evil.example:8484", "localhost.evil.example", "127.0.0.1.evil.example", "xx", "[::2]:8484"}) {
    EXPECT_EQ(status(ask(head("POST", host, ""), true)), "403") << host;
    EXPECT_EQ(status(ask("GET /livez HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n", true)), "403") << host;
  }
  for (const char* origin :
       {"http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1", "http://127.0.0.1:8484.evil.example"}) {
    EXPECT_EQ(status(ask(head("POST", "127.0.0.1:8484", origin), true)), "403") << origin;
    EXPECT_EQ(status(ask("GET /livez HTTP/1.1\r\nHost: x\r\nOrigin: " + std::string(origin) + "\r\n\r\n")), "200") << origin;
  }
}

TEST_F(HttpServerTest, HeadIsGetWithoutTheBody) {
  Client client(start());
  for (const char* target : {"/livez", "/v1/rules/a", "/nothing"}) {
    ASSERT_TRUE(client.send(get(target)));
    const std::string answer = client.read_answer();
    const std::string expected = answer.substr(0, answer.find("\r\n\r\n") + 4);
    ASSERT_TRUE(client.send("HEAD " + get(target).substr(4)));
    EXPECT_EQ(client.read_until("\r\n\r\n"), expected) << target;
    ASSERT_TRUE(client.send(get("/livez")));      // a body would stand before this answer
    client.read_until("\"ok\"}");
    EXPECT_TRUE(client.read_until("}").substr(expected.size()).starts_with("HTTP/1.1 200")) << target;
    client.forget();
  }
  EXPECT_TRUE(has(ask("HEAD " + get("/v1/alerts/stream").substr(4), true), "text/event-stream"));
}

TEST_F(HttpServerTest, ReadsChunkedBodiesUpToTheLimit) {
  const std::string head = "POST /v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(status(ask(head + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")), "200");
  EXPECT_EQ(backend_.calls().back(), "check abcde");
  const std::string answer = ask(head + "200000\r\n" + std::string(0x200000, 'x') + "\r\n0\r\n\r\n", true);
  EXPECT_EQ(status(answer), "413");
}

TEST_F(HttpServerTest, ContinuesWhenExpected) {
  Client client(start());
  ASSERT_TRUE(client.send("POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.read_answer(), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("abc"));
  EXPECT_EQ(status(client.read_answer()), "200");
}

TEST_F(HttpServerTest, CutsSlowHeadsAndBodies) {
  options_.head_ms = 50;
  options_.body_ms = 100;
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(ask("GET / HT", true), "");
  EXPECT_EQ(ask("POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", true), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
  EXPECT_TRUE(backend_.calls().empty());
}

TEST_F(HttpServerTest, CutsIdleConnections) {
  options_.idle_ms = 50;
  Client client(start());
  ASSERT_TRUE(client.send(get("/livez")));
  EXPECT_EQ(status(client.read_answer()), "200");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, LimitsConnections) {
  options_.connections_max = 3;
  options_.connections_per_ip_max = 2;
  options_.loopback_is_exempt = false;
  start();
  auto first = std::make_unique<Client>(server_->port());
  Client second(server_->port());
  ASSERT_TRUE(first->send(get("/livez")) && second.send(get("/livez")));
  EXPECT_EQ(status(first->read_answer()), "200");
  EXPECT_EQ(status(second.read_answer()), "200");
  Client third(server_->port());
  EXPECT_EQ(status(third.read_to_end()), "503");
  first.reset();
  // The place is free as soon as the server has seen the end of the first.
  std::string answer;
  for (int i = 0; i < 1000 && status(answer) != "200"; ++i) answer = ask(get("/livez"));
  EXPECT_EQ(status(answer), "200");
}

TEST_F(HttpServerTest, LimitsBytesOfBodies) {
  options_.bodies_bytes_max = 100;
  EXPECT_EQ(status(ask(post("/v1/check", std::string(100, 'x')))), "200");
  const std::string answer = ask(post("/v1/check", std::string(101, 'x')), true);
  EXPECT_EQ(status(answer), "429");
  EXPECT_TRUE(has(answer, "Retry-After"));
}

TEST_F(HttpServerTest, StreamsAlertsFromTheLastSeen) {
  for (int i = 1; i <= 3; ++i) backend_.add_alert("{\"n\":" + std::to_string(i) + "}");
  start();
  Client client(server_->port());
  ASSERT_TRUE(client.send(get("/v1/alerts/stream", "Last-Event-ID: 0:1\r\n")));
  const std::string& text = client.read_until("\"n\":3}\n\n");
  EXPECT_TRUE(has(text, "Content-Type: text/event-stream"));
  EXPECT_TRUE(has(text, "id: 0:2\nevent: alert\ndata: {\"n\":2}\n\nid: 0:3\nevent: alert\ndata: {\"n\":3}\n\n"));
  EXPECT_FALSE(has(text, "\"n\":1}"));
  EXPECT_FALSE(has(text, "event: gap"));
  backend_.add_alert("{\"n\":4}");
  EXPECT_TRUE(has(client.read_until("\"n\":4}\n\n"), "id: 0:4\n"));
}

TEST_F(HttpServerTest, StreamsOnlyWhatComesWithoutAnId) {
  backend_.add_alert("{\"n\":1}");
  start();
  Client client(server_->port());
  ASSERT_TRUE(client.send(get("/v1/alerts/stream")));
  client.read_until(": weir");
  backend_.add_alert("{\"n\":2}");
  EXPECT_FALSE(has(client.read_until("\"n\":2}\n\n"), "\"n\":1}"));
}

TEST_F(HttpServerTest, SaysWhenAlertsAreMissing) {
  for (int i = 1; i <= 3; ++i) backend_.add_alert("{\"n\":" + std::to_string(i) + "}");
  backend_.expire_alerts(2);
  start();
  for (const char* id : {"0:1", "garbage", "0:99", "7"}) {
    Client client(server_->port());
    ASSERT_TRUE(client.send(get("/v1/alerts/stream", "Last-Event-ID: " + std::string(id) + "\r\n")));
    EXPECT_TRUE(has(client.read_until("event: gap\n"), "event: gap\n")) << id;
  }
}

TEST_F(HttpServerTest, CommentsOnSilence) {
  options_.comment_ms = 20;
  start();
  Client client(server_->port());
  ASSERT_TRUE(client.send(get("/v1/alerts/stream")));
  EXPECT_TRUE(has(client.read_until(": weir\n\n: \n\n: \n\n"), ": \n\n: \n\n"));
}

TEST_F(HttpServerTest, CutsAStreamNobodyReads) {
  options_.write_ms = 200;
  start();
  Client slow(server_->port(), 4096);
  ASSERT_TRUE(slow.send(get("/v1/alerts/stream", "Last-Event-ID: 0:0\r\n")));
  slow.read_until(": weir");
  const std::string large = "{\"x\":\"" + std::string(1 << 20, 'x') + "\"}";
  for (int i = 0; i < 20; ++i) backend_.add_alert(large);
  // Another client is not held up by it, and the slow one is gone in the end.
  EXPECT_EQ(status(ask(get("/livez"))), "200");
  const auto begun = std::chrono::steady_clock::now();
  options_.drain_ms = 60'000;
  drain();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
}

TEST_F(HttpServerTest, DrainFinishesRequestsAndEndsTheRest) {
  const uint16_t port = start();
  Client idle(port), stream(port), busy(port);
  ASSERT_TRUE(idle.send(get("/livez")));
  EXPECT_EQ(status(idle.read_answer()), "200");
  ASSERT_TRUE(stream.send(get("/v1/alerts/stream")));
  stream.read_until(": weir");
  backend_.hold();
  ASSERT_TRUE(busy.send(get("/v1/rules/slow")));
  backend_.wait_for_calls(1);
  std::thread drainer([&] { drain(); });
  idle.read_to_end();
  stream.read_to_end();
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(stream.closed());
  EXPECT_FALSE(Client(port).connected());
  backend_.release();
  const std::string answer = busy.read_to_end();
  EXPECT_EQ(status(answer), "200");
  EXPECT_TRUE(has(answer, "Connection: close"));
  drainer.join();
}

TEST_F(HttpServerTest, DrainCutsWhatDoesNotEnd) {
  options_.drain_ms = 50;
  start();
  backend_.hold();
  Client client(server_->port());
  ASSERT_TRUE(client.send(get("/v1/rules/never")));
  backend_.wait_for_calls(1);
  drain();
  client.read_to_end();
  EXPECT_TRUE(client.closed());
  backend_.release();  // the reply comes when the connection is gone: nothing happens
}

TEST_F(HttpServerTest, ServesManyConnectionsOnSeveralThreads) {
  threads_max_ = 3;
  start();
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      Client client(server_->port());
      for (int i = 0; i < 200; ++i) {
        if (!client.send(post("/v1/check", "text " + std::to_string(i)))) return;
        if (status(client.read_answer()) == "200") ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 1600);
}

TEST_F(HttpServerTest, EndsWithoutHavingServed) {
  auto started = HttpServer::start(options_, backend_);
  ASSERT_TRUE(started.ok());
  Client client(started.value()->port());  // waits in the queue of the listening socket
  started.value().reset();
  client.read_to_end();
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, CannotListenTwice) {
  HttpServerOptions again;
  again.port = start();
  EXPECT_EQ(HttpServer::start(again, backend_).error().code, "cannot_listen");
  again.address = "nowhere";
  EXPECT_EQ(HttpServer::start(again, backend_).error().code, "bad_address");
}

}  // namespace
