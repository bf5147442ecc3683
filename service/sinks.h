// What a sink is: where alerts go, which of them, and how they are signed.
// SinkSpec is what a person wrote in the configuration or sent to /v1/sinks; Sink is the same after every check, and
// the only form the delivery engine takes. No error text repeats a URL, a header value or a secret: each may be a
// credential. Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cep/program.h"
#include "cep/result.h"
#include "service/http_client.h"
#include "service/kafka_client.h"
#include "service/webhook_signature.h"

namespace service {

enum class SinkId : uint32_t {};  // never used again after a sink is deleted

// The lower-case word of the rule language.
std::optional<cep::Severity> parse_severity(std::string_view word);

enum class SinkSource : uint8_t { kFile, kApi };  // kFile: read-only over the API

struct SinkSpec {
  std::string name;
  std::string type = "webhook";      // or kafka, which only a configuration file may say
  std::string url;                   // webhook
  std::string topic;                 // kafka, with the brokers and what else the library is told:
  KafkaOptions kafka;
  std::vector<std::string> secrets;  // texts, newest first; more than one while a secret rotates
  std::vector<HttpHeader> headers;   // sent with every request
  std::vector<std::string> rules;    // rule names, or globs with * and ?; empty: every rule
  std::string severity_min;          // empty: every severity
  bool disabled = false;
  SinkSource source = SinkSource::kApi;
};

struct Sink {
  std::string name;
  std::string url;                     // webhook; empty: kafka
  std::string topic;                   // kafka; empty: webhook
  KafkaOptions kafka;
  std::vector<WebhookSecret> secrets;  // webhook: at least one
  std::vector<HttpHeader> headers;
  std::vector<std::string> rules;
  cep::Severity severity_min = cep::Severity::kInfo;
  bool disabled = false;
  SinkSource source = SinkSource::kApi;
};

inline constexpr size_t kSinkNameBytesMax = 64;
inline constexpr size_t kSinkSecretsMax = 4;
inline constexpr size_t kSinkHeadersMax = 32;
inline constexpr size_t kSinkHeaderBytesMax = 4096;  // of one value
inline constexpr size_t kSinkRulesMax = 256;

// Errors: bad_sink_name, unknown_sink_type, sink_type_unavailable (kafka over the API), bad_url, missing_secret,
// bad_secret, bad_kafka, bad_kafka_property, bad_header, reserved_header, bad_rule_glob, bad_severity, too_many. Each
// message names the sink and the field.
cep::Result<Sink> make_sink(const SinkSpec& spec);

// What a secret_file or secret_env holds: secret texts separated by white space, newest first.
std::vector<std::string> split_secrets(std::string_view text);

// What a sink's filters look at.
struct AlertRoute {
  std::string_view rule;
  cep::Severity severity = cep::Severity::kMedium;
  std::span<const std::string> to_sinks;  // the rule's own `to sink, ...`; empty: all
};
bool sink_wants(const Sink& sink, const AlertRoute& route);

// `*` is any run of characters, `?` exactly one; everything else is itself. Linear in text times stars.
bool glob_matches(std::string_view glob, std::string_view text);

}  // namespace service
