// The delivery engine: sinks are cursors on the alert log (the log is the outbox), moved by one thread.
// Invariants: what a completion changes (cursor, parked entries, attempts) reaches the store in one change and in
// order, commit_interval_us later or when it has grown to half of kChangeMax; a change that could not be stored is kept
// and tried again, and at kChangeMax nothing new is sent. A kill at any point loses no delivery; it may repeat
// attempts, under the same id. Threads: all of it on the owner's thread (DeliveryThread); only the sender's completions
// come from elsewhere, through the inbox. Time comes in as an argument: wall clock, microseconds.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "service/sink_delivery.h"

namespace service {

// Results on their way from the sender's thread to the engine's. Outlives both: completions hold it.
class DeliveryInbox {
 public:
  struct Item {
    SinkId sink{};
    uint64_t sequence = 0;
    HttpResult result;
  };
  explicit DeliveryInbox(std::function<void()> wake) : wake_(std::move(wake)) {}
  void put(Item item);
  std::vector<Item> take();
  void close();  // after this `wake` is never called

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  std::vector<Item> items_;
};

// What a configuration can get wrong: waits of 1 ms to 30 days, at most 32 of them, other limits above 0.
// Error: bad_delivery_options, naming the field.
cep::Status check_delivery_options(const DeliveryOptions& options);

class DeliveryEngine {
 public:
  static constexpr size_t kChangeMax = 4096;            // entries of one change
  static constexpr uint64_t kReplayAlertsMax = 10'000;  // sequences of one replay() call

  // `options` passed check_delivery_options. `wake` is called, from any thread, when step() has something to do.
  // `store` and `sender` outlive the engine.
  DeliveryEngine(DeliveryOptions options, DeliveryStore& store, HttpSender& sender, std::function<void()> wake,
                 DeliveryListener listener);
  ~DeliveryEngine();
  DeliveryEngine(const DeliveryEngine&) = delete;
  DeliveryEngine& operator=(const DeliveryEngine&) = delete;

  // A sink the store does not know begins after the newest alert, and that place is durable on return; a known one goes
  // on where it was. Errors: duplicate_sink, those of the store.
  cep::Status add_sink(SinkId id, Sink sink);
  // Keeps place and parked entries: new secrets, url, filters, disabled flag. Error: unknown_sink.
  cep::Status update_sink(SinkId id, Sink sink);
  // Its cursor and parked entries go with the next change; a request in flight ends unnoticed. Error: unknown_sink.
  cep::Status remove_sink(SinkId id);
  // false undoes a 410 and any waiting. It does not undo `disabled` of the configuration. Error: unknown_sink.
  cep::Status set_disabled(SinkId id, bool disabled);

  struct Replayed {
    uint64_t count = 0;  // entries now due
    uint64_t next = 0;   // where to go on if the range was longer than kReplayAlertsMax; 0: done
  };
  // Sends the sink's alerts of sequences [from, to] again, or only those of them that are parked. What its filters do
  // not want stays out. Durable on return. Errors: unknown_sink, bad_range, those of the store: some may then be due
  // already, and asking again is harmless.
  cep::Result<Replayed> replay(SinkId id, uint64_t from, uint64_t to, bool only_parked, cep::TimeUs now);
  // As DeliveryStore::read_parked: the exhausted come last. Errors: unknown_sink, those of the store.
  cep::Result<std::vector<ParkedEntry>> parked(SinkId id, const std::optional<ParkedEntry>& after, size_t limit);

  // The alert log has grown.
  void alerts_available();
  // Takes in results, sends what is due, stores changes. Returns when it wants to be called again even if nothing
  // happens: `now` for at once, kTimeMax for never.
  cep::TimeUs step(cep::TimeUs now);

  // From now on step() sends nothing new.
  void begin_stop() { stopping_ = true; }
  bool idle() const;    // nothing is in flight
  cep::Status flush();  // stores what is not stored yet

  std::vector<SinkStatus> status() const;  // by id

 private:
  SinkDelivery* find(SinkId id);
  bool send(SinkId id, HttpRequest request, uint64_t sequence);
  void take_results(cep::TimeUs now);
  void start_sinks(cep::TimeUs now);
  void commit_if_due(cep::TimeUs now);
  bool has_changes() const;
  void store_failed(const cep::Error& error, cep::TimeUs now);
  cep::TimeUs next_step_us(cep::TimeUs now) const;

  const DeliveryOptions options_;
  DeliveryStore& store_;
  HttpSender& sender_;
  const DeliveryListener listener_;
  const std::shared_ptr<DeliveryInbox> inbox_;

  std::map<SinkId, std::unique_ptr<SinkDelivery>> sinks_;
  DeliveryChange change_;
  cep::TimeUs commit_from_us_ = 0;  // no commit before this
  cep::TimeUs start_from_us_ = 0;   // nothing is started before this: the sender was full or the store failed
  bool commit_failed_ = false;
  bool sender_full_ = false;
  bool stopping_ = false;
};

}  // namespace service
