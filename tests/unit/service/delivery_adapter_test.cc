// Delivery over a real lane: alerts with the sinks of the version that made them, and what a commit leaves after a restart.
#include "service/delivery_adapter.h"

#include <gtest/gtest.h>

#include "tests/support/lane_fixture.h"

namespace service {
namespace {

constexpr SinkId kOne{1};
constexpr SinkId kTwo{2};

class DeliveryAdapterTest : public test_support::LaneFixture {
 protected:
  void SetUp() override {
    open();
    deploy(*lane_, test_support::kPayments);
  }
  static std::string rule(const std::string& sinks) {
    return "create rule hit on payments partition by card when amount > 10 alert severity low message 'x' to " + sinks + ";";
  }
  void hit(const std::string& id) {
    submit(*lane_, payment(id, "a", "20.00", std::stoi(id)));
    lane_->settle(false);
  }
};

TEST_F(DeliveryAdapterTest, AnAlertGoesWhereItsOwnVersionSaid) {
  deploy(*lane_, rule("first"));
  hit("1");
  deploy(*lane_, rule("second, third"));
  hit("2");
  deploy(*lane_, "drop rule hit;");
  close();
  open();
  LaneDeliveryStore store(*lane_);
  auto page = store.read_alerts(1, 10);
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->alerts.size(), 2u);
  EXPECT_EQ(page->first_retained, 1u);
  EXPECT_EQ(page->alerts[0].to_sinks, std::vector<std::string>{"first"});
  EXPECT_EQ(page->alerts[1].to_sinks, (std::vector<std::string>{"second", "third"}));
  EXPECT_EQ(page->alerts[0].rule, "hit");
  EXPECT_EQ(page->alerts[0].severity, cep::Severity::kLow);
  EXPECT_TRUE(page->alerts[0].live);
  EXPECT_EQ(page->alerts[1].sequence, 2u);
  EXPECT_NE(page->alerts[1].json.find(page->alerts[1].id), std::string::npos);
  EXPECT_EQ(*store.last_sequence(), 2u);
  EXPECT_EQ(store.read_alerts(3, 10)->alerts.size(), 0u);
}

TEST_F(DeliveryAdapterTest, ShadowAlertsAreNotLive) {
  std::string text = rule("first");
  text.replace(0, 11, "create shadow rule");
  deploy(*lane_, text);
  hit("1");
  LaneDeliveryStore store(*lane_);
  auto page = store.read_alerts(1, 10);
  ASSERT_TRUE(page.ok() && page->alerts.size() == 1);
  EXPECT_FALSE(page->alerts[0].live);
}

TEST_F(DeliveryAdapterTest, ACommitSurvivesARestart) {
  {
    LaneDeliveryStore store(*lane_);
    EXPECT_FALSE(store.load(kOne)->known);
    DeliveryChange change;
    change.cursors.push_back({kOne, 5, true});
    change.cursors.push_back({kTwo, 6, false});
    change.parked_added.push_back({kOne, {1'000, 3, 1}});
    change.parked_added.push_back({kOne, {ParkedEntry::kExhausted, 4, 10}});
    change.parked_added.push_back({kOne, {2'000, 9, 2}});
    change.parked_added.push_back({kTwo, {2'000, 9, 2}});
    change.attempts.push_back({kOne, 3, now_, 0, TransportError::kTimeout, 77});
    change.attempts.push_back({kOne, 3, now_ + 600, 503, TransportError::kNone, 88});
    ASSERT_TRUE(store.commit(change).ok());
    DeliveryChange next;
    next.parked_removed.push_back({kOne, {1'000, 3, 1}});
    next.parked_added.push_back({kOne, {3'000, 3, 2}});
    ASSERT_TRUE(store.commit(next).ok());
  }
  close();
  open();
  LaneDeliveryStore store(*lane_);
  cep::Result<SinkProgress> progress = store.load(kOne);
  ASSERT_TRUE(progress.ok());
  EXPECT_TRUE(progress->known);
  EXPECT_EQ(progress->cursor, 5u);
  EXPECT_TRUE(progress->disabled);
  EXPECT_EQ(progress->pending, 2u);
  EXPECT_EQ(progress->exhausted, 1u);
  EXPECT_EQ(progress->parked_ahead, std::vector<uint64_t>{9});
  auto first = store.read_parked(kOne, std::nullopt, 1);
  ASSERT_TRUE(first.ok() && first->size() == 1);
  EXPECT_EQ(first->front(), (ParkedEntry{2'000, 9, 2}));
  auto rest = store.read_parked(kOne, first->front(), 10);
  ASSERT_TRUE(rest.ok());
  EXPECT_EQ(*rest, (std::vector<ParkedEntry>{{3'000, 3, 2}, {ParkedEntry::kExhausted, 4, 10}}));
  auto attempts = lane_->store().delivery().attempts_of(3);
  ASSERT_TRUE(attempts.ok() && attempts->size() == 2);
  EXPECT_EQ(attempt_result((*attempts)[0].status), (std::pair<int, TransportError>{0, TransportError::kTimeout}));
  EXPECT_EQ(attempt_result((*attempts)[1].status), (std::pair<int, TransportError>{503, TransportError::kNone}));

  DeliveryChange forget;
  forget.forgotten.push_back(kOne);
  ASSERT_TRUE(store.commit(forget).ok());
  EXPECT_FALSE(store.load(kOne)->known);
  EXPECT_TRUE(store.read_parked(kOne, std::nullopt, 10)->empty());
  EXPECT_TRUE(store.load(kTwo)->known);
  EXPECT_EQ(store.read_parked(kTwo, std::nullopt, 10)->size(), 1u);
}

}  // namespace
}  // namespace service
