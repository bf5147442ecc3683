#include "service/sink_webhook.h"

#include <openssl/rand.h>

#include <utility>

#include "api/alert_json.h"
#include "api/json_writer.h"
#include "cep/alert.h"
#include "cep/value.h"

namespace service {
namespace {

HttpRequest signed_request(const Sink& sink, std::string_view id, std::string body, cep::TimeUs attempt_us) {
  const int64_t timestamp_s = attempt_us / cep::kSecond;
  HttpRequest request{sink.url, sink.headers, std::move(body)};
  request.headers.push_back({"content-type", "application/json"});
  request.headers.push_back({"webhook-id", std::string(id)});
  request.headers.push_back({"webhook-timestamp", std::to_string(timestamp_s)});
  request.headers.push_back({"webhook-signature", webhook_signatures(sink.secrets, id, timestamp_s, request.body)});
  return request;
}

}  // namespace

HttpRequest webhook_request(const Sink& sink, const WebhookAlert& alert, cep::TimeUs attempt_us) {
  return signed_request(sink, alert.id, api::webhook_body(alert.alert_json, alert.time_us), attempt_us);
}

cep::Result<HttpRequest> webhook_test_request(const Sink& sink, cep::TimeUs attempt_us) {
  cep::AlertId random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return cep::Error{"no_randomness", "the system's random number generator failed; no test was sent"};
  }
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().field("type", "sink.test").field("timestamp", cep::format_time(attempt_us));
  json.key("data").begin_object().field("sink", sink.name).end_object().end_object();
  return signed_request(sink, "test_" + cep::to_hex(random), std::move(body), attempt_us);
}

}  // namespace service
