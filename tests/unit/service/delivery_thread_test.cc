// The delivery thread over real loopback sockets, and its stop.
#include "service/delivery_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <set>

#include "tests/support/delivery_fakes.h"
#include "tests/support/http_receiver.h"

namespace service {
namespace {

using test_support::FakeDeliveryStore;
using test_support::http_response;
using test_support::HttpReceiver;
using test_support::ReceivedRequest;

constexpr SinkId kOne{1};
constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// The fake store as several threads may use it: the test adds alerts while the delivery thread reads.
class LockedStore final : public DeliveryStore {
 public:
  void add_alert() {
    const std::lock_guard lock(mutex_);
    store_.add_alert();
  }
  cep::Result<AlertPage> read_alerts(uint64_t from, size_t limit) override {
    const std::lock_guard lock(mutex_);
    return store_.read_alerts(from, limit);
  }
  cep::Result<uint64_t> last_sequence() override {
    const std::lock_guard lock(mutex_);
    return store_.last_sequence();
  }
  cep::Result<SinkProgress> load(SinkId sink) override {
    const std::lock_guard lock(mutex_);
    return store_.load(sink);
  }
  cep::Result<std::vector<ParkedEntry>> read_parked(SinkId sink, const std::optional<ParkedEntry>& after,
                                                    size_t limit) override {
    const std::lock_guard lock(mutex_);
    return store_.read_parked(sink, after, limit);
  }
  cep::Status commit(const DeliveryChange& change) override {
    const std::lock_guard lock(mutex_);
    return store_.commit(change);
  }
  FakeDeliveryStore& unlocked() { return store_; }  // once the thread has stopped

 private:
  std::mutex mutex_;
  FakeDeliveryStore store_;
};

cep::TimeUs wall_clock() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

// Lets a test wait until the receiver has seen so many different ids.
class SeenIds {
 public:
  void add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    ids_.insert(id);
    changed_.notify_all();
  }
  bool wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return ids_.size() >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> ids_;
};

class DeliveryThreadTest : public testing::Test {
 protected:
  std::unique_ptr<HttpClient> make_client() {
    HttpClientOptions options;
    options.policy = EgressPolicy({*parse_cidr("127.0.0.1")});
    return HttpClient::create(std::move(options)).value();
  }
  Sink sink_to(const HttpReceiver& receiver) {
    SinkSpec spec;
    spec.name = "hook";
    spec.url = receiver.url();
    spec.secrets = {kSecret};
    return *make_sink(spec);
  }

  LockedStore store_;
  DeliveryOptions options_;
};

TEST_F(DeliveryThreadTest, DeliversOverRealSocketsWithValidSignatures) {
  SeenIds seen;
  std::atomic<int> count = 0;
  HttpReceiver receiver([&](const ReceivedRequest& request) {
    if (++count % 10 == 0) return http_response(500);
    seen.add(request.headers.at("webhook-id"));
    return http_response(200);
  });
  options_.schedule = {20 * cep::kMillisecond, 20 * cep::kMillisecond, 20 * cep::kMillisecond};
  const std::unique_ptr<HttpClient> client = make_client();
  DeliveryThread thread(options_, store_, *client, wall_clock, {});
  ASSERT_TRUE(thread.engine().add_sink(kOne, sink_to(receiver)).ok());
  thread.start();
  constexpr size_t kAlerts = 300;
  for (size_t i = 0; i < kAlerts; ++i) {
    store_.add_alert();
    if (i % 50 == 0) thread.notify();
  }
  thread.notify();
  EXPECT_TRUE(seen.wait_for(kAlerts));
  ASSERT_TRUE(thread.stop().ok());
  EXPECT_EQ(store_.unlocked().cursors[kOne].sequence, kAlerts);
  EXPECT_TRUE(store_.unlocked().parked[kOne].empty());
  const WebhookSecret secret = *WebhookSecret::parse(kSecret);
  for (const ReceivedRequest& request : receiver.requests()) {
    EXPECT_EQ(request.headers.at("webhook-signature"),
              secret.sign(request.headers.at("webhook-id"), std::stoll(request.headers.at("webhook-timestamp")),
                          request.body));
  }
}

TEST_F(DeliveryThreadTest, StopWaitsForWhatIsInFlightButNotForEver) {
  std::promise<void> arrived;
  std::atomic<int> count = 0;
  HttpReceiver receiver([&](const ReceivedRequest&) -> std::optional<std::string> {
    if (++count == 2) arrived.set_value();
    return std::nullopt;
  });
  options_.stop_grace_us = 50 * cep::kMillisecond;
  const std::unique_ptr<HttpClient> client = make_client();
  DeliveryThread thread(options_, store_, *client, wall_clock, {});
  ASSERT_TRUE(thread.engine().add_sink(kOne, sink_to(receiver)).ok());
  store_.add_alert();
  store_.add_alert();
  thread.start();
  arrived.get_future().wait();
  ASSERT_TRUE(thread.stop().ok());
  EXPECT_EQ(store_.unlocked().cursors[kOne].sequence, 0u);  // both will be tried again
  EXPECT_TRUE(store_.unlocked().attempts.empty());
}

TEST_F(DeliveryThreadTest, PostedCommandsRunEvenWhenStopFollows) {
  HttpReceiver receiver([](const ReceivedRequest&) { return http_response(200); });
  const std::unique_ptr<HttpClient> client = make_client();
  DeliveryThread thread(options_, store_, *client, wall_clock, {});
  size_t ran = 0;
  for (size_t i = 0; i < DeliveryThread::kCommandsMax; ++i) {
    ASSERT_TRUE(thread.post([&](DeliveryEngine&, cep::TimeUs) { ++ran; }).ok());
  }
  EXPECT_EQ(thread.post([](DeliveryEngine&, cep::TimeUs) {}).error().code, "busy");
  thread.start();
  ASSERT_TRUE(thread.stop().ok());
  EXPECT_EQ(ran, DeliveryThread::kCommandsMax);
  EXPECT_EQ(thread.post([](DeliveryEngine&, cep::TimeUs) {}).error().code, "stopped");
}

}  // namespace
}  // namespace service
