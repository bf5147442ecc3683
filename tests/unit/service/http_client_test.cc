// The egress client against a real server on loopback.
#include "service/http_client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <future>

#include "tests/support/http_receiver.h"

namespace service {
namespace {

using test_support::http_response;
using test_support::HttpReceiver;
using test_support::ReceivedRequest;

EgressPolicy loopback_allowed() { return EgressPolicy({*parse_cidr("127.0.0.0/8")}); }

std::unique_ptr<HttpClient> client_with(HttpClientOptions options) {
  cep::Result<std::unique_ptr<HttpClient>> client = HttpClient::create(std::move(options));
  EXPECT_TRUE(client.ok());
  return std::move(*client);
}

std::unique_ptr<HttpClient> client() {
  HttpClientOptions options;
  options.policy = loopback_allowed();
  return client_with(std::move(options));
}

std::future<HttpResult> post_later(HttpClient& client, HttpRequest request) {
  auto promise = std::make_shared<std::promise<HttpResult>>();
  std::future<HttpResult> future = promise->get_future();
  const cep::Status sent =
      client.submit(std::move(request), [promise](const HttpResult& result) { promise->set_value(result); });
  EXPECT_TRUE(sent.ok());
  return future;
}

HttpResult post(HttpClient& client, std::string url) { return post_later(client, {std::move(url), {}, "{}"}).get(); }

HttpReceiver::Handler answering(std::string response) {
  return [response](const ReceivedRequest&) { return response; };
}

TEST(HttpClient, SendsBodyAndHeadersAsGiven) {
  HttpReceiver receiver(answering(http_response(204)));
  const std::string body(100'000, 'x');
  const HttpResult result =
      post_later(*client(), {receiver.url("/a/b?c=d"), {{"webhook-id", "abc"}, {"x-empty", ""}}, body}).get();
  EXPECT_EQ(result.status, 204);
  EXPECT_EQ(result.error, TransportError::kNone);
  EXPECT_GT(result.latency_us, 0);
  EXPECT_FALSE(result.retry_after_s.has_value());
  ASSERT_EQ(receiver.requests().size(), 1u);
  const ReceivedRequest request = receiver.requests().front();
  EXPECT_EQ(request.line, "POST /a/b?c=d HTTP/1.1");
  EXPECT_EQ(request.body, body);
  EXPECT_EQ(request.headers.at("webhook-id"), "abc");
  EXPECT_EQ(request.headers.at("x-empty"), "");
  EXPECT_EQ(request.headers.at("user-agent"), "weir");
  EXPECT_FALSE(request.headers.contains("expect"));
}

TEST(HttpClient, RedirectsAreAnswersAndNotFollowed) {
  HttpReceiver elsewhere(answering(http_response(200)));
  for (const int status : {301, 302, 307, 308}) {
    HttpReceiver receiver(answering(http_response(status, "Location: " + elsewhere.url() + "\r\n")));
    EXPECT_EQ(post(*client(), receiver.url()).status, status);
  }
  EXPECT_EQ(elsewhere.connections(), 0u);
}

TEST(HttpClient, RetryAfterInBothForms) {
  HttpReceiver seconds(answering(http_response(429, "Retry-After: 120\r\n")));
  HttpResult result = post(*client(), seconds.url());
  EXPECT_EQ(result.status, 429);
  EXPECT_EQ(result.retry_after_s, 120);

  const std::string date = "Fri, 01 Jan 2100 00:00:00 GMT";
  const int64_t until = 4'102'444'800 - std::time(nullptr);
  HttpReceiver dated(answering(http_response(503, "Retry-After: " + date + "\r\n")));
  result = post(*client(), dated.url());
  EXPECT_EQ(result.status, 503);
  ASSERT_TRUE(result.retry_after_s.has_value());
  EXPECT_GT(*result.retry_after_s, until - 100);
  EXPECT_LE(*result.retry_after_s, until);

  HttpReceiver nonsense(answering(http_response(503, "Retry-After: soon\r\n")));
  EXPECT_FALSE(post(*client(), nonsense.url()).retry_after_s.has_value());
}

TEST(HttpClient, NonGlobalAddressesAreRefusedHoweverTheyAreWritten) {
  HttpReceiver receiver(answering(http_response(200)));
  const std::unique_ptr<HttpClient> strict = client_with({});
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0", "[::1]",
                           "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254"}) {
    const HttpResult result = post(*strict, receiver.url("/", host));
    // A machine without IPv6 does not get as far as asking.
    const bool no_v6 = host[0] == '[' && result.error == TransportError::kResolve;
    EXPECT_TRUE(no_v6 || result.error == TransportError::kRefusedAddress)
        << host << ": " << transport_error_word(result.error);
    EXPECT_EQ(result.status, 0) << host;
  }
  EXPECT_EQ(receiver.connections(), 0u);
  EXPECT_EQ(post(*client(), receiver.url("/", "2130706433")).status, 200);
}

TEST(HttpClient, NoProxyOfTheEnvironment) {
  HttpReceiver proxy(answering(http_response(200)));
  HttpReceiver receiver(answering(http_response(201)));
  setenv("http_proxy", proxy.url("").c_str(), 1);
  setenv("all_proxy", proxy.url("").c_str(), 1);
  EXPECT_EQ(post(*client(), receiver.url()).status, 201);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  EXPECT_EQ(proxy.connections(), 0u);
}

TEST(HttpClient, NoAnswerIsATimeout) {
  HttpReceiver receiver([](const ReceivedRequest&) { return std::nullopt; });
  HttpClientOptions options;
  options.policy = loopback_allowed();
  options.timeout_us = 100 * cep::kMillisecond;
  const HttpResult result = post(*client_with(std::move(options)), receiver.url());
  EXPECT_EQ(result.error, TransportError::kTimeout);
  EXPECT_EQ(result.status, 0);
  EXPECT_GE(result.latency_us, 100 * cep::kMillisecond);
}

TEST(HttpClient, WordsForWhatFails) {
  const std::unique_ptr<HttpClient> sender = client();
  int closed_port = 0;
  {
    HttpReceiver receiver(answering(""));
    closed_port = receiver.port();
    EXPECT_EQ(post(*sender, receiver.url()).error, TransportError::kBroken);
    EXPECT_EQ(post(*sender, "https://127.0.0.1:" + std::to_string(closed_port)).error, TransportError::kTls);
  }
  EXPECT_EQ(post(*sender, "http://127.0.0.1:" + std::to_string(closed_port)).error, TransportError::kConnect);
  // No label may be that long, so no name server is asked.
  EXPECT_EQ(post(*sender, "http://" + std::string(64, 'a') + ".invalid/").error, TransportError::kResolve);
  HttpReceiver cut(answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  EXPECT_EQ(post(*sender, cut.url()).error, TransportError::kBroken);
}

TEST(HttpClient, ALongBodyIsCutAndTheStatusCounts) {
  HttpReceiver receiver(answering(http_response(200, "", std::string(4 << 20, 'x'))));
  HttpClientOptions options;
  options.policy = loopback_allowed();
  options.response_bytes_max = 1000;
  const HttpResult result = post(*client_with(std::move(options)), receiver.url());
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.error, TransportError::kNone);
}

TEST(HttpClient, UnfinishedRequestsAreBoundedAndCancelledByStop) {
  HttpReceiver receiver([](const ReceivedRequest&) { return std::nullopt; });
  HttpClientOptions options;
  options.policy = loopback_allowed();
  options.requests_max = 3;
  const std::unique_ptr<HttpClient> sender = client_with(std::move(options));
  std::vector<std::future<HttpResult>> results;
  for (int i = 0; i < 3; ++i) results.push_back(post_later(*sender, {receiver.url(), {}, "{}"}));
  const cep::Status fourth = sender->submit({receiver.url(), {}, "{}"}, [](const HttpResult&) { FAIL(); });
  ASSERT_FALSE(fourth.ok());
  EXPECT_EQ(fourth.error().code, "busy");
  sender->stop();
  for (std::future<HttpResult>& result : results) EXPECT_EQ(result.get().error, TransportError::kCancelled);
  const cep::Status late = sender->submit({receiver.url(), {}, "{}"}, [](const HttpResult&) { FAIL(); });
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, "stopped");
  sender->stop();
}

TEST(HttpClient, ManyAtOnceFromSeveralThreads) {
  HttpReceiver receiver(answering(http_response(200)));
  const std::unique_ptr<HttpClient> sender = client();
  std::vector<std::thread> threads;
  std::vector<std::vector<std::future<HttpResult>>> results(4);
  for (auto& mine : results) {
    threads.emplace_back([&mine, &sender, &receiver] {
      for (int i = 0; i < 25; ++i) mine.push_back(post_later(*sender, {receiver.url(), {}, std::to_string(i)}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& mine : results) {
    for (std::future<HttpResult>& result : mine) EXPECT_EQ(result.get().status, 200);
  }
  EXPECT_EQ(receiver.requests().size(), 100u);
}

}  // namespace
}  // namespace service
