// A backend for the tests of the HTTP layer: remembers what it was asked, answers from a thread of its own or when told
// to.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <type_traits>

#include "api/backend.h"

namespace api {

class FakeBackend : public Backend {
 public:
  FakeBackend() : worker_([this] { work(); }) {}
  ~FakeBackend() override {
    locked([&] { stopping_ = true; });
    worker_.join();
  }

  // --- What tests look at and set.
  std::vector<std::string> calls() {
    return locked([&] { return calls_; });
  }
  std::vector<std::string> observed() {
    return locked([&] { return observed_; });
  }
  // Replies wait until release().
  void hold() {
    locked([&] { held_ = true; });
  }
  void release() {
    locked([&] { held_ = false; });
  }
  void wait_for_calls(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_.size() >= count; });
  }
  void add_schema(cep::SchemaPtr schema) { schemas_[schema->name] = std::move(schema); }
  void add_alert(std::string json) {
    locked([&] { feed_.push_back(std::move(json)); });
    if (const auto hook = locked([&] { return hook_; })) hook();
  }
  // Alerts up to this sequence are expired.
  void expire_alerts(uint64_t sequence) {
    locked([&] { expired_ = sequence; });
  }
  SubmitAnswer submit_result;
  std::shared_ptr<SubmitRequest> last_submit;
  RulePut last_put;
  AlertsQuery last_alerts;
  DatasetEntryPut last_entry;
  Answer next_answer{200, "application/json", {}, "{}"};

  // --- Backend.
  void submit(std::shared_ptr<SubmitRequest> request, std::function<void(SubmitAnswer)> reply) override {
    note("submit");
    last_submit = std::move(request);
    later([reply, answer = submit_result] { reply(answer); });
  }
  void decide(std::shared_ptr<SubmitRequest> request, Reply reply) override {
    last_submit = std::move(request);
    done("decide", reply);
  }
  void decisions(PageQuery page, Reply reply) override { done("decisions " + shown(page), reply); }
  void decision(std::string id, Reply reply) override { done("decision " + id, reply); }
  cep::SchemaPtr schema(std::string_view stream) const override {
    const auto found = schemas_.find(std::string(stream));
    return found != schemas_.end() ? found->second : nullptr;
  }
  void check(std::string text, Reply reply) override { done("check " + text, reply); }
  void deploy(std::string text, bool dry_run, Reply reply) override { done("deploy " + text + (dry_run ? " dry" : ""), reply); }
  void reload(Reply reply) override { done("reload", reply); }
  void rules(PageQuery page, Reply reply) override { done("rules " + shown(page), reply); }
  void rule(std::string name, Reply reply) override { done("rule " + name, reply); }
  void put_rule(RulePut put, Reply reply) override {
    last_put = put;
    done("put_rule " + put.name, reply);
  }
  void delete_rule(std::string name, std::string if_match, Reply reply) override { done("delete_rule " + name + if_match, reply); }
  void rule_versions(std::string name, PageQuery page, Reply reply) override { done("versions " + name + shown(page), reply); }
  void rule_version(std::string name, uint32_t v, Reply reply) override { done("version " + name + std::to_string(v), reply); }
  void activate_rule_version(std::string name, uint32_t v, Reply reply) override {
    done("activate " + name + std::to_string(v), reply);
  }
  void set_rule_mode(std::string name, std::string mode, Reply reply) override { done("mode " + name + " " + mode, reply); }
  void alerts(AlertsQuery query, Reply reply) override {
    last_alerts = query;
    done("alerts", reply);
  }
  void alert(std::string id, Reply reply) override { done("alert " + id, reply); }
  void read_feed(FeedQuery query, std::function<void(FeedPage)> reply) override {
    const std::lock_guard lock(mutex_);
    FeedPage page;
    uint64_t next = query.after ? query.after->sequence : feed_.size();
    page.gap = next < expired_ || next > feed_.size();
    next = next > feed_.size() ? feed_.size() : std::max(next, expired_);
    for (; next < feed_.size() && page.items.size() < query.items_max; ++next) page.items.push_back({{0, next + 1}, feed_[next]});
    page.next = {0, next};
    jobs_.push_back([reply, page] { reply(page); });
    changed_.notify_all();
  }
  void set_feed_hook(std::function<void()> hook) override { locked([&] { hook_ = std::move(hook); }); }
  void matches(MatchesQuery query, Reply reply) override { done("matches " + query.rule + joined(query.key), reply); }
  void rejected(RejectedQuery query, Reply reply) override { done("rejected " + query.stream.value_or("-"), reply); }
  void datasets(bool is_table, PageQuery page, Reply reply) override { done((is_table ? "tables " : "lists ") + shown(page), reply); }
  void dataset(DatasetName name, PageQuery, Reply reply) override { done(shown(name), reply); }
  void import_dataset(DatasetImport import, Reply reply) override {
    done((import.replace ? "replace " : "import ") + shown(import.edit.dataset) + " " + import.csv, reply);
  }
  void dataset_entry(DatasetName name, std::vector<std::string> key, Reply reply) override {
    done("entry of " + shown(name) + joined(key), reply);
  }
  void put_dataset_entry(DatasetEntryPut put, Reply reply) override {
    last_entry = put;
    done("put_entry of " + shown(put.edit.dataset) + joined(put.key), reply);
  }
  void delete_dataset_entry(EditRequest edit, std::vector<std::string> key, Reply reply) override {
    done("delete_entry of " + shown(edit.dataset) + joined(key), reply);
  }
  void edits(EditsQuery query, Reply reply) override { done("edits " + query.dataset, reply); }
  void sinks(PageQuery page, Reply reply) override { done("sinks " + shown(page), reply); }
  void sink(std::string name, Reply reply) override { done("sink " + name, reply); }
  void put_sink(std::string name, std::string json, Reply reply) override { done("put_sink " + name + json, reply); }
  void delete_sink(std::string name, Reply reply) override { done("delete_sink " + name, reply); }
  void test_sink(std::string name, Reply reply) override { done("test_sink " + name, reply); }
  void sink_attempts(std::string name, PageQuery, Reply reply) override { done("attempts " + name, reply); }
  void sink_parked(std::string name, PageQuery, Reply reply) override { done("parked " + name, reply); }
  void replay_sink(SinkReplay replay, Reply reply) override { done("replay " + replay.sink + " " + replay.alert, reply); }
  void streams(PageQuery page, Reply reply) override { done("streams " + shown(page), reply); }
  void stream(std::string name, Reply reply) override { done("stream " + name, reply); }
  void limits(Reply reply) override { done("limits", reply); }
  void checkpoints(PageQuery page, Reply reply) override { done("checkpoints " + shown(page), reply); }
  void trigger_checkpoint(Reply reply) override { done("checkpoint", reply); }
  void ready(Reply reply) override { done("ready", reply); }
  void health(Reply reply) override { done("health", reply); }
  void metrics(Reply reply) override { done("metrics", reply); }
  void observe_request(std::string_view route, std::string_view method, int status, double) override {
    const std::lock_guard lock(mutex_);
    observed_.push_back(std::string(method) + " " + std::string(route) + " " + std::to_string(status));
  }

 private:
  template <class Action>
  std::invoke_result_t<Action&> locked(Action action) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
    return action();
  }
  static std::string shown(const PageQuery& page) { return std::to_string(page.limit) + "," + page.cursor; }
  static std::string shown(const DatasetName& name) { return (name.is_table ? "table " : "list ") + name.name; }
  static std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += "|" + part;
    return all;
  }
  void note(std::string call) {
    locked([&] { calls_.push_back(std::move(call)); });
  }
  void done(std::string call, const Reply& reply) {
    note(std::move(call));
    later([reply, answer = next_answer] { reply(answer); });
  }
  void later(std::function<void()> job) {
    locked([&] { jobs_.push_back(std::move(job)); });
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || (!held_ && !jobs_.empty()); });
      if (stopping_) return;
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> calls_, observed_;
  std::deque<std::function<void()>> jobs_;
  std::map<std::string, cep::SchemaPtr> schemas_;
  std::vector<std::string> feed_;
  std::function<void()> hook_;
  uint64_t expired_ = 0;
  bool held_ = false;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace api
