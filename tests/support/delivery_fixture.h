// A delivery engine on the in-memory ports, in logical time, with kills. For tests of service/delivery.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "service/delivery.h"
#include "tests/support/delivery_fakes.h"

namespace test_support {

using service::AttemptOutcome;
using service::DeliveryEngine;
using service::DeliveryEvent;
using service::DeliveryOptions;
using service::HttpResult;
using service::OutgoingAlert;
using service::ParkedEntry;
using service::Sink;
using service::SinkId;
using service::SinkSpec;
using service::SinkStatus;
using service::TransportError;
using service::WebhookSecret;

inline constexpr SinkId kOne{1};
inline constexpr cep::TimeUs kStart = 1'767'571'200 * cep::kSecond;  // 2026-01-05T00:00:00Z
inline constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

inline Sink sink_named(std::string name) {
  SinkSpec spec;
  spec.name = std::move(name);
  spec.url = "https://example.com/hook";
  spec.secrets = {kSecret};
  spec.headers = {{"x-team", "fraud"}};
  return *service::make_sink(spec);
}

class DeliveryFixture : public testing::Test {
 protected:
  DeliveryFixture() { restart(); }

  // A kill and a new process: what was not committed is gone.
  void restart(std::vector<SinkId> sinks = {}) {
    engine_.reset();
    sender_.open.clear();
    engine_ = std::make_unique<DeliveryEngine>(
        options_, store_, sender_, [] {}, [this](const DeliveryEvent& event) { events_.push_back(event); });
    for (const SinkId id : sinks) add(id);
  }
  void add(SinkId id) { ASSERT_TRUE(engine_->add_sink(id, sink_named("s" + std::to_string(int(id)))).ok()); }
  void alerts(size_t count) {
    for (size_t i = 0; i < count; ++i) store_.add_alert();
    engine_->alerts_available();
  }
  cep::TimeUs step() { return engine_->step(now_); }
  // Steps until now + us, at every instant the engine asks for.
  void pass(cep::DurationUs us) {
    const cep::TimeUs end = now_ + us;
    for (cep::TimeUs next = step(); next <= end; next = step()) now_ = std::max(next, now_ + 1);
    now_ = end;
    step();
  }
  SinkStatus status(SinkId id = kOne) {
    for (const SinkStatus& one : engine_->status()) {
      if (one.id == id) return one;
    }
    return {};
  }
  std::vector<ParkedEntry> parked(SinkId id = kOne) { return *engine_->parked(id, std::nullopt, 1'000'000); }
  size_t count_events(std::string_view name) const {
    return static_cast<size_t>(
        std::count_if(events_.begin(), events_.end(), [&](const DeliveryEvent& e) { return e.name == name; }));
  }

  DeliveryOptions options_;
  FakeDeliveryStore store_;
  FakeSender sender_;
  std::vector<DeliveryEvent> events_;
  std::unique_ptr<DeliveryEngine> engine_;
  cep::TimeUs now_ = kStart;
};

}  // namespace test_support
