// See sequencer.h. Control records, checkpoints and the control bytes are in sequencer_control.cc.
#include "service/sequencer.h"

#include <algorithm>
#include <chrono>

#include "state/checkpoint_format.h"

namespace service {
namespace {

constexpr auto kDiskFullRetry = std::chrono::milliseconds(100);
constexpr auto kWakeEvery = std::chrono::milliseconds(200);

state::Id16 request_id_of(const api::SubmitRequest& request) {
  return request.idempotency_key.empty() ? state::Id16{} : state::digest_of(request.idempotency_key);
}

bool is_set(const state::Id16& id) { return id != state::Id16{}; }

// Where a record stands that is kept with the rejected.
std::string place_text(const std::string& source, uint64_t ordinal) { return " (" + source + ", offset " + std::to_string(ordinal) + ")"; }

state::FrameInput frame_head(const Submission& submission, const state::Id16& request_id, cep::TimeUs now) {
  state::FrameInput input;
  input.header.received_us = now;
  input.header.request_id = request_id;
  input.header.source = submission.source;
  // The input has no position of its own: there this field holds the hash of the request's body.
  const bool is_input = submission.source == cep::kInputSource;
  input.header.source_position = is_input ? submission.request->body_hash : submission.source_next;
  return input;
}

}  // namespace

Sequencer::Sequencer(SequencerOptions options, state::FileSystem& files, std::unique_ptr<state::LogWriter> log, Registry registry,
                     std::vector<std::unique_ptr<Shard>>& shards, Store& store, Decisions& decisions, WallClock clock)
    : options_(std::move(options)),
      files_(files),
      log_(std::move(log)),
      shards_(shards),
      store_(store),
      decisions_(decisions),
      clock_now_(std::move(clock)),
      seen_(options_.dedupe_ids_max),
      requests_(options_.request_ids_max),
      queue_(options_.credit_bytes),
      registry_(std::make_shared<const Registry>(std::move(registry))) {
  rules_ = registry_->rule_set();
  numbers_.log_begin = log_begin();
  numbers_.log_end = log_->next_offset();
}

Sequencer::~Sequencer() { stop(); }

uint64_t Sequencer::log_begin() const {
  return log_->segments().empty() ? log_->next_offset() : log_->segments().front().first_offset;
}

void Sequencer::start() {
  publish_sources();
  thread_ = std::thread([this] { run(); });
}

void Sequencer::stop() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

bool Sequencer::submit(Submission submission) {
  size_t bytes = submission.bytes;
  return queue_.try_push(std::move(submission), bytes);
}

bool Sequencer::post(Command command) { return queue_.push_anyway(std::move(command), 1); }

RegistryPtr Sequencer::registry() const {
  std::lock_guard lock(published_mutex_);
  return registry_;
}

std::map<std::string, StreamNumbers> Sequencer::stream_numbers() const {
  std::lock_guard lock(published_mutex_);
  return stream_numbers_;
}

std::vector<std::pair<std::string, cep::TimeUs>> Sequencer::watermarks() const {
  std::lock_guard lock(published_mutex_);
  return watermarks_;
}

// Gathers requests for as long as the linger allows, commits them together; a command runs between commits.
void Sequencer::run() {
  log_limits();
  for (;;) {
    std::optional<Item> item = queue_.pop_for(kWakeEvery);
    if (!item && queue_.is_closed()) break;
    auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(options_.linger_us);
    bool is_hurried = false;
    while (item) {
      if (auto* command = std::get_if<Command>(&*item)) {
        commit();
        (*command)(*this);
        break;
      }
      Submission& submission = std::get<Submission>(*item);
      if (submission.decision != nullptr) is_hurried = true;      // what is there already goes with it, nothing is waited for
      take(std::move(submission));
      if (log_->pending_bytes() >= options_.linger_bytes) break;
      auto left = until - std::chrono::steady_clock::now();
      item = is_hurried ? queue_.try_pop() : left.count() > 0 ? queue_.pop_for(left) : std::nullopt;
    }
    commit();
    housekeeping();
  }
  commit();
}

void Sequencer::take(Submission submission) {
  if (submission.waiting->is_answered()) return;      // given up while it waited here: it was told to send it again
  cep::TimeUs now = clock_now_();
  if (submission.source != cep::kInputSource) {
    SourceNumbers& source = sources_[submission.source - 1];
    source.is_at_end = source.is_idle = false;
  }
  ++numbers_.requests;
  decode_anew(submission, now);
  keep_rejected(submission, now);
  state::Id16 request_id = request_id_of(*submission.request);
  if (is_set(request_id) && answer_repeated(submission, request_id, now)) return;
  Pending pending;
  const bool is_event = submission.decision != nullptr && !submission.parts.empty();      // not a record that was rejected
  const state::Id16 unique = is_event ? unique_hash(*submission.parts.front().group.batch, 0) : state::Id16{};
  std::optional<cep::TimeUs> came_us;      // of a decision's event that is known
  if (is_set(unique)) came_us = seen_.first_seen(unique, now, submission.parts.front().schema->unique_within_us);
  for (Submission::Part& part : submission.parts) {
    if (part.schema != nullptr) part = without_duplicates(std::move(part), submission.places, now, &pending.answer.duplicates);
    if (part.schema == nullptr || part.group.batch->rows() > 0) pending.parts.push_back(std::move(part));
  }
  pending.answer.rejected = std::move(submission.rejected);
  pending.submission = std::move(submission);
  append(pending, request_id, now);
  if (is_event) note_decision(pending, unique, request_id, came_us);
  pending_.push_back(std::move(pending));
}

// `came_us`: when the event came that this one repeats.
void Sequencer::note_decision(Pending& pending, const state::Id16& unique_hash, const state::Id16& request_id,
                              std::optional<cep::TimeUs> came_us) const {
  pending.is_repeated = came_us.has_value();
  state::StoredDecision& event = pending.decided;
  event.stream = pending.submission.request->streams.front();
  event.received_us = pending.is_repeated ? *came_us : pending.parts.front().group.batch->received_us;
  event.offset = pending.is_repeated ? 0 : pending.first_offsets.front();
  event.id = event_identity(unique_hash, request_id, event.stream, event.offset);
}

// A known Idempotency-Key: the same body gets the same answer again, another body is a conflict.
bool Sequencer::answer_repeated(Submission& submission, const state::Id16& request_id, cep::TimeUs now) {
  const RequestRecord* known = requests_.find(request_id, now);
  if (known == nullptr) return false;
  Pending pending;
  pending.submission = std::move(submission);
  if (known->body_hash != pending.submission.request->body_hash) {
    pending.answer.outcome = api::SubmitAnswer::Outcome::kKeyConflict;
    pending.answer.detail = "this Idempotency-Key was used with another body less than 24 hours ago";
  } else {
    uint64_t rows = 0;
    for (const Submission::Part& part : pending.submission.parts) rows += part.schema != nullptr ? part.group.batch->rows() : 0;
    pending.answer.accepted = known->accepted;
    pending.answer.duplicates = rows - std::min(rows, known->accepted);
    pending.answer.rejected = std::move(pending.submission.rejected);
    const bool is_event = pending.submission.decision != nullptr && rows > 0;
    if (is_event) {
      const cep::Batch& event = *pending.submission.parts.front().group.batch;
      note_decision(pending, unique_hash(event, 0), request_id, known->received_us);
    }
  }
  pending_.push_back(std::move(pending));      // behind the first one's flush, should that still be under way
  return true;
}

// A deployment that came into force since a row was decoded may have changed its stream, or dropped it. What is no event of the stream as
// it is now is rejected.
void Sequencer::decode_anew(Submission& submission, cep::TimeUs now) {
  for (Submission::Part& part : submission.parts) {
    if (part.schema == nullptr) continue;
    const std::string& stream = part.schema->name;
    const cep::SchemaPtr current = registry_->find_stream(stream);
    if (current == part.schema) continue;
    const RowGroup before = std::move(part.group);
    const auto reject = [&](size_t i, const api::RowError& error) {
      submission.rejected.push_back({before.index[i], stream, error, std::string(before.rows[i].substr(0, api::kRejectedRawMax))});
    };
    part.group = {};
    if (const auto refusal = refusal_of(stream, current.get())) {
      for (size_t i = 0; i < before.rows.size(); ++i) reject(i, *refusal);
      continue;
    }
    part.group = rows_.decode(current, before.rows, before.index, before.batch->source, now, any_time, reject);
    part.schema = current;
  }
  std::erase_if(submission.parts, [](const Submission::Part& part) { return part.schema != nullptr && part.group.rows.empty(); });
  sort_rejected(submission);
}

// Drops rows whose `unique` values were seen, remembers the others.
Submission::Part Sequencer::without_duplicates(Submission::Part part, std::span<const state::RowPlace> places, cep::TimeUs now,
                                               uint64_t* duplicates) {
  cep::DurationUs window = part.schema->unique_within_us;
  std::vector<std::string_view> kept;
  std::vector<uint32_t> index;
  for (uint32_t row = 0; row < part.group.batch->rows(); ++row) {
    state::Id16 hash = unique_hash(*part.group.batch, row);
    cep::TimeUs arrival = places.empty() ? now : places[part.group.index[row]].arrival_us;
    if (is_set(hash) && seen_.contains(hash, arrival, window)) continue;
    if (is_set(hash)) seen_.add(hash, arrival, window);
    kept.push_back(part.group.rows[row]);
    index.push_back(part.group.index[row]);
  }
  uint64_t dropped = part.group.batch->rows() - kept.size();
  *duplicates += dropped;
  numbers_.duplicates += dropped;
  numbers_.ids_evicted = seen_.evicted();
  {
    std::lock_guard lock(published_mutex_);
    StreamNumbers& numbers = stream_numbers_[part.schema->name];
    numbers.duplicates += dropped;
    numbers.accepted += kept.size();
  }
  if (dropped == 0) return part;
  const cep::SourceId source = part.group.batch->source;
  part.group = rows_.decode(part.schema, kept, index, source, now, any_time, [](size_t, const api::RowError&) {});
  return part;
}

void Sequencer::note_place(cep::SourceId source, uint64_t next, const state::RowPlace* last) {
  if (source == cep::kInputSource) return;
  SourcePlace& place = sources_[source - 1].place;
  place.next = place.is_placed() ? std::max(place.next, next) : next;
  if (last == nullptr) return;
  place.has_last = true;
  place.last = *last;
}

void Sequencer::append(Pending& pending, const state::Id16& request_id, cep::TimeUs now) {
  struct Frame {
    std::vector<uint32_t> row_ends;
    std::vector<state::Id16> hashes;
    std::vector<state::RowPlace> places;
    std::string rows;
  };
  const Submission& submission = pending.submission;
  std::vector<Frame> frames(pending.parts.size());
  std::vector<state::FrameInput> group;
  for (size_t i = 0; i < pending.parts.size(); ++i) {
    Submission::Part& part = pending.parts[i];
    Frame& frame = frames[i];
    state::FrameInput input = frame_head(submission, request_id, now);
    if (part.schema == nullptr) {
      input.header.kind = state::FrameKind::kWatermark;
      frame.rows = encode(part.watermark);
    } else {
      part.group.batch->received_us = now;
      input.header.stream = cep::StreamId{static_cast<uint16_t>(registry_->schema_number(part.schema->name))};
      input.header.events = part.group.batch->rows();
      bool has_unique = !part.schema->unique_columns.empty();
      for (uint32_t row = 0; row < input.header.events; ++row) {
        frame.rows += part.group.rows[row];
        frame.row_ends.push_back(static_cast<uint32_t>(frame.rows.size()));
        if (has_unique) frame.hashes.push_back(unique_hash(*part.group.batch, row));
        if (!submission.places.empty()) frame.places.push_back(submission.places[part.group.index[row]]);
      }
      pending.answer.accepted += input.header.events;
    }
    if (submission.decision != nullptr) input.header.flags = state::kFrameDecision;
    input.row_ends = frame.row_ends;
    input.unique_hashes = frame.hashes;
    input.places = frame.places;
    input.rows = frame.rows;
    group.push_back(input);
  }
  // Records that left no row have been read all the same.
  if (group.empty() && submission.source != cep::kInputSource) {
    group.push_back(frame_head(submission, request_id, now));
    group.back().header.kind = state::FrameKind::kPosition;
  }
  if (group.empty()) return;
  cep::Result<uint64_t> first = log_->append(group);
  WEIR_CHECK(first.ok(), first.ok() ? "" : first.error().message.c_str());
  uint64_t offset = *first;
  for (size_t i = 0; i < pending.parts.size(); ++i) {
    pending.first_offsets.push_back(offset);
    offset += group[i].header.positions();
    note_place(submission.source, submission.source_next, frames[i].places.empty() ? nullptr : &frames[i].places.back());
  }
  note_place(submission.source, submission.source_next, nullptr);
  if (is_set(request_id)) requests_.add(request_id, {submission.request->body_hash, now, pending.answer.accepted});
}

void Sequencer::commit() {
  if (pending_.empty()) return;
#ifdef WEIR_MUTANT_PROCESS_BEFORE_FLUSH
  for (Pending& pending : pending_) dispatch(pending);
#endif
  flush_patiently();
  // Answered when the shards have it, so that who sent an event finds it there; should they not take it for long, by the watch.
  for (Pending& pending : pending_) {
    if (is_set(pending.decided.id)) pending.submission.decision->set_durable(pending.decided);
    pending.submission.waiting->decide(std::move(pending.answer));
  }
#ifndef WEIR_MUTANT_PROCESS_BEFORE_FLUSH
  for (Pending& pending : pending_) dispatch(pending);
#endif
  for (Pending& pending : pending_) pending.submission.waiting->answer();
  pending_.clear();
  publish_watermarks();
  if (!sources_.empty()) publish_sources();
}

void Sequencer::flush_patiently() {
  if (log_->durable_offset() == log_->next_offset()) return;
  cep::TimeUs began = clock_now_();
  for (cep::Status flushed = log_->flush(); !flushed.ok(); flushed = log_->flush()) {
    disk_wait_.failed(flushed.error());
    ++numbers_.disk_full_waits;
    std::this_thread::sleep_for(kDiskFullRetry);
  }
  disk_wait_.over();
  ++numbers_.flushes;
  numbers_.flush_us = clock_now_() - began;
  numbers_.flush.observe(numbers_.flush_us);
  numbers_.failed_flushes = log_->failed_flushes();
  numbers_.log_end = log_->next_offset();
}

void Sequencer::dispatch(Pending& pending) {
  if (pending.is_repeated) repeat_decision(pending);
  for (size_t i = 0; i < pending.parts.size(); ++i) {
    Submission::Part& part = pending.parts[i];
    if (part.schema == nullptr) {
      const std::string& stream = part.watermark.stream;
      dispatch_time(clock_.watermark(part.watermark.time_us, stream.empty() ? nullptr : &stream));
      continue;
    }
    for (uint32_t row = 0; row < part.group.batch->rows(); ++row) {
      part.group.batch->position[row] = pending.first_offsets[i] + row;
      if (pending.submission.places.empty()) continue;
      part.group.batch->ordinal.push_back(pending.submission.places[part.group.index[row]].ordinal);
    }
    dispatch_batch(part.group.batch, &part.group.rows, pending.submission.decision);
  }
}

// The verdict on the event's first coming is stored, or on its way: behind what the shards have been given.
void Sequencer::repeat_decision(const Pending& pending) {
  auto left = std::make_shared<std::atomic<size_t>>(shards_.size());
  for (const std::unique_ptr<Shard>& shard : shards_) {
    shard->put_task([this, left, decision = pending.submission.decision, id = pending.decided.id, came_us = pending.decided.received_us] {
      if (--*left == 0) decisions_.look_up(decision, id, came_us);
    });
  }
}

void Sequencer::dispatch_batch(const cep::BatchPtr& batch, const std::vector<std::string_view>* rows, std::shared_ptr<Decision> decision) {
  if (batch->source != cep::kInputSource) {
    cep::TimeUs& newest = sources_[batch->source - 1].place.newest_us;
    for (cep::TimeUs time : batch->time) newest = std::max(newest, time);
  }
  std::vector<cep::Admission> admissions = clock_.admit(*batch);
  if (decision != nullptr) decision->expect(admissions.empty() ? 0 : shards_.size());
  if (admissions.empty()) return;
  numbers_.reorder_forced = clock_.forced();
  keep_late(*batch, admissions, rows);
  for (const std::unique_ptr<Shard>& shard : shards_) shard->put_batch(batch, admissions, decision);
}

void Sequencer::dispatch_time(std::vector<cep::Admission> admissions) {
  if (admissions.empty()) return;
  numbers_.reorder_forced = clock_.forced();
  for (const std::unique_ptr<Shard>& shard : shards_) shard->put_time(admissions);
}

// Late rows are counted and kept with the rejected, once each. `rows` null: a replay, in which they were kept already.
void Sequencer::keep_late(const cep::Batch& batch, const std::vector<cep::Admission>& admissions,
                          const std::vector<std::string_view>* rows) {
  std::vector<state::RejectedEvent> events;
  uint64_t late = 0;
  for (uint32_t row = 0; row < batch.rows(); ++row) {
    const cep::Admission* missed = nullptr;
    for (const cep::Admission& admission : admissions) {
      if (!admission.late.empty() && admission.late[row] != 0 && missed == nullptr) missed = &admission;
    }
    if (missed == nullptr) continue;
    ++late;
    if (rows == nullptr) continue;
    state::RejectedEvent event;
    event.at_us = batch.received_us;
    event.stream = batch.schema->name;
    event.source = batch.source;
    event.code = "late";
    event.field = batch.schema->columns[batch.schema->time_column].name;
    event.watermark_us = missed->late_watermark[row];
    event.lag_us = event.watermark_us - batch.time[row];
    event.message = "earlier than the watermark of " + rules_->timelines()[missed->timeline].name + " when it arrived" +
                    (batch.ordinal.empty() ? "" : place_text(sources_[batch.source - 1].name, batch.ordinal[row]));
    event.raw = (*rows)[row];
    events.push_back(std::move(event));
  }
  if (late == 0) return;
  numbers_.late += late;
  {
    std::lock_guard lock(published_mutex_);
    stream_numbers_[batch.schema->name].late += late;
  }
  if (!events.empty()) store_.put_rejected(std::move(events));
}

void Sequencer::keep_rejected(const Submission& submission, cep::TimeUs now) {
  if (submission.rejected.empty()) return;
  std::vector<state::RejectedEvent> events;
  for (const api::RejectedRow& row : submission.rejected) {
    {
      std::lock_guard lock(published_mutex_);
      StreamNumbers& numbers = stream_numbers_[registry_->streams().contains(row.stream) ? row.stream : ""];
      ++numbers.rejected;
      ++numbers.rejected_by_code[std::string(api::event_code_name(row.error.code))];
    }
    state::RejectedEvent event;
    event.at_us = now;
    event.stream = row.stream;
    event.source = submission.source;
    event.code = api::event_code_name(row.error.code);
    event.field = row.error.field;
    event.message = row.error.message;
    if (!submission.places.empty()) event.message += place_text(sources_[submission.source - 1].name, submission.places[row.index].ordinal);
    event.raw = row.raw;
    events.push_back(std::move(event));
  }
  store_.put_rejected(std::move(events));
}

std::vector<SourceNumbers> Sequencer::sources() const {
  std::lock_guard lock(published_mutex_);
  return published_sources_;
}

void Sequencer::publish_sources() {
  std::lock_guard lock(published_mutex_);
  published_sources_ = sources_;
}

void Sequencer::publish_watermarks() {
  std::vector<std::pair<std::string, cep::TimeUs>> watermarks;
  for (uint32_t t = 0; t < rules_->timelines().size(); ++t) {
    watermarks.emplace_back(rules_->timelines()[t].name, clock_.watermark_of(t));
  }
  std::lock_guard lock(published_mutex_);
  watermarks_ = std::move(watermarks);
}

}  // namespace service
