// A real lane in a directory of its own, on a wall clock that stands still until the test moves it.
// Threads: the test's; the lane has its own.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <set>
#include <string>

#include "api/event_body.h"
#include "service/lane.h"
#include "tests/support/scratch_dir.h"

namespace test_support {

inline constexpr cep::TimeUs kLaneStart = 1'767'571'200'000'000;      // 2026-01-05T00:00:00Z

inline constexpr const char* kPayments =
    "create stream payments (id text, card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 hour, unique id;\n";
inline constexpr const char* kProbeRule =
    "create rule probe_then_big on payments partition by card pattern probe -> big within 10 minutes"
    " define probe as amount < 5, big as amount > 100 measures big.amount as amount"
    " alert severity high message '{card}: {amount}';\n";

class LaneFixture : public ::testing::Test {
 protected:
  void open(uint32_t shards = 1) { lane_ = open_at(scratch_ / "data", shards); }
  std::unique_ptr<service::Lane> open_at(const std::string& data_dir, uint32_t shards) {
    service::LaneOptions options;
    options.data_dir = data_dir;
    options.shards = shards;
    options.sequencer.limits = limits_;
    options.dataset_entries_max = dataset_entries_max_;
    options.sequencer.linger_us = linger_us_;
    options.decisions = decisions_;
    std::vector<std::string> notes;
    auto lane = service::Lane::open(std::move(options), [this] { return now_.load(); }, notes);
    EXPECT_TRUE(lane.ok()) << (lane.ok() ? "" : lane.error().message);
    return lane.ok() ? std::move(*lane) : nullptr;
  }
  void close() {
    lane_->close();
    lane_.reset();
  }
  // The lane stays as it is; what a crash at this moment would leave is found under the returned path.
  std::string crash_image(const std::string& name) {
    lane_->settle(false);
    std::filesystem::copy(scratch_ / "data", scratch_ / name, std::filesystem::copy_options::recursive);
    return scratch_ / name;
  }

  static std::string payment(const std::string& id, const std::string& card, const std::string& amount, int second) {
    return R"({"id":")" + id + R"(","card":")" + card + R"(","amount":)" + amount + R"(,"at":")" +
           cep::format_time(kLaneStart + second * cep::kSecond) + "\"}\n";
  }
  static std::shared_ptr<api::SubmitRequest> request_of(const service::Lane& lane, const std::string& body, const std::string& stream,
                                                        const std::string& idempotency_key) {
    auto request = std::make_shared<api::SubmitRequest>();
    request->body = body;
    request->idempotency_key = idempotency_key;
    request->body_hash = std::hash<std::string>{}(body + stream);
    api::EventBodyHead head;
    head.content_type = "application/x-ndjson";
    head.stream = stream;
    service::RegistryPtr registry = lane.registry();
    auto schemas = [&](std::string_view name) -> cep::SchemaPtr {
      auto known = registry->streams().find(std::string(name));
      return known != registry->streams().end() ? known->second : nullptr;
    };
    cep::Status split = api::split_body(head, schemas, *request);
    EXPECT_TRUE(split.ok()) << (split.ok() ? "" : split.error().message);
    return request;
  }
  static api::SubmitAnswer submit(service::Lane& lane, const std::string& body, const std::string& stream = "payments",
                                  const std::string& idempotency_key = "") {
    std::promise<api::SubmitAnswer> answer;
    lane.submit(request_of(lane, body, stream, idempotency_key), [&answer](api::SubmitAnswer a) { answer.set_value(std::move(a)); });
    return answer.get_future().get();
  }
  static service::DecisionAnswer decide(service::Lane& lane, const std::string& event, const std::string& stream = "payments",
                                        const std::string& idempotency_key = "") {
    std::promise<service::DecisionAnswer> answer;
    lane.decide(request_of(lane, event, stream, idempotency_key), [&answer](service::DecisionAnswer a) { answer.set_value(std::move(a)); });
    return answer.get_future().get();
  }
  static service::DeployResult deploy(service::Lane& lane, const std::string& text) {
    std::promise<service::DeployResult> outcome;
    lane.deploy(text, "test", false, nullptr, [&outcome](service::DeployResult result) { outcome.set_value(std::move(result)); });
    service::DeployResult result = outcome.get_future().get();
    EXPECT_TRUE(result.applied) << to_text(result.plan.sources, result.plan.diagnostics);
    return result;
  }
  static std::vector<state::StoredAlert> alerts(service::Lane& lane) {
    lane.settle(false);
    return stored_alerts(lane, false);
  }
  // What deployments found in the past.
  static std::vector<state::StoredAlert> backfill(service::Lane& lane) {
    lane.settle(false);
    return stored_alerts(lane, true);
  }
  static std::vector<state::StoredAlert> stored_alerts(const service::Lane& lane, bool of_the_past) {
    auto stored = lane.store().alerts().from(1, 10'000);
    EXPECT_TRUE(stored.ok());
    if (!stored.ok()) return {};
    std::erase_if(*stored, [&](const state::StoredAlert& one) {
      return (one.alert.mode == static_cast<uint8_t>(cep::AlertMode::kBackfill)) != of_the_past;
    });
    return std::move(*stored);
  }
  static std::set<std::string> alert_ids(service::Lane& lane) {
    std::set<std::string> ids;
    for (const state::StoredAlert& stored : alerts(lane)) ids.insert(cep::to_hex(stored.alert.id));
    return ids;
  }

  support::ScratchDir scratch_;
  std::atomic<cep::TimeUs> now_{kLaneStart};
  cep::Limits limits_;                       // of lanes opened from here on, as the three below
  size_t dataset_entries_max_ = service::LaneOptions().dataset_entries_max;
  cep::DurationUs linger_us_ = service::SequencerOptions().linger_us;
  service::DecisionOptions decisions_{cep::kMinute, cep::Decision::kAllow};      // no machine is so slow that the default answers
  std::unique_ptr<service::Lane> lane_;
};

}  // namespace test_support
