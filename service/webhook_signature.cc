#include "service/webhook_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <optional>

namespace service {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr size_t kNewKeyBytes = 32;

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Strict: padded to a multiple of four, no blanks, unused bits zero. OpenSSL's decoder forgives all three, and then two
// texts would be one key.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes.push_back(static_cast<char>((bits >> bit_count) & 0xff));
    }
  }
  if ((bits & ((1u << bit_count) - 1)) != 0) return std::nullopt;
  return bytes;
}

std::string encode_base64(const unsigned char* bytes, size_t size) {
  std::string text((size + 2) / 3 * 4 + 1, '\0');  // EVP_EncodeBlock also writes a terminating zero
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<size_t>(length));
  return text;
}

cep::Error bad_secret(std::string reason) {
  return {"bad_secret", "a webhook secret is `whsec_` followed by padded base64 of 24 to 64 bytes; " + reason};
}

}  // namespace

cep::Result<WebhookSecret> WebhookSecret::parse(std::string_view text) {
  if (!text.starts_with(kSecretPrefix)) return bad_secret("this one does not begin with `whsec_`");
  std::optional<std::string> key = decode_base64(text.substr(kSecretPrefix.size()));
  if (!key) return bad_secret("what follows the prefix is not padded base64");
  WebhookSecret secret(std::move(*key));  // from here on wiped, whatever the answer
  if (secret.key_.size() < kWebhookKeyBytesMin || secret.key_.size() > kWebhookKeyBytesMax) {
    return bad_secret("this one has " + std::to_string(secret.key_.size()) + " bytes");
  }
  return secret;
}

WebhookSecret::~WebhookSecret() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string WebhookSecret::sign(std::string_view id, int64_t timestamp_s, std::string_view body) const {
  std::string content;
  content.reserve(id.size() + body.size() + 24);
  content.append(id).append(".").append(std::to_string(timestamp_s)).append(".").append(body);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
  unsigned int mac_size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(content.data()), content.size(), mac.data(), &mac_size);
  WEIR_CHECK(done != nullptr, "HMAC-SHA256 of a webhook failed");
  return "v1," + encode_base64(mac.data(), mac_size);
}

std::string webhook_signatures(std::span<const WebhookSecret> secrets, std::string_view id, int64_t timestamp_s,
                               std::string_view body) {
  std::string all;
  for (const WebhookSecret& secret : secrets) {
    if (!all.empty()) all.push_back(' ');
    all += secret.sign(id, timestamp_s, body);
  }
  return all;
}

cep::Result<std::string> generate_webhook_secret() {
  std::array<unsigned char, kNewKeyBytes> key;
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) {
    return cep::Error{"no_randomness", "the system's random number generator failed; no secret was made"};
  }
  std::string text = std::string(kSecretPrefix) + encode_base64(key.data(), key.size());
  OPENSSL_cleanse(key.data(), key.size());
  return text;
}

}  // namespace service
