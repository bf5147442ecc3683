// See store.h. Test: tests/unit/service/store_test.cc, and the kill harness (tests/e2e/chaos).
#include "service/store.h"

#include <algorithm>
#include <chrono>
#include <future>

namespace service {
namespace {

constexpr uint16_t kLane = 0;
constexpr size_t kAlertBytes = 2 << 10;
constexpr size_t kSliceBytesMax = 256 << 10;
constexpr uint64_t kVictimRecordsMax = 50'000;
constexpr auto kGatherTime = std::chrono::milliseconds(1);     // then the commit itself gathers: what comes meanwhile goes with the next
constexpr auto kPieceEvery = std::chrono::milliseconds(10);
constexpr auto kDecisionsWithin = std::chrono::milliseconds(100);      // a flush for each would take the disk from the event log
constexpr auto kDiskFullRetry = std::chrono::milliseconds(100);
constexpr cep::DurationUs kExpiryEvery = 10 * cep::kSecond;
constexpr size_t kExpireRecordsMax = 2'000;

// Most verdicts are as small as one alert; one that lists many alerts takes the room of so many.
size_t weight_of(const state::StoredDecision& decision) { return 1 + decision.body.size() / kAlertBytes; }

// The bitmap of one timeline's waiting rows from the re-read offset on.
std::string marks_of(const std::vector<cep::BufferedRows>& buffered, const std::string& timeline, uint64_t from, uint64_t to) {
  std::string bitmap((to - from + 7) / 8, '\0');
  for (const cep::BufferedRows& rows : buffered) {
    if (rows.timeline != timeline) continue;
    for (uint64_t position : rows.positions) {
      uint64_t bit = position - from;
      bitmap[bit / 8] = static_cast<char>(static_cast<uint8_t>(bitmap[bit / 8]) | 1u << bit % 8);
    }
  }
  while (!bitmap.empty() && bitmap.back() == '\0') bitmap.pop_back();
  return bitmap;
}

}  // namespace

Store::Store(state::Env& env, state::CheckpointHistory history, RetentionOptions retention, WallClock clock)
    : env_(env),
      alerts_(env, kLane),
      rejected_(env, kLane),
      edits_(env, kLane),
      decisions_(env, kLane),
      delivery_(env, kLane),
      retention_(retention),
      clock_(std::move(clock)),
      queue_(kAlertsWaitingMax),
      checkpoint_(env, kLane, std::move(history)) {
  counters_.log_floor_offset = checkpoint_.log_floor_offset();
  counters_.sealed_at_us = clock_();
}

Store::~Store() { stop(); }

void Store::start() {
  thread_ = std::thread([this] { run(); });
}

void Store::stop() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

void Store::put_alerts(std::vector<state::Alert> alerts, cep::TimeUs received_us) {
  size_t weight = alerts.size();
  queue_.push(Alerts{std::move(alerts), received_us}, weight);
}

void Store::put_rejected(std::vector<state::RejectedEvent> events) {
  size_t weight = events.size();
  queue_.push(std::move(events), weight);
}

void Store::put_edit(state::EditEntry entry) {
  Task task{[this, entry = std::move(entry)](state::WriteTxn& txn) { return edits_.append(txn, entry); },
            [](cep::Status status) { WEIR_CHECK(status.ok(), status.ok() ? "" : status.error().message.c_str()); }};
  queue_.push_anyway(std::move(task), 1);
}

void Store::put_decision(state::StoredDecision decision) {
  const size_t weight = weight_of(decision);
  queue_.push_quietly(std::move(decision), weight);
}

void Store::call_when_stored(std::function<void()> then) {
  Task task{[](state::WriteTxn&) { return cep::ok_status(); }, [then = std::move(then)](cep::Status) { then(); }};
  queue_.push_anyway(std::move(task), 1);
}

cep::Status Store::write(const state::Env::WriteBody& body) {
  auto promise = std::make_shared<std::promise<cep::Status>>();
  std::future<cep::Status> done = promise->get_future();
  Task task{body, [promise](cep::Status status) { promise->set_value(std::move(status)); }};
  if (!queue_.push_anyway(std::move(task), 1)) return cep::Error{"stopped", "the store has stopped"};
  return done.get();
}

cep::Status Store::commit_delivery(const state::DeliveryChange& change) {
  return write([this, &change](state::WriteTxn& txn) { return delivery_.apply(txn, change); });
}

bool Store::begin_checkpoint(uint32_t* sequence, std::vector<uint32_t>* victims) {
  std::unique_lock lock(checkpoint_mutex_, std::try_to_lock);   // the sequencer never waits for a transaction of this thread
  if (!lock.owns_lock() || checkpoint_running_) return false;
  checkpoint_running_ = true;
  checkpoint_began_us_ = clock_();
  *sequence = checkpoint_.next_sequence();
  checkpoint_.begin(*sequence);
  *victims = checkpoint_.victims(kVictimRecordsMax);
  return true;
}

void Store::put_slice(ShardSlice slice) { queue_.push_anyway(std::move(slice), 1); }
void Store::put_barrier(Barrier barrier) { queue_.push_anyway(std::move(barrier), 1); }

void Store::hold_deletions(bool on) {
  std::lock_guard lock(checkpoint_mutex_);       // none is under way when this returns
  deletions_held_ = on;
}

void Store::wait_until_stored() {
  // A write behind everything queued so far: when it is durable, so is what came before.
  (void)write([](state::WriteTxn&) { return cep::ok_status(); });
}

void Store::wait_until_sealed() {
  std::unique_lock lock(checkpoint_mutex_);
  sealed_.wait(lock, [&] { return !checkpoint_running_; });
}

std::vector<state::KeptSeal> Store::seals() const {
  std::lock_guard lock(checkpoint_mutex_);
  return checkpoint_.seals();
}

// Outputs first: a piece of a checkpoint is written only between two of their commits, so an alert waits for one piece at most.
void Store::run() {
  for (;;) {
    bool idle = !has_checkpoint_work();
    // Pieces are paced, so that their flushes leave the disk to the event log's in between.
    std::optional<Item> item = queue_.pop_for(idle ? kDecisionsWithin : kPieceEvery);
    if (!item && idle && queue_.is_closed()) break;
    auto until = std::chrono::steady_clock::now() + kGatherTime;
    while (item) {
      gather(std::move(*item));
      if (pending_alerts_.size() + pending_rejected_.size() + pending_decisions_weight_ >= kAlertsWaitingMax) commit_outputs();
      // Somebody waits, or a checkpoint does: take what is there already, and commit.
      bool hurried = !pending_tasks_.empty() || has_checkpoint_work();
      auto left = until - std::chrono::steady_clock::now();
      item = hurried || left.count() <= 0 ? queue_.try_pop() : queue_.pop_for(left);
    }
#ifdef WEIR_MUTANT_SEAL_BEFORE_ALERTS
    while (has_checkpoint_work()) step_checkpoint();
#endif
    commit_outputs();
    if (has_checkpoint_work()) step_checkpoint();
    expire();
  }
  commit_outputs();
}

void Store::gather(Item item) {
  if (auto* put = std::get_if<Alerts>(&item)) {
    pending_arrivals_.emplace_back(put->received_us, put->alerts.size());
    std::move(put->alerts.begin(), put->alerts.end(), std::back_inserter(pending_alerts_));
  } else if (auto* events = std::get_if<std::vector<state::RejectedEvent>>(&item)) {
    std::move(events->begin(), events->end(), std::back_inserter(pending_rejected_));
  } else if (auto* decision = std::get_if<state::StoredDecision>(&item)) {
    pending_decisions_weight_ += weight_of(*decision);
    pending_decisions_.push_back(std::move(*decision));
  } else if (auto* task = std::get_if<Task>(&item)) {
    pending_tasks_.push_back(std::move(*task));
  } else if (auto* slice = std::get_if<ShardSlice>(&item)) {
    gather_slice(std::move(*slice));
  } else if (auto* barrier = std::get_if<Barrier>(&item)) {
    barrier_ = std::make_unique<Barrier>(std::move(*barrier));
  }
}

// Slices of one shard are one as long as they wait: full pieces, however small the slices.
void Store::gather_slice(ShardSlice slice) {
  auto waiting = std::find_if(slices_.begin(), slices_.end(), [&](const ShardSlice& other) { return other.shard == slice.shard; });
  if (waiting == slices_.end()) {
    slices_.push_back(std::move(slice));
    return;
  }
  std::move(slice.records.begin(), slice.records.end(), std::back_inserter(waiting->records));
  std::move(slice.buffered.begin(), slice.buffered.end(), std::back_inserter(waiting->buffered));
  waiting->is_last = slice.is_last;
}

// Runs a transaction until the disk has room; any other failure of the environment is not survivable.
cep::Status Store::write_patiently(const state::Env::WriteBody& body) {
  for (;;) {
    cep::Status status = env_.write(body);
    if (status.ok() || status.error().code != "disk_full") {
      disk_wait_.over();
      return status;
    }
    disk_wait_.failed(status.error());
    ++counters_.disk_full_waits;
    std::this_thread::sleep_for(kDiskFullRetry);
  }
}

// T1: alerts, rejected events, decisions and tasks in one transaction; a failing task is repeated alone, so that it harms nobody.
void Store::commit_outputs() {
  if (pending_alerts_.empty() && pending_rejected_.empty() && pending_decisions_.empty() && pending_tasks_.empty()) return;
  std::vector<state::Appended> stored;
  cep::TimeUs now = clock_();
  for (state::Alert& alert : pending_alerts_) alert.stored_us = now;
  auto outputs = [&](state::WriteTxn& txn) -> cep::Status {
    cep::Result<std::vector<state::Appended>> appended = alerts_.append(txn, pending_alerts_);
    if (!appended.ok()) return appended.error();
    stored = std::move(*appended);
    cep::Status done = rejected_.append(txn, pending_rejected_);
    if (done.ok()) done = decisions_.append(txn, pending_decisions_);
    return done.ok() ? expire_decisions(txn, now, 2 * pending_decisions_.size()) : done;
  };
  bool all_tasks = true;
  cep::Status status = write_patiently([&](state::WriteTxn& txn) -> cep::Status {
    cep::Status done = outputs(txn);
    for (size_t i = 0; done.ok() && i < pending_tasks_.size(); ++i) {
      done = pending_tasks_[i].body(txn);
      all_tasks = done.ok();
    }
    return done;
  });
  if (!status.ok() && !all_tasks) {
    status = write_patiently(outputs);
    for (Task& task : pending_tasks_) task.done(write_patiently(task.body));
  } else {
    for (Task& task : pending_tasks_) task.done(status);
  }
  WEIR_CHECK(status.ok(), status.ok() ? "" : status.error().message.c_str());
  count_alerts(stored, clock_());
  bool visible = !pending_alerts_.empty();
  pending_alerts_.clear();
  pending_arrivals_.clear();
  pending_rejected_.clear();
  pending_decisions_.clear();
  pending_decisions_weight_ = 0;
  pending_tasks_.clear();
  if (visible && alerts_hook_) alerts_hook_();
}

void Store::count_alerts(const std::vector<state::Appended>& appended, cep::TimeUs now) {
  std::lock_guard lock(counts_mutex_);
  size_t at = 0;
  for (const auto& [received_us, alerts] : pending_arrivals_) {
    uint64_t fresh = 0;
    for (const size_t end = at + alerts; at < end; ++at) {
      if (!appended[at].is_new) continue;
      const state::Alert& alert = pending_alerts_[at];
      ++alert_counts_[{alert.rule, alert.severity, alert.mode}];
      ++fresh;
    }
    counters_.alerts_stored += fresh;
    counters_.alerts_repeated += alerts - fresh;
    if (received_us != cep::kTimeMin && fresh > 0) counters_.event_to_alert.observe(now - received_us, fresh);
  }
}

std::vector<AlertCount> Store::alert_counts() const {
  std::lock_guard lock(counts_mutex_);
  std::vector<AlertCount> counts;
  for (const auto& [what, alerts] : alert_counts_) {
    counts.push_back({std::get<0>(what), std::get<1>(what), std::get<2>(what), alerts});
  }
  return counts;
}

bool Store::has_checkpoint_work() const {
  bool complete = barrier_ != nullptr && shards_in_ == barrier_->shard_count;
  return !slices_.empty() || complete || has_dead_segments_;
}

// One transaction of a checkpoint: a piece of a slice (T2), the seal once the last slice of each shard is in (T3), or some cleaning
// (T4). What a slice came behind was committed before this is called: alerts up to L stored, then L sealed.
void Store::step_checkpoint() {
  if (!slices_.empty()) {
    ShardSlice& slice = slices_.front();
    write_piece(slice);
    if (slice_written_ < slice.records.size()) return;
    for (cep::BufferedRows& rows : slice.buffered) {
      if (!rows.positions.empty()) buffered_.push_back(std::move(rows));
    }
    if (slice.is_last) ++shards_in_;
    slices_.pop_front();
    slice_written_ = 0;
  } else if (barrier_ != nullptr && shards_in_ == barrier_->shard_count) {
    seal();
  } else {
    std::lock_guard lock(checkpoint_mutex_);
    has_dead_segments_ = false;      // held, or a full disk: the next seal tries again
    if (deletions_held_) return;
    cep::Result<size_t> cleaned = checkpoint_.clean_some();
    has_dead_segments_ = cleaned.ok() && *cleaned > 0;
  }
}

void Store::write_piece(const ShardSlice& slice) {
  size_t last = slice_written_;
  for (size_t bytes = 0; last < slice.records.size(); ++last) {
    bytes += slice.records[last].bytes.size();
    if (last > slice_written_ && bytes > kSliceBytesMax) break;
  }
  std::span<const state::KeyRecord> piece(slice.records.data() + slice_written_, last - slice_written_);
  if (!piece.empty()) patiently([&] { return checkpoint_.add_slice(slice.shard, piece); });
  slice_written_ = last;
}

// A step of the checkpoint writer, again and again while the disk is full; any other failure is not survivable.
void Store::patiently(const std::function<cep::Status()>& step) {
  for (;;) {
    std::unique_lock lock(checkpoint_mutex_);
    cep::Status status = step();
    lock.unlock();
    if (status.ok()) {
      disk_wait_.over();
      return;
    }
    WEIR_CHECK(status.error().code == "disk_full", status.error().message.c_str());
    disk_wait_.failed(status.error());
    ++counters_.disk_full_waits;
    std::this_thread::sleep_for(kDiskFullRetry);
  }
}

void Store::seal() {
  state::SealedCheckpoint seal;
  seal.sequence = barrier_->sequence;
  seal.applied_through = barrier_->applied_through;
  seal.reread_offset = seal.applied_through;
#ifndef WEIR_MUTANT_REREAD_AT_BARRIER
  for (const cep::BufferedRows& rows : buffered_) {
    seal.reread_offset = std::min(seal.reread_offset, *std::min_element(rows.positions.begin(), rows.positions.end()));
  }
#else
  buffered_.clear();
#endif
  for (uint32_t t = 0; t < barrier_->timelines.size(); ++t) {
    std::string bitmap = marks_of(buffered_, barrier_->timelines[t], seal.reread_offset, seal.applied_through);
    if (!bitmap.empty()) seal.marks.push_back({t, std::move(bitmap)});
  }
  seal.control = std::move(barrier_->control);
  seal.shard_count = barrier_->shard_count;
  patiently([&] { return checkpoint_.seal(seal); });
  cep::TimeUs now = clock_();
  std::lock_guard lock(checkpoint_mutex_);
  counters_.log_floor_offset = checkpoint_.log_floor_offset();
  counters_.checkpoint_us = now - checkpoint_began_us_;
  counters_.checkpoint.observe(now - checkpoint_began_us_);
  counters_.sealed_at_us = now;
  ++counters_.checkpoints;
  barrier_.reset();
  shards_in_ = 0;
  buffered_.clear();
  has_dead_segments_ = true;       // perhaps: cleaning says
  checkpoint_running_ = false;
  sealed_.notify_all();
}

cep::Status Store::expire_decisions(state::WriteTxn& txn, cep::TimeUs now, size_t records_max) {
  return decisions_.expire(txn, now, retention_.decisions_keep_us, retention_.decisions_keep_bytes, records_max);
}

void Store::expire() {
  cep::TimeUs now = clock_();
  if (now < next_expiry_us_) return;
  next_expiry_us_ = now + kExpiryEvery;
  std::lock_guard lock(checkpoint_mutex_);
  if (deletions_held_) return;
  cep::Status status = env_.write([&](state::WriteTxn& txn) -> cep::Status {
    cep::Result<size_t> alerts =
        alerts_.expire(txn, now, retention_.alerts_keep_us, retention_.alerts_keep_bytes, kExpireRecordsMax);
    if (!alerts.ok()) return alerts.error();
    cep::Result<size_t> attempts = delivery_.expire_attempts(txn, now - retention_.attempts_keep_us, kExpireRecordsMax);
    if (!attempts.ok()) return attempts.error();
    return expire_decisions(txn, now, kExpireRecordsMax);
  });
  (void)status;      // expiry that finds no room is tried again in ten seconds; what it would delete is still valid
}

}  // namespace service
