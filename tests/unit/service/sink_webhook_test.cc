// The request that tests a sink: signed like an alert, never the same id twice.
#include "service/sink_webhook.h"

#include <gtest/gtest.h>

namespace service {
namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

std::string header(const HttpRequest& request, const std::string& name) {
  for (const HttpHeader& one : request.headers) {
    if (one.name == name) return one.value;
  }
  return "(none)";
}

TEST(SinkWebhook, TestRequest) {
  SinkSpec spec;
  spec.name = "hook";
  spec.url = "https://example.com/hook";
  spec.secrets = {kSecret};
  const Sink sink = *make_sink(spec);
  const cep::TimeUs now = 1'767'571'200 * cep::kSecond + 5 * cep::kMillisecond;
  const cep::Result<HttpRequest> one = webhook_test_request(sink, now);
  const cep::Result<HttpRequest> two = webhook_test_request(sink, now);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_EQ(one->url, spec.url);
  EXPECT_EQ(one->body, R"({"type":"sink.test","timestamp":"2026-01-05T00:00:00.005Z","data":{"sink":"hook"}})");
  EXPECT_EQ(header(*one, "webhook-timestamp"), "1767571200");
  EXPECT_EQ(header(*one, "webhook-signature"),
            WebhookSecret::parse(kSecret)->sign(header(*one, "webhook-id"), 1767571200, one->body));
  EXPECT_TRUE(header(*one, "webhook-id").starts_with("test_"));
  EXPECT_NE(header(*one, "webhook-id"), header(*two, "webhook-id"));
}

}  // namespace
}  // namespace service
