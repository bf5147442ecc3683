// Delivery's two ports in memory: a store that keeps what was committed, and a sender whose answers the test gives.
// A kill is: destroy the engine, make another on the same store.
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "service/delivery.h"

namespace test_support {

class FakeDeliveryStore final : public service::DeliveryStore {
 public:
  // Appends; returns its sequence. The id is 32 hex digits of the sequence.
  uint64_t add_alert(service::OutgoingAlert alert = {}) {
    alert.sequence = ++last_;
    char id[33];
    std::snprintf(id, sizeof id, "%032llx", static_cast<unsigned long long>(last_));
    alert.id = id;
    if (alert.rule.empty()) alert.rule = "r";
    if (alert.json.empty()) alert.json = R"({"id":")" + alert.id + R"("})";
    alerts_[last_] = std::move(alert);
    return last_;
  }
  void expire_before(uint64_t sequence) { alerts_.erase(alerts_.begin(), alerts_.lower_bound(sequence)); }

  cep::Result<service::AlertPage> read_alerts(uint64_t from, size_t limit) override {
    service::AlertPage page;
    page.first_retained = alerts_.empty() ? last_ + 1 : alerts_.begin()->first;
    for (auto at = alerts_.lower_bound(from); at != alerts_.end() && page.alerts.size() < limit; ++at) {
      page.alerts.push_back(at->second);
    }
    return page;
  }
  cep::Result<uint64_t> last_sequence() override { return last_; }

  cep::Result<service::SinkProgress> load(service::SinkId sink) override {
    service::SinkProgress progress;
    const auto found = cursors.find(sink);
    if (found == cursors.end()) return progress;
    progress.known = true;
    progress.cursor = found->second.sequence;
    progress.disabled = found->second.disabled;
    for (const auto& [key, attempts] : parked[sink]) {
      ++(key.first == service::ParkedEntry::kExhausted ? progress.exhausted : progress.pending);
      if (key.second > progress.cursor) progress.parked_ahead.push_back(key.second);
    }
    return progress;
  }

  cep::Result<std::vector<service::ParkedEntry>> read_parked(service::SinkId sink,
                                                             const std::optional<service::ParkedEntry>& after,
                                                             size_t limit) override {
    std::vector<service::ParkedEntry> entries;
    const auto& all = parked[sink];
    auto at = after ? all.upper_bound({after->due_us, after->sequence}) : all.begin();
    for (; at != all.end() && entries.size() < limit; ++at) {
      entries.push_back({at->first.first, at->first.second, at->second});
    }
    return entries;
  }

  cep::Status commit(const service::DeliveryChange& change) override {
    if (commits_to_fail > 0) {
      --commits_to_fail;
      return cep::Error{"disk_full", "no space"};
    }
    ++commits;
    for (const auto& [sink, entry] : change.parked_removed) parked[sink].erase({entry.due_us, entry.sequence});
    for (const auto& [sink, entry] : change.parked_added) {
      parked[sink][{entry.due_us, entry.sequence}] = entry.attempts;
    }
    for (const auto& cursor : change.cursors) {
      auto& mine = cursors[cursor.sink];
      mine = {cursor.sink, std::max(mine.sequence, cursor.sequence), cursor.disabled};
    }
    attempts.insert(attempts.end(), change.attempts.begin(), change.attempts.end());
    for (const service::SinkId sink : change.forgotten) {
      cursors.erase(sink);
      parked.erase(sink);
    }
    return cep::ok_status();
  }

  std::map<service::SinkId, service::DeliveryChange::Cursor> cursors;
  std::map<service::SinkId, std::map<std::pair<cep::TimeUs, uint64_t>, uint32_t>> parked;
  std::vector<service::DeliveryAttempt> attempts;
  size_t commits = 0;
  size_t commits_to_fail = 0;

 private:
  std::map<uint64_t, service::OutgoingAlert> alerts_;
  uint64_t last_ = 0;
};

class FakeSender final : public service::HttpSender {
 public:
  struct Sent {
    service::HttpRequest request;
    service::HttpDone done;
    std::string header(const std::string& name) const {
      for (const service::HttpHeader& header : request.headers) {
        if (header.name == name) return header.value;
      }
      return "(none)";
    }
    uint64_t sequence() const { return std::stoull(header("webhook-id"), nullptr, 16); }
  };

  cep::Status submit(service::HttpRequest request, service::HttpDone done) override {
    if (open.size() >= capacity) return cep::Error{"busy", "full"};
    open.push_back({std::move(request), std::move(done)});
    ++submitted;
    return cep::ok_status();
  }

  // Answers the i-th open request.
  void answer(size_t i, const service::HttpResult& result) {
    const Sent sent = std::move(open.at(i));
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
    sent.done(result);
  }
  void answer_all(int status) {
    while (!open.empty()) answer(0, status_result(status));
  }
  static service::HttpResult status_result(int status) {
    service::HttpResult result;
    result.status = status;
    result.latency_us = 7;
    return result;
  }

  std::vector<Sent> open;
  size_t submitted = 0;
  size_t capacity = SIZE_MAX;
};

}  // namespace test_support
