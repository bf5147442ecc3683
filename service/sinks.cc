#include "service/sinks.h"

#include <algorithm>
#include <cctype>

#include "api/alert_json.h"

namespace service {
namespace {

// Written by the client or by the signature; a second one would contradict it or change where the message ends.
constexpr std::string_view kReservedHeaders[] = {
    "connection", "content-length",      "content-type", "expect",  "host",
    "keep-alive", "proxy-authorization", "te",           "trailer", "user-agent",
    "upgrade",    "transfer-encoding",
};
constexpr std::string_view kReservedPrefix = "webhook-";

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kSinkNameBytesMax && (is_alnum(name.front()) || name.front() == '_') &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; });
}

bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && name.size() <= kSinkNameBytesMax &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_alnum(c) || kMarks.find(c) != kMarks.npos; });
}

// A line end in a value would let it write headers of its own.
bool is_header_value(std::string_view value) {
  return value.size() <= kSinkHeaderBytesMax &&
         std::all_of(value.begin(), value.end(), [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

cep::Error error(const SinkSpec& spec, std::string code, const std::string& what) {
  return {std::move(code), "sink `" + spec.name + "`: " + what};
}

cep::Status check_type(const SinkSpec& spec) {
  if (spec.type == "webhook") return cep::ok_status();
  if (spec.type != "kafka") return error(spec, "unknown_sink_type", "type `" + spec.type + "` is not known; write webhook or kafka");
  if (spec.source == SinkSource::kFile) return cep::ok_status();
  return error(spec, "sink_type_unavailable", "a sink of type kafka stands in the configuration file, as [[sinks]] with brokers and topic");
}

// What the two types have for themselves.
cep::Status check_kafka(const SinkSpec& spec) {
  if (spec.kafka.brokers.empty()) return error(spec, "bad_kafka", "brokers: give HOST:PORT of one broker or more");
  if (spec.topic.empty()) return error(spec, "bad_kafka", "topic: say which topic the alerts go to");
  if (!spec.url.empty() || !spec.headers.empty() || !spec.secrets.empty()) {
    return error(spec, "bad_kafka",
                 "url, headers and secrets are of webhooks; type kafka has brokers, topic, properties and password_file");
  }
  return cep::ok_status();
}

cep::Status check_headers(const SinkSpec& spec) {
  if (spec.headers.size() > kSinkHeadersMax) {
    return error(spec, "too_many", "headers: at most " + std::to_string(kSinkHeadersMax));
  }
  std::vector<std::string> seen;
  for (const HttpHeader& header : spec.headers) {
    if (!is_header_name(header.name)) return error(spec, "bad_header", "headers: a name is not an HTTP header name");
    const std::string name = lower(header.name);
    const bool reserved =
        std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders), name) != std::end(kReservedHeaders);
    if (reserved || name.starts_with(kReservedPrefix)) {
      return error(spec, "reserved_header", "headers: `" + name + "` is set by Weir and cannot be given");
    }
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return error(spec, "bad_header", "headers: `" + name + "` is given twice");
    }
    seen.push_back(name);
    if (!is_header_value(header.value)) {
      return error(spec, "bad_header", "headers: the value of `" + name + "` is too long or has a control character");
    }
  }
  return cep::ok_status();
}

cep::Status check_webhook(const SinkSpec& spec) {
  if (!spec.kafka.brokers.empty() || !spec.topic.empty() || !spec.kafka.properties.empty()) {
    return error(spec, "bad_kafka", "brokers, topic and properties are of type kafka");
  }
  if (cep::Status url = check_http_url(spec.url); !url) return error(spec, url.error().code, url.error().message);
  return check_headers(spec);
}

cep::Status check_rules(const SinkSpec& spec) {
  if (spec.rules.size() > kSinkRulesMax) {
    return error(spec, "too_many", "rules: at most " + std::to_string(kSinkRulesMax));
  }
  if (std::any_of(spec.rules.begin(), spec.rules.end(), [](const std::string& glob) { return glob.empty(); })) {
    return error(spec, "bad_rule_glob", "rules: an entry is empty; leave the list out for every rule");
  }
  return cep::ok_status();
}

cep::Result<std::vector<WebhookSecret>> parse_secrets(const SinkSpec& spec) {
  if (spec.secrets.empty()) return error(spec, "missing_secret", "a webhook is signed, so it needs a secret");
  if (spec.secrets.size() > kSinkSecretsMax) {
    return error(spec, "too_many", "secrets: at most " + std::to_string(kSinkSecretsMax) + " while they rotate");
  }
  std::vector<WebhookSecret> secrets;
  for (const std::string& text : spec.secrets) {
    cep::Result<WebhookSecret> secret = WebhookSecret::parse(text);
    if (!secret) return error(spec, secret.error().code, secret.error().message);
    secrets.push_back(std::move(*secret));
  }
  return secrets;
}

}  // namespace

std::optional<cep::Severity> parse_severity(std::string_view word) {
  using enum cep::Severity;
  for (const cep::Severity severity : {kInfo, kLow, kMedium, kHigh, kCritical}) {
    if (cep::severity_name(severity) == word) return severity;
  }
  return std::nullopt;
}

cep::Result<Sink> make_sink(const SinkSpec& spec) {
  if (!is_name(spec.name)) {
    return cep::Error{"bad_sink_name",
                      "a sink's name is 1 to 64 letters, digits, `_`, `-` or `.`, and begins with a "
                      "letter, a digit or `_`"};
  }
  if (cep::Status type = check_type(spec); !type) return type.error();
  const bool is_kafka = spec.type == "kafka";
  if (cep::Status own = is_kafka ? check_kafka(spec) : check_webhook(spec); !own) return own.error();
  if (cep::Status rules = check_rules(spec); !rules) return rules.error();
  const std::optional<cep::Severity> severity =
      spec.severity_min.empty() ? cep::Severity::kInfo : parse_severity(spec.severity_min);
  if (!severity) {
    return error(spec, "bad_severity",
                 "severity_min: `" + spec.severity_min + "` is none of info, low, medium, high, critical");
  }
  cep::Result<std::vector<WebhookSecret>> secrets = is_kafka ? std::vector<WebhookSecret>() : parse_secrets(spec);
  if (!secrets) return secrets.error();
  return Sink{spec.name,    spec.url,   spec.topic, spec.kafka,    std::move(*secrets),
              spec.headers, spec.rules, *severity,  spec.disabled, spec.source};
}

std::vector<std::string> split_secrets(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string> secrets;
  for (size_t begin = text.find_first_not_of(kBlanks); begin != text.npos;) {
    const size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    secrets.emplace_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlanks, end);
  }
  return secrets;
}

bool sink_wants(const Sink& sink, const AlertRoute& route) {
  if (route.severity < sink.severity_min) return false;
  if (!route.to_sinks.empty() &&
      std::find(route.to_sinks.begin(), route.to_sinks.end(), sink.name) == route.to_sinks.end()) {
    return false;
  }
  return sink.rules.empty() || std::any_of(sink.rules.begin(), sink.rules.end(),
                                           [&](const std::string& glob) { return glob_matches(glob, route.rule); });
}

bool glob_matches(std::string_view glob, std::string_view text) {
  size_t g = 0, t = 0;
  size_t after_star = glob.npos;  // where to go back to: the last star takes one character more
  size_t star_end = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      after_star = ++g;
      star_end = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (after_star != glob.npos) {
      g = after_star;
      t = ++star_end;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == glob.npos;
}

}  // namespace service
