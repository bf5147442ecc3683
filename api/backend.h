// The port: what the HTTP layer asks of the process. `service` implements it; tests have a small fake.
// Threads: every function is called on an io thread and must not wait: it returns at once and completes later by
// calling its `reply` exactly once, from any thread, also before it returns. A reply that is destroyed uncalled answers
// 503. Answers whose body only the service knows are finished `Answer`s (status and JSON); use api/problem.h for
// refusals.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/messages.h"
#include "cep/schema.h"

namespace api {

class Backend {
 public:
  virtual ~Backend() = default;

  // 202 means durable: `reply` is called after the flush.
  virtual void submit(std::shared_ptr<SubmitRequest> request, std::function<void(SubmitAnswer)> reply) = 0;
  // `request` has one record, an event of one stream. 200 with the verdict, 409 when the event is known and no verdict of it, 422 when
  // the event is refused, else as submit.
  virtual void decide(std::shared_ptr<SubmitRequest> request, Reply reply) = 0;
  virtual void decisions(PageQuery page, Reply reply) = 0;
  virtual void decision(std::string id, Reply reply) = 0;  // id checked: 32 hex digits
  // The stream's schema in force, null if nobody declared it. Any thread, no waiting.
  virtual cep::SchemaPtr schema(std::string_view stream) const = 0;

  virtual void check(std::string text, Reply reply) = 0;                 // 200 {ok, diagnostics}
  virtual void deploy(std::string text, bool dry_run, Reply reply) = 0;  // 200, 422 with diagnostics[]
  virtual void reload(Reply reply) = 0;
  virtual void rules(PageQuery page, Reply reply) = 0;
  virtual void rule(std::string name, Reply reply) = 0;
  virtual void put_rule(RulePut put, Reply reply) = 0;
  virtual void delete_rule(std::string name, std::string if_match, Reply reply) = 0;
  virtual void rule_versions(std::string name, PageQuery page, Reply reply) = 0;
  virtual void rule_version(std::string name, uint32_t version, Reply reply) = 0;
  virtual void activate_rule_version(std::string name, uint32_t version, Reply reply) = 0;
  virtual void set_rule_mode(std::string name, std::string mode, Reply reply) = 0;  // live shadow paused

  virtual void alerts(AlertsQuery query, Reply reply) = 0;
  virtual void alert(std::string id, Reply reply) = 0;  // id checked: 32 hex digits
  // Answers at once, with no items when there are none yet.
  virtual void read_feed(FeedQuery query, std::function<void(FeedPage)> reply) = 0;
  // `hook` is called from any thread after alerts were stored; it is cheap. Empty: no more calls once this returned.
  virtual void set_feed_hook(std::function<void()> hook) = 0;
  virtual void matches(MatchesQuery query, Reply reply) = 0;
  virtual void rejected(RejectedQuery query, Reply reply) = 0;

  virtual void datasets(bool is_table, PageQuery page, Reply reply) = 0;
  virtual void dataset(DatasetName name, PageQuery page, Reply reply) = 0;
  virtual void import_dataset(DatasetImport import, Reply reply) = 0;
  virtual void dataset_entry(DatasetName name, std::vector<std::string> key, Reply reply) = 0;
  virtual void put_dataset_entry(DatasetEntryPut put, Reply reply) = 0;
  virtual void delete_dataset_entry(EditRequest edit, std::vector<std::string> key, Reply reply) = 0;
  virtual void edits(EditsQuery query, Reply reply) = 0;

  virtual void sinks(PageQuery page, Reply reply) = 0;
  virtual void sink(std::string name, Reply reply) = 0;
  virtual void put_sink(std::string name, std::string json,
                        Reply reply) = 0;  // 409 for sinks of the configuration file
  virtual void delete_sink(std::string name, Reply reply) = 0;
  virtual void test_sink(std::string name, Reply reply) = 0;
  virtual void sink_attempts(std::string name, PageQuery page, Reply reply) = 0;
  virtual void sink_parked(std::string name, PageQuery page, Reply reply) = 0;
  virtual void replay_sink(SinkReplay replay, Reply reply) = 0;

  virtual void streams(PageQuery page, Reply reply) = 0;
  virtual void stream(std::string name, Reply reply) = 0;
  virtual void limits(Reply reply) = 0;
  virtual void checkpoints(PageQuery page, Reply reply) = 0;
  virtual void trigger_checkpoint(Reply reply) = 0;
  virtual void ready(Reply reply) = 0;  // 200 or 503
  virtual void health(Reply reply) = 0;
  virtual void metrics(Reply reply) = 0;  // Prometheus text
  // After each answered request. `route` is the template of the table ("/v1/rules/{name}"), or "unknown".
  virtual void observe_request(std::string_view route, std::string_view method, int status, double seconds) = 0;
};

}  // namespace api
