// An alert as a webhook: the body and the signed headers of one attempt (Standard Webhooks 1.0).
// Invariant: for one alert the body and `webhook-id` are the same bytes on every attempt; the timestamp, and with it
// the signature, is of the attempt. Threads: pure functions.
#pragma once

#include <string_view>

#include "cep/result.h"
#include "cep/types.h"
#include "service/http_client.h"
#include "service/sinks.h"

namespace service {

// `alert_json` is the alert's JSON object as stored; it goes into the body byte for byte.
struct WebhookAlert {
  std::string_view id;
  cep::TimeUs time_us = 0;  // the alert's own, event time
  std::string_view alert_json;
};

// Body: `{"type":"alert.fired","timestamp":<alert time>,"data":<alert>}`. `attempt_us` is the wall clock of this
// attempt.
HttpRequest webhook_request(const Sink& sink, const WebhookAlert& alert, cep::TimeUs attempt_us);

// What "test this sink" sends: signed like an alert, `{"type":"sink.test","timestamp":<now>,"data":{"sink":<name>}}`.
// Its id is random, so no receiver takes two tests for one. Error: no_randomness.
cep::Result<HttpRequest> webhook_test_request(const Sink& sink, cep::TimeUs attempt_us);

}  // namespace service
