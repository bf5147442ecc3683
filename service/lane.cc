// See lane.h: intake, deployments, questions, drain. Recovery is in lane_recovery.cc.
#include "service/lane.h"

#include <future>

namespace service {
namespace {

constexpr uint64_t kCatchUpRows = 2'000;      // a warm start this close to the end is finished with intake held

cep::Error stalled(const IntakeStall& stall) { return {stall.code, stall.detail + " Nothing was changed."}; }

// Cuts the request's items into runs of one stream, at most one batch long, and decodes them.
class SubmissionBuilder {
 public:
  SubmissionBuilder(const Registry& registry, cep::TimeUs now, Submission& submission)
      : registry_(registry), now_(now), submission_(submission) {}

  void add(const api::SubmitItem& item) {
    if (item.kind == api::SubmitItem::Kind::kWatermark) {
      flush();
      add_watermark(item);
      return;
    }
    if (item.stream != stream_ || rows_.size() >= cep::kBatchRowsMax) flush();
    stream_ = item.stream;
    rows_.push_back(item.row);
    index_.push_back(item.index);
  }

  void flush() {
    if (rows_.empty()) return;
    const std::string& stream = submission_.request->streams[stream_];
    const cep::SchemaPtr known = registry_.find_stream(stream);
    if (const auto refusal = refusal_of(stream, known.get())) {
      for (size_t i = 0; i < rows_.size(); ++i) reject(i, stream, *refusal);
    } else {
      Submission::Part part;
      part.schema = known;
      const cep::TimeUs latest = latest_time(*part.schema, now_);
      part.group = LogRows::of_this_thread().decode(
          part.schema, rows_, index_, cep::kInputSource, now_, [&](size_t) { return latest; },
          [&](size_t i, const api::RowError& error) { reject(i, stream, error); });
      if (part.group.batch->rows() > 0) submission_.parts.push_back(std::move(part));
    }
    rows_.clear();
    index_.clear();
  }

 private:
  void add_watermark(const api::SubmitItem& item) {
    Submission::Part part;
    part.watermark.time_us = item.watermark_us;
    if (item.stream != api::SubmitItem::kAllStreams) part.watermark.stream = submission_.request->streams[item.stream];
    const std::string& stream = part.watermark.stream;
    const auto refusal = stream.empty() ? std::nullopt : refusal_of(stream, registry_.find_stream(stream).get());
    if (refusal) {
      submission_.rejected.push_back({item.index, stream, *refusal, {}});
      return;
    }
    submission_.parts.push_back(std::move(part));
  }
  void reject(size_t i, const std::string& stream, const api::RowError& error) {
    submission_.rejected.push_back({index_[i], stream, error, std::string(rows_[i].substr(0, api::kRejectedRawMax))});
  }

  const Registry& registry_;
  cep::TimeUs now_;
  Submission& submission_;
  uint16_t stream_ = 0;
  std::vector<std::string_view> rows_;
  std::vector<uint32_t> index_;
};

}  // namespace

Lane::Lane(LaneOptions options, Sequencer::WallClock clock)
    : options_(std::move(options)), clock_(std::move(clock)), files_(options_.files), work_(kWorkWaitingMax) {
  if (files_ == nullptr) files_ = state::make_real_file_system();
}

Lane::~Lane() { close(); }

void Lane::on_alerts_stored(std::function<void()> hook) {
  std::lock_guard lock(hook_mutex_);
  alerts_hook_ = std::move(hook);
}

void Lane::submit(std::shared_ptr<api::SubmitRequest> request, std::function<void(api::SubmitAnswer)> reply) {
  submit(std::move(request), nullptr, std::move(reply));
}

// What is said of the request itself matters only if there is nothing to decide: else the verdict answers, or the time limit.
void Lane::decide(std::shared_ptr<api::SubmitRequest> request, DecisionReply reply) {
  std::shared_ptr<Decision> decision = decisions_->begin(std::move(reply));
  submit(std::move(request), decision, [decision](api::SubmitAnswer answer) {
    const bool is_taken = answer.outcome == api::SubmitAnswer::Outcome::kDurable && answer.rejected.empty();
    if (!is_taken) decision->refuse(std::move(answer));
  });
}

void Lane::submit(std::shared_ptr<api::SubmitRequest> request, std::shared_ptr<Decision> decision, WaitingRequest::Reply reply) {
  if (std::optional<IntakeStall> stall = intake_->stall()) return reply(intake_->refusal(*stall));
  RegistryPtr registry = this->registry();
  Submission submission;
  submission.request = request;
  submission.decision = std::move(decision);
  submission.bytes = request->body.size() + request->made.size() + 1;
  submission.rejected = std::move(request->rejected);
  SubmissionBuilder builder(*registry, clock_(), submission);
  for (const api::SubmitItem& item : request->items) builder.add(item);
  builder.flush();
  sort_rejected(submission);
  std::shared_ptr<WaitingRequest> waiting = submission.waiting = intake_->add(std::move(reply));
  if (sequencer_->submit(std::move(submission))) return;
  api::SubmitAnswer refused;
  const bool stopping = sequencer_->is_stopping();
  refused.outcome = stopping ? api::SubmitAnswer::Outcome::kUnavailable : api::SubmitAnswer::Outcome::kBusy;
  refused.code = stopping ? "stopping" : "";
  refused.detail = stopping ? "The service is stopping; send again."
                            : "Too much is waiting for the event log; send again after Retry-After.";
  waiting->answer(std::move(refused));
}

DeploymentPlan Lane::plan(const std::string& text, const std::string& file_name) const {
  if (!sink_names_) return registry()->plan(text, file_name);
  return registry()->plan(text, file_name, sink_names_());
}

void Lane::deploy(std::string text, std::string file_name, bool dry_run, PlanCheck allow, std::function<void(DeployResult)> done) {
  bool taken = work([=, this, text = std::move(text)] {
    run_deploy(plan(text, file_name), dry_run, allow, done);
  });
  if (taken) return;
  DeployResult stopped;
  stopped.status = cep::Error{"stopping", "the service is stopping"};
  done(std::move(stopped));
}

void Lane::restart_rule(std::string rule, std::string text, cep::RuleMode mode, std::function<void(DeployResult)> done) {
  bool taken = work([=, this] {
    RegistryPtr registry = this->registry();
    auto known = registry->rules().find(rule);
    DeployResult missing;
    missing.status = cep::Error{"not_found", "no rule `" + rule + "`"};
    if (known == registry->rules().end()) return done(std::move(missing));
    run_deploy(registry->plan_restart(known->second, text, mode), false, nullptr, done);
  });
  if (taken) return;
  DeployResult stopped;
  stopped.status = cep::Error{"stopping", "the service is stopping"};
  done(std::move(stopped));
}

void Lane::run_deploy(DeploymentPlan plan, bool dry_run, const PlanCheck& allow, const std::function<void(DeployResult)>& done) {
  DeployResult result;
  result.plan = std::move(plan);
  bool allowed = result.plan.ok && (!allow || allow(*registry(), result.plan));
  if (allowed && !dry_run) apply_plan(result);
  done(std::move(result));
}

// On the work thread: warm up beside live, then let the sequencer finish the last rows, log the change and put it in force.
void Lane::apply_plan(DeployResult& result) {
  if (result.plan.is_empty()) {
    result.applied = true;
    return;
  }
  std::vector<cep::ProgramId> programs;
  for (const RulesChange::Rule& rule : result.plan.change.rules) {
    if (rule.is_new_program) programs.push_back(rule.program);
  }
  Registry changed = *registry();
  result.status = changed.apply(result.plan.change);
  if (!result.status.ok()) return;
  if (std::optional<IntakeStall> stall = intake_->stall()) {
    result.status = stalled(*stall);
    return;
  }
  uint64_t log_begin = sequencer_->numbers().log_begin;
  result.log_was_trimmed = log_begin > 0;
  cep::Result<std::unique_ptr<WarmStart>> warm = WarmStart::open(*files_, dir_.log_dir, log_begin, sequencer_->numbers().log_end, changed,
                                                                 std::move(programs), options_.sequencer.limits,
                                                                 options_.sequencer.limits.reorder_rows_max);
  if (!warm.ok()) {
    result.status = warm.error();
    return;
  }
  while ((*warm)->position() + kCatchUpRows < sequencer_->numbers().log_end && result.status.ok()) {
    result.status = (*warm)->feed_until(sequencer_->numbers().log_end);
  }
  if (!result.status.ok()) return;
  auto outcome = std::make_shared<std::promise<cep::Status>>();
  std::future<cep::Status> done = outcome->get_future();
  auto warm_from_us = std::make_shared<cep::TimeUs>(cep::kTimeMax);
  auto shared = std::make_shared<std::unique_ptr<WarmStart>>(std::move(*warm));
  RulesChange change = result.plan.change;
  bool posted = sequencer_->post([shared, change, outcome, warm_from_us](Sequencer& sequencer) {
    cep::Status status = (*shared)->feed_until(sequencer.log_end());
    *warm_from_us = (*shared)->began_us();
#ifndef WEIR_MUTANT_ACTIVATION_NOT_LOGGED
    if (status.ok()) sequencer.log_control(state::FrameKind::kRules, encode(change));
#endif
    if (status.ok()) status = sequencer.put_in_force(change, std::move(*shared));
    outcome->set_value(std::move(status));
  });
  if (!posted) {
    result.status = cep::Error{"stopping", "the service is stopping"};
    return;
  }
  result.status = intake_->wait_for(done);
  result.applied = result.status.ok();
  if (result.applied) result.warm_from_us = *warm_from_us;
}

// Runs `change` on the log thread and waits for it, but not for ever for a full disk.
cep::Status Lane::change_and_wait(std::function<cep::Status(Sequencer&)> change) {
  if (std::optional<IntakeStall> stall = intake_->stall()) return stalled(*stall);
  auto outcome = std::make_shared<std::promise<cep::Status>>();
  std::future<cep::Status> done = outcome->get_future();
  bool posted = sequencer_->post([change = std::move(change), outcome](Sequencer& sequencer) { outcome->set_value(change(sequencer)); });
  return posted ? intake_->wait_for(done) : cep::Status(cep::Error{"stopping", "the service is stopping"});
}

cep::Status Lane::set_mode(ModeChange change) {
  return change_and_wait([change = std::move(change)](Sequencer& sequencer) {
    sequencer.log_control(state::FrameKind::kMode, encode(change));
    return sequencer.put_in_force(change);
  });
}

// All of the work but the record is done here, so that the log thread does not stand still for a large import.
cep::Status Lane::edit_dataset(DatasetChange& change) {
  if (std::optional<IntakeStall> stall = intake_->stall()) return stalled(*stall);
  const RegistryPtr registry = this->registry();
  const auto known = registry->datasets().find(change.dataset);
  if (known == registry->datasets().end()) return cep::Error{"not_found", "no list or table `" + change.dataset + "`"};
  const cep::DatasetPtr before = known->second;
  change.at_us = clock_();
  if (cep::Status status = settle_edits(*before, change); !status.ok()) return status;
  if (change.edits.empty()) return cep::ok_status();
  const EditCounts counts = count_edits(change);
  if (counts.added > counts.removed && before->size() + counts.added - counts.removed > options_.dataset_entries_max) {
    ++(before->is_table() ? table_rows_refused_ : list_entries_refused_);
    return cep::Error{"too_many", "@" + change.dataset + " holds " + std::to_string(before->size()) +
                                      " entries; with these it would be more than " + std::to_string(options_.dataset_entries_max) +
                                      ": remove some first"};
  }
  cep::Result<cep::DatasetPtr> after = edited(*before, change, registry->revision() + 1);
  if (!after.ok()) return after.error();
  return change_and_wait([change, before, after = *after, body = encode(change)](Sequencer& sequencer) -> cep::Status {
    const RegistryPtr now = sequencer.registry();
    const auto present = now->datasets().find(change.dataset);
    const bool is_same = present != now->datasets().end() && present->second == before && now->revision() + 1 == after->revision();
    if (!is_same) return cep::Error{"busy", "@" + change.dataset + " was changed at the same time: try again"};
    const uint64_t offset = sequencer.log_control(state::FrameKind::kList, body);
    return sequencer.put_in_force(change, offset, after);
  });
}

bool Lane::work(std::function<void()> task) { return work_.try_push(std::move(task), 1); }

void Lane::run_work() {
  while (std::optional<std::function<void()>> task = work_.pop()) (*task)();
}

bool Lane::ask_owner(const cep::Program& program, uint64_t key_hash, std::function<void(const cep::Engine&)> question) {
  return shards_[cep::owner_of(program, key_hash, static_cast<uint32_t>(shards_.size()))]->ask(std::move(question));
}

bool Lane::ask_all(const std::function<void(uint32_t shard, const cep::Engine&)>& question) {
  for (uint32_t s = 0; s < shards_.size(); ++s) {
    if (!shards_[s]->ask([question, s](const cep::Engine& engine) { question(s, engine); })) return false;
  }
  return true;
}

bool Lane::trigger_checkpoint() {
  return sequencer_->post([](Sequencer& sequencer) { sequencer.begin_checkpoint(); });
}

void Lane::settle(bool checkpoint) {
  for (bool begun = !checkpoint, first = true; first || !begun; first = false) {
    auto passed = std::make_shared<std::promise<bool>>();
    std::future<bool> done = passed->get_future();
    bool posted = sequencer_->post([passed, checkpoint](Sequencer& sequencer) {
      passed->set_value(!checkpoint || sequencer.begin_checkpoint());
    });
    if (!posted) return;
    begun = done.get();
    for (const std::unique_ptr<Shard>& shard : shards_) shard->wait_until_idle();
    store_->wait_until_stored();
    if (begun && checkpoint) store_->wait_until_sealed();
  }
}

void Lane::close() {
  if (closed_) return;
  closed_ = true;
  work_.close();
  if (work_thread_.joinable()) work_thread_.join();
  if (sequencer_ != nullptr && store_ != nullptr) settle(true);
  if (sequencer_ != nullptr) sequencer_->stop();
  for (const std::unique_ptr<Shard>& shard : shards_) shard->stop();
  if (store_ != nullptr) store_->stop();
}

}  // namespace service
