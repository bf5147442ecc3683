// Webhook signatures against the two published vectors.
#include "service/webhook_signature.h"

#include <gtest/gtest.h>

#include <array>

namespace service {
namespace {

struct Vector {
  const char* secret;
  const char* id;
  int64_t timestamp_s;
  const char* body;
  const char* signature;
};

constexpr Vector kA = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                       R"({"test": 2432232314})", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="};
constexpr Vector kB = {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
                       R"({"email":"test@example.com","username":"test_user"})",
                       "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="};

WebhookSecret secret_of(const char* text) {
  cep::Result<WebhookSecret> secret = WebhookSecret::parse(text);
  EXPECT_TRUE(secret.ok());
  return *secret;
}

TEST(WebhookSignature, PublishedVectors) {
  for (const Vector& v : {kA, kB}) {
    EXPECT_EQ(secret_of(v.secret).sign(v.id, v.timestamp_s, v.body), v.signature);
  }
}

TEST(WebhookSignature, EveryPartIsSigned) {
  const WebhookSecret secret = secret_of(kA.secret);
  EXPECT_NE(secret.sign("msg_other", kA.timestamp_s, kA.body), kA.signature);
  EXPECT_NE(secret.sign(kA.id, kA.timestamp_s + 1, kA.body), kA.signature);
  EXPECT_NE(secret.sign(kA.id, kA.timestamp_s, R"({"test": 2432232315})"), kA.signature);
  EXPECT_NE(secret_of(kB.secret).sign(kA.id, kA.timestamp_s, kA.body), kA.signature);
}

TEST(WebhookSignature, RotationSignsWithEachSecretInOrder) {
  const std::array secrets = {secret_of(kB.secret), secret_of(kA.secret)};
  const std::string both = webhook_signatures(secrets, kA.id, kA.timestamp_s, kA.body);
  EXPECT_EQ(both, secrets[0].sign(kA.id, kA.timestamp_s, kA.body) + " " + kA.signature);
  EXPECT_EQ(webhook_signatures({}, kA.id, kA.timestamp_s, kA.body), "");
}

TEST(WebhookSignature, LengthOfAKey) {
  // 23, 24, 64 and 65 zero bytes.
  const auto text = [](size_t digits, const char* end) { return "whsec_" + std::string(digits, 'A') + end; };
  EXPECT_FALSE(WebhookSecret::parse(text(31, "=")).ok());
  EXPECT_TRUE(WebhookSecret::parse(text(32, "")).ok());
  EXPECT_TRUE(WebhookSecret::parse(text(86, "==")).ok());
  EXPECT_FALSE(WebhookSecret::parse(text(87, "=")).ok());
}

TEST(WebhookSignature, WhatIsNotASecretIsRefusedWithoutRepeatingIt) {
  for (const char* text : {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                           "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_",
                           "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                           "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAB==", "whsec_MfKQ9r8=KYqrTwjUPD8ILPZIo2LaLaSw"}) {
    const cep::Result<WebhookSecret> secret = WebhookSecret::parse(text);
    ASSERT_FALSE(secret.ok()) << text;
    EXPECT_EQ(secret.error().code, "bad_secret");
    EXPECT_EQ(secret.error().message.find("MfKQ"), std::string::npos);
  }
}

TEST(WebhookSignature, GeneratedSecretsAreValidAndDiffer) {
  const cep::Result<std::string> one = generate_webhook_secret();
  const cep::Result<std::string> two = generate_webhook_secret();
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(*one, *two);
  EXPECT_TRUE(WebhookSecret::parse(*one).ok());
}

}  // namespace
}  // namespace service
