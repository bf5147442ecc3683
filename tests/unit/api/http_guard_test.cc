// Request heads that must be refused, and those that must not.
#include "api/http_guard.h"

#include <gtest/gtest.h>

#include <string>

namespace {

std::string verdict(const std::string& head) {
  const auto refusal = api::check_head(head, {});
  return refusal ? std::string(refusal->problem) : "fine";
}
std::string with(const std::string& fields) {
  return verdict("POST /v1/events?x=1 HTTP/1.1\r\nHost: a.b:80\r\n" + fields + "\r\n");
}

TEST(HttpGuard, LetsOrdinaryHeadsThrough) {
  EXPECT_EQ(with(""), "fine");
  EXPECT_EQ(with("Content-Length: 5\r\nX-Empty:\r\nUser-Agent: curl/8 (x; y)\r\n"), "fine");
  EXPECT_EQ(with("transfer-encoding:  Chunked \r\n"), "fine");
  EXPECT_EQ(with("X: caf\xc3\xa9\r\n"), "fine");
  EXPECT_EQ(verdict("GET / HTTP/1.0\r\n\r\n"), "fine");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nhost: [::1]:8484\r\n\r\n"), "fine");
}

TEST(HttpGuard, RefusesWhatSmugglesRequests) {
  for (const char* fields : {"Transfer-Encoding: gzip\r\n",
                             "Transfer-Encoding: chunked, identity\r\n",
                             "Transfer-Encoding: xchunked\r\n",
                             "Transfer-Encoding: \"chunked\"\r\n",
                             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                             "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                             "Transfer-Encoding : chunked\r\n",
                             "Content-Length: 5\r\nContent-Length: 5\r\n",
                             "Content-Length: +5\r\n",
                             "Content-Length: 5, 5\r\n",
                             "Content-Length: \r\n",
                             "Content-Length: -1\r\n",
                             "Content-Length: 99999999999999999999\r\n",
                             "Host: a\r\n",
                             "X: 1\r\n 2\r\n",
                             "X: 1\r\n\t2\r\n",
                             "X\r\n",
                             ": 1\r\n",
                             "X y: 1\r\n",
                             "X: a\nY: b\r\n",
                             "X: a\rY: b\r\n",
                             "X: \x01\r\n",
                             "X: \x7f\r\n"}) {
    EXPECT_EQ(with(fields), "bad-request") << fields;
  }
  EXPECT_EQ(with(std::string("X: a\0b\r\n", 8)), "bad-request");
  EXPECT_EQ(verdict("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad-request");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\n\r\n"), "bad-request");
  EXPECT_EQ(verdict("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), "bad-request");
}

TEST(HttpGuard, RefusesBadRequestLines) {
  for (const char* line : {"", "GET", "GET /", "GET  / HTTP/1.1", "GET / / HTTP/1.1", " GET / HTTP/1.1",
                           "G\xc3T / HTTP/1.1", "GET x HTTP/1.1", "GET http://a/ HTTP/1.1", "GET /\xff HTTP/1.1",
                           "GET / http/1.1", "GET / HTTP/1.11", "GET / HTTP/1.1 "}) {
    EXPECT_EQ(verdict(std::string(line) + "\r\nHost: a\r\n\r\n"), "bad-request") << line;
  }
  EXPECT_EQ(verdict("PRI * HTTP/2.0\r\n\r\n"), "bad-request");
  EXPECT_EQ(verdict("GET / HTTP/3.0\r\nHost: a\r\n\r\n"), "version-not-supported");
}

TEST(HttpGuard, Limits) {
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "X: 1\r\n";
  EXPECT_EQ(with(fields), "fine");
  EXPECT_EQ(with(fields + "X: 1\r\n"), "headers-too-large");
  EXPECT_EQ(verdict("GET /" + std::string(2047, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"), "fine");
  EXPECT_EQ(verdict("GET /" + std::string(2048, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"), "target-too-long");
  EXPECT_EQ(with("X: " + std::string(8192, 'x') + "\r\n"), "headers-too-large");
}

TEST(HttpGuard, FindsTheEndOfAHead) {
  EXPECT_EQ(api::find_head_end("GET / HTTP/1.1\r\n\r\nbody"), 18u);
  EXPECT_EQ(api::find_head_end("GET / HTTP/1.1\r\n\r"), std::string::npos);
  EXPECT_EQ(api::find_head_end("GET / HTTP/1.1\n\n"), std::string::npos);
}

}  // namespace
