// The delivery engine in logical time: sending, parking, retries, filters, replay. Kills: delivery_kill_test.cc.
#include "service/delivery.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/delivery_fixture.h"

namespace service {
namespace {

using test_support::FakeSender;
using test_support::kOne;
using test_support::kSecret;
using test_support::kStart;
using test_support::sink_named;

class Delivery : public test_support::DeliveryFixture {};

TEST_F(Delivery, SendsOneSignedWebhookAndMovesTheCursor) {
  add(kOne);
  OutgoingAlert alert;
  alert.time_us = kStart - cep::kDay + 120 * cep::kMillisecond;
  alert.json = R"({"id":"x","rule":"r"})";
  store_.add_alert(alert);
  engine_->alerts_available();
  step();
  ASSERT_EQ(sender_.open.size(), 1u);
  const FakeSender::Sent sent = sender_.open.front();
  EXPECT_EQ(sent.request.url, "https://example.com/hook");
  EXPECT_EQ(sent.request.body,
            R"({"type":"alert.fired","timestamp":"2026-01-04T00:00:00.120Z","data":{"id":"x","rule":"r"}})");
  EXPECT_EQ(sent.header("x-team"), "fraud");
  EXPECT_EQ(sent.header("content-type"), "application/json");
  EXPECT_EQ(sent.header("webhook-id"), "00000000000000000000000000000001");
  EXPECT_EQ(sent.header("webhook-timestamp"), "1767571200");
  EXPECT_EQ(sent.header("webhook-signature"),
            WebhookSecret::parse(kSecret)->sign(sent.header("webhook-id"), 1767571200, sent.request.body));
  EXPECT_EQ(store_.cursors[kOne].sequence, 0u);
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 1u);
  ASSERT_EQ(store_.attempts.size(), 1u);
  EXPECT_EQ(store_.attempts[0].status, 200);
  EXPECT_EQ(store_.attempts[0].latency_us, 7);
  EXPECT_EQ(store_.attempts[0].at_us, kStart);
  EXPECT_EQ(step(), cep::kTimeMax);
}

TEST_F(Delivery, AtMost64InFlightAndTheCursorWaitsForTheSlowest) {
  add(kOne);
  alerts(200);
  step();
  EXPECT_EQ(sender_.open.size(), 64u);
  while (sender_.open.size() > 1) {
    sender_.answer(1, FakeSender::status_result(200));  // never the first
    pass(cep::kSecond);
  }
  EXPECT_EQ(sender_.submitted, 200u);
  EXPECT_EQ(status().cursor, 0u);
  EXPECT_EQ(store_.cursors[kOne].sequence, 0u);
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 200u);
}

TEST_F(Delivery, AFailureIsParkedAndHoldsNobodyUp) {
  add(kOne);
  alerts(3);
  step();
  const std::string body = sender_.open[1].request.body;
  sender_.answer(1, FakeSender::status_result(500));
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 3u);
  ASSERT_EQ(parked().size(), 1u);
  const ParkedEntry entry = parked()[0];
  EXPECT_EQ(entry.sequence, 2u);
  EXPECT_EQ(entry.attempts, 1u);
  EXPECT_GE(entry.due_us, kStart + 4'500'000);
  EXPECT_LE(entry.due_us, kStart + 5'500'000);
  EXPECT_EQ(status().pending, 1u);

  now_ = entry.due_us - 1;
  EXPECT_EQ(step(), entry.due_us);
  EXPECT_TRUE(sender_.open.empty());
  now_ = entry.due_us;
  step();
  ASSERT_EQ(sender_.open.size(), 1u);
  EXPECT_EQ(sender_.open[0].sequence(), 2u);
  EXPECT_EQ(sender_.open[0].request.body, body);
  EXPECT_EQ(sender_.open[0].header("webhook-timestamp"), std::to_string(entry.due_us / cep::kSecond));
  sender_.answer_all(204);
  pass(cep::kSecond);
  EXPECT_TRUE(parked().empty());
  EXPECT_EQ(status().pending, 0u);
  EXPECT_EQ(status().attempts[static_cast<size_t>(AttemptOutcome::kDelivered)], 3u);
  EXPECT_EQ(status().attempts[static_cast<size_t>(AttemptOutcome::kServerError)], 1u);
}

TEST_F(Delivery, JitterIsOfTheAlertAndSpreads) {
  options_.down_after_failures = 1000;
  std::vector<std::vector<ParkedEntry>> runs;
  for (int run = 0; run < 2; ++run) {
    store_ = {};
    restart({kOne});
    alerts(50);
    step();
    sender_.answer_all(400);
    pass(cep::kSecond);
    runs.push_back(parked());
    now_ = kStart;
  }
  ASSERT_EQ(runs[0].size(), 50u);
  EXPECT_EQ(runs[0], runs[1]);
  std::set<cep::TimeUs> due;
  for (const ParkedEntry& entry : runs[0]) due.insert(entry.due_us);
  EXPECT_GE(due.size(), 45u);
  EXPECT_GT(*due.rbegin() - *due.begin(), 500 * cep::kMillisecond);
}

TEST_F(Delivery, OptionsAreChecked) {
  const auto code = [](auto change) {
    DeliveryOptions options;
    change(options);
    const cep::Status checked = check_delivery_options(options);
    return checked.ok() ? "ok" : checked.error().code;
  };
  EXPECT_EQ(code([](DeliveryOptions&) {}), "ok");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.schedule.clear(); }), "ok");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.schedule = {cep::kMillisecond}; }), "ok");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.schedule = {-cep::kSecond}; }), "bad_delivery_options");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.schedule = {31 * cep::kDay}; }), "bad_delivery_options");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.schedule.assign(33, cep::kSecond); }), "bad_delivery_options");
  EXPECT_EQ(code([](DeliveryOptions& o) { o.in_flight_max = 0; }), "bad_delivery_options");
}

TEST_F(Delivery, RedirectsAndClientErrorsAreFailures) {
  add(kOne);
  alerts(3);
  step();
  sender_.answer(0, FakeSender::status_result(302));
  sender_.answer(0, FakeSender::status_result(404));
  sender_.answer(0, FakeSender::status_result(299));
  pass(cep::kSecond);
  EXPECT_EQ(parked().size(), 2u);
  EXPECT_EQ(status().attempts[static_cast<size_t>(AttemptOutcome::kRedirected)], 1u);
  EXPECT_EQ(status().attempts[static_cast<size_t>(AttemptOutcome::kRejected)], 1u);
}

TEST_F(Delivery, GoneDisablesUntilSomebodyEnables) {
  add(kOne);
  alerts(1);
  step();
  sender_.answer_all(410);
  alerts(5);
  pass(cep::kDay);
  EXPECT_EQ(sender_.submitted, 1u);
  EXPECT_TRUE(status().disabled);
  EXPECT_TRUE(store_.cursors[kOne].disabled);
  EXPECT_EQ(count_events("sink_gone"), 1u);
  restart({kOne});
  pass(cep::kDay);
  EXPECT_EQ(sender_.submitted, 1u);
  ASSERT_TRUE(engine_->set_disabled(kOne, false).ok());
  pass(cep::kSecond);
  EXPECT_FALSE(store_.cursors[kOne].disabled);
  EXPECT_EQ(sender_.open.size(), 6u);
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 6u);
  EXPECT_TRUE(parked().empty());
}

TEST_F(Delivery, RetryAfterIsHonoured) {
  for (const int code : {429, 503}) {
    store_ = {};
    sender_.submitted = 0;
    restart({kOne});
    alerts(1);
    step();
    HttpResult busy = FakeSender::status_result(code);
    busy.retry_after_s = 600;
    const cep::TimeUs asked = now_;
    sender_.answer(0, busy);
    alerts(3);
    pass(599 * cep::kSecond);
    EXPECT_EQ(sender_.submitted, 1u) << "asked for 600 s, of everything";
    EXPECT_EQ(parked()[0].due_us, asked + 600 * cep::kSecond);
    pass(2 * cep::kSecond);
    EXPECT_EQ(sender_.open.size(), 4u);
  }
  // Another status carries no such wish, and a day is too long a one.
  store_ = {};
  sender_.submitted = 0;
  restart({kOne});
  alerts(2);
  step();
  HttpResult odd = FakeSender::status_result(400);
  odd.retry_after_s = 3600;
  sender_.answer(0, odd);
  HttpResult long_wait = FakeSender::status_result(429);
  long_wait.retry_after_s = INT64_MAX;
  const cep::TimeUs asked = now_;
  sender_.answer(0, long_wait);
  pass(cep::kSecond);
  EXPECT_LE(parked()[0].due_us, now_ + 6 * cep::kSecond);
  EXPECT_EQ(parked()[1].due_us, asked + options_.retry_after_max_us);
}

TEST_F(Delivery, ADeadEndpointIsProbedAndItsAlertsStayInTheLog) {
  add(kOne);
  alerts(100'000);
  step();
  HttpResult refused;
  refused.error = TransportError::kConnect;
  const auto fail_all = [&] {
    while (!sender_.open.empty()) sender_.answer(0, refused);
  };
  fail_all();
  step();
  const size_t before = sender_.submitted;
  for (int second = 0; second < 3600; ++second) {
    pass(cep::kSecond);
    fail_all();
  }
  EXPECT_LE(sender_.submitted - before, 3601u);
  EXPECT_GE(sender_.submitted - before, 3000u);
  EXPECT_LT(parked().size(), 3700u);
  pass(2 * cep::kSecond);
  ASSERT_EQ(sender_.open.size(), 1u);
  sender_.answer_all(200);
  for (int i = 0; i < 4000 && status().cursor < 100'000; ++i) {
    pass(10 * cep::kMillisecond);
    sender_.answer_all(200);
  }
  EXPECT_EQ(status().cursor, 100'000u);
}

TEST_F(Delivery, FiltersOfTheSinkAndOfTheRule) {
  SinkSpec spec;
  spec.name = "picky";
  spec.url = "https://example.com/";
  spec.secrets = {kSecret};
  spec.rules = {"card_*"};
  spec.severity_min = "medium";
  ASSERT_TRUE(engine_->add_sink(kOne, *make_sink(spec)).ok());
  const auto alert = [&](const char* rule, cep::Severity severity, bool live, std::vector<std::string> to) {
    OutgoingAlert one;
    one.rule = rule;
    one.severity = severity;
    one.live = live;
    one.to_sinks = std::move(to);
    return store_.add_alert(one);
  };
  using enum cep::Severity;
  const uint64_t wanted = alert("card_a", kMedium, true, {});
  const uint64_t named = alert("card_b", kCritical, true, {"x", "picky"});
  alert("login", kHigh, true, {});
  alert("card_a", kLow, true, {});
  alert("card_a", kHigh, false, {});
  const uint64_t last = alert("card_a", kHigh, true, {"x"});
  engine_->alerts_available();
  step();
  ASSERT_EQ(sender_.open.size(), 2u);
  EXPECT_EQ(sender_.open[0].sequence(), wanted);
  EXPECT_EQ(sender_.open[1].sequence(), named);
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, last);
  EXPECT_EQ(engine_->replay(kOne, 1, last, false, now_)->count, 2u);
}

TEST_F(Delivery, AlertsThatExpiredFirstAreANamedEvent) {
  add(kOne);
  alerts(1);
  step();
  sender_.answer_all(500);
  pass(cep::kSecond);
  alerts(9);
  ASSERT_TRUE(engine_->set_disabled(kOne, true).ok());
  step();
  store_.expire_before(8);
  restart({kOne});
  ASSERT_TRUE(engine_->set_disabled(kOne, false).ok());
  pass(cep::kMinute);
  ASSERT_EQ(count_events("cursor_expired"), 1u);
  for (const DeliveryEvent& event : events_) {
    if (event.name != "cursor_expired") continue;
    EXPECT_EQ(event.sink, "s1");
    EXPECT_EQ(event.sequence, 2u);
    EXPECT_EQ(event.count, 6u);
  }
  EXPECT_EQ(count_events("entry_expired"), 1u);
  EXPECT_EQ(status().expired, 7u);
  EXPECT_EQ(status().pending, 0u);
  EXPECT_EQ(sender_.open.size(), 3u);
}

TEST_F(Delivery, ReplayOfARange) {
  add(kOne);
  alerts(30'000);
  for (int i = 0; i < 600; ++i) {
    step();
    sender_.answer_all(200);
  }
  pass(cep::kSecond);
  ASSERT_EQ(status().cursor, 30'000u);
  sender_.submitted = 0;
  auto replayed = engine_->replay(kOne, 5, 29'000, false, now_);
  ASSERT_TRUE(replayed.ok());
  EXPECT_EQ(replayed->count, 10'000u);
  EXPECT_EQ(replayed->next, 10'005u);
  replayed = engine_->replay(kOne, 29'999, UINT64_MAX, false, now_);
  EXPECT_EQ(replayed->count, 2u);
  EXPECT_EQ(replayed->next, 0u);
  EXPECT_EQ(status().pending, 10'002u);
  step();
  EXPECT_EQ(sender_.open.size(), 32u);  // half is kept for new alerts
  alerts(100);
  step();
  EXPECT_EQ(sender_.open.size(), 64u);
  // Asking again for what waits does not double it, and what is in flight is left alone.
  EXPECT_EQ(engine_->replay(kOne, 5, 10'004, true, now_)->count, 10'000u - 32u);
  EXPECT_EQ(status().pending, 10'002u);
  for (int i = 0; i < 2000 && status().pending > 0; ++i) {
    pass(20 * cep::kMillisecond);
    sender_.answer_all(200);
  }
  pass(cep::kSecond);
  EXPECT_EQ(sender_.submitted, 10'102u);
  EXPECT_TRUE(parked().empty());
  EXPECT_EQ(engine_->replay(kOne, 0, 5, false, now_).error().code, "bad_range");
  EXPECT_EQ(engine_->replay(kOne, 6, 5, false, now_).error().code, "bad_range");
  EXPECT_EQ(engine_->replay(SinkId{9}, 1, 5, false, now_).error().code, "unknown_sink");
}

TEST_F(Delivery, AFullSenderLosesNothing) {
  sender_.capacity = 5;
  add(kOne);
  add(SinkId{2});
  alerts(40);
  for (int i = 0; i < 200; ++i) {
    pass(100 * cep::kMillisecond);
    EXPECT_LE(sender_.open.size(), 5u);
    sender_.answer_all(i % 3 == 0 ? 400 : 200);
  }
  EXPECT_EQ(status(kOne).cursor, 40u);
  EXPECT_EQ(status(SinkId{2}).cursor, 40u);
  pass(cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 40u);
}

TEST_F(Delivery, RemovedAndChangedSinks) {
  add(kOne);
  add(SinkId{2});
  alerts(1);
  step();
  sender_.answer(0, FakeSender::status_result(500));
  pass(cep::kSecond);
  ASSERT_EQ(store_.parked[kOne].size(), 1u);
  ASSERT_TRUE(engine_->remove_sink(kOne).ok());
  pass(cep::kSecond);
  EXPECT_FALSE(store_.cursors.contains(kOne));
  EXPECT_FALSE(store_.parked.contains(kOne));
  EXPECT_EQ(engine_->remove_sink(kOne).error().code, "unknown_sink");

  Sink moved = sink_named("s2");
  moved.url = "https://example.com/elsewhere";
  ASSERT_TRUE(engine_->update_sink(SinkId{2}, moved).ok());
  sender_.answer_all(500);
  pass(6 * cep::kSecond);
  ASSERT_EQ(sender_.open.size(), 1u);
  EXPECT_EQ(sender_.open[0].request.url, "https://example.com/elsewhere");
}

TEST_F(Delivery, AClockSetBackDoesNotStopIt) {
  add(kOne);
  alerts(1);
  step();
  sender_.answer_all(200);
  pass(cep::kSecond);
  now_ -= cep::kDay;
  alerts(1);
  step();
  ASSERT_EQ(sender_.open.size(), 1u);
  sender_.answer_all(200);
  pass(2 * cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 2u);
}

}  // namespace
}  // namespace service
