// Signatures of outgoing webhooks, Standard Webhooks 1.0: `v1,` + base64(HMAC-SHA256(key, `{id}.{timestamp}.{body}`)).
// Invariant: a key is never printed: no error text holds any part of a secret, and WebhookSecret has no way to be
// shown. Threads: plain values and pure functions. Tested against both published vectors: tests/unit/service.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cep/result.h"

namespace service {

inline constexpr size_t kWebhookKeyBytesMin = 24;
inline constexpr size_t kWebhookKeyBytesMax = 64;

// The key of one endpoint. Wiped from memory when it is destroyed.
class WebhookSecret {
 public:
  // `text` is `whsec_` + standard base64, padded, of 24 to 64 bytes. Error: bad_secret.
  static cep::Result<WebhookSecret> parse(std::string_view text);

  WebhookSecret(const WebhookSecret&) = default;
  WebhookSecret(WebhookSecret&&) = default;
  WebhookSecret& operator=(const WebhookSecret&) = default;
  WebhookSecret& operator=(WebhookSecret&&) = default;
  ~WebhookSecret();

  // One signature, `v1,...`. `timestamp_s` is the unix second of this attempt, as sent in `webhook-timestamp`.
  std::string sign(std::string_view id, int64_t timestamp_s, std::string_view body) const;

 private:
  explicit WebhookSecret(std::string key) : key_(std::move(key)) {}

  std::string key_;
};

// The value of `webhook-signature`: one signature a secret, separated by spaces, in the order of `secrets`. While a
// secret rotates both the new and the old one sign, and the receiver accepts either.
std::string webhook_signatures(std::span<const WebhookSecret> secrets, std::string_view id, int64_t timestamp_s,
                               std::string_view body);

// A new secret text of 32 random bytes, to be shown once to whoever asked for it. Error: no_randomness.
cep::Result<std::string> generate_webhook_secret();

}  // namespace service
