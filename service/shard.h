// One shard: a thread, its inbox and its engine. Nothing inside is locked: what another thread wants of it comes as a message, in the
// order of the log. Alerts go to the store encoded; after a barrier the changed keys are handed over in slices between messages, behind
// the alerts that came before them.
// Threads: put_* and ask from any thread (one producer, the sequencer, for what changes state); the engine belongs to the thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "cep/engine.h"
#include "service/decision.h"
#include "service/derived_exchange.h"
#include "service/queue.h"
#include "service/store.h"

namespace service {

// Numbers a shard publishes for readers, about once a message.
struct ShardNumbers {
  std::atomic<uint64_t> events{0}, alerts{0}, suppressed{0}, matches{0}, null_key{0};
  std::atomic<uint64_t> runs_refused{0}, runs_aged{0}, matches_dropped{0}, window_dropped{0}, keys_forgotten{0}, peeks_refused{0};
  std::atomic<uint64_t> derived{0}, derived_late{0}, derived_dropped{0};
  std::atomic<uint64_t> arithmetic_null{0}, cast_null{0};
  std::atomic<uint64_t> keys{0}, state_bytes{0}, reorder_rows{0};
};

class Shard {
 public:
  static constexpr size_t kInboxRowsMax = 4096;

  // `exchange` is shared by all shards of the lane.
  Shard(uint32_t number, uint32_t count, const cep::Limits& limits, Store& store, std::shared_ptr<DerivedExchange> exchange);
  ~Shard();

  // Before start, on the caller's thread: restoring.
  cep::Engine& engine() { return engine_; }
  void set_rules(cep::RuleSetPtr rules) { engine_.apply_rules(std::move(rules)); }
  void start();
  void stop();                      // works off the inbox, then ends the thread

  // In log order. Batches and time wait for room in the inbox.
  // `decision` (may be null): the batch is one event, and gets this shard's verdict before it is processed.
  void put_batch(cep::BatchPtr batch, std::vector<cep::Admission> admissions, std::shared_ptr<Decision> decision = nullptr);
  void put_time(std::vector<cep::Admission> admissions);
  // A rule set in force from here on; `warmed` (may be null) gives the state of `programs`, `backfill` what they found before for this
  // shard's keys: it is stored behind the old version's alerts, whose ids are kept.
  void put_rules(cep::RuleSetPtr rules, std::shared_ptr<cep::Engine> warmed, std::vector<cep::ProgramId> programs,
                 std::vector<state::Alert> backfill);
  void put_barrier(uint32_t sequence, std::vector<uint32_t> victims);
  // A reader's question, answered between messages. False when too many wait (kQuestionsMax).
  bool ask(std::function<void(const cep::Engine&)> question);
  // Runs `task` on the shard's thread behind everything put so far. What asks for it is bounded elsewhere.
  void put_task(std::function<void()> task);
  // Waits until everything put so far was worked off.
  void wait_until_idle();

  const ShardNumbers& numbers() const { return numbers_; }
  size_t inbox_rows() const { return inbox_.weight(); }

  static constexpr int kQuestionsMax = 256;

 private:
  struct BatchMessage {
    cep::BatchPtr batch;
    std::vector<cep::Admission> admissions;
    std::shared_ptr<Decision> decision;
  };
  struct RulesMessage {
    cep::RuleSetPtr rules;
    std::shared_ptr<cep::Engine> warmed;
    std::vector<cep::ProgramId> programs;
    std::vector<state::Alert> backfill;
  };
  struct BarrierMessage {
    uint32_t sequence;
    std::vector<uint32_t> victims;
  };
  using Question = std::function<void(const cep::Engine&)>;
  using Task = std::function<void()>;
  using Message = std::variant<BatchMessage, RulesMessage, BarrierMessage, Question, Task>;

  void run();
  void apply(BatchMessage& message);
  void apply(RulesMessage& message);
  void apply(BarrierMessage& message);
  void hand_over_slice();
  void store_alerts(cep::TimeUs received_us);
  void publish();

  const uint32_t number_;
  Store& store_;
  std::shared_ptr<DerivedExchange> exchange_;
  uint64_t rounds_ = 0;             // of the exchange so far
  cep::Engine engine_;
  Queue<Message> inbox_;
  std::atomic<int> questions_{0};
  std::vector<cep::Alert> alerts_;
  bool handing_over_ = false;             // images of the last barrier are left
  std::vector<cep::BufferedRows> buffered_;    // at that barrier, for its first slice
  ShardNumbers numbers_;
  std::thread thread_;
};

// The stored form of an alert: its JSON and what pages filter by. `rule_number` names the rule for ever.
state::Alert stored_alert(const cep::Alert& alert, uint32_t rule_number);

}  // namespace service
