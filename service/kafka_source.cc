// See kafka_source.h. Test: tests/unit/service/kafka_source_test.cc, tests/e2e/kafka_test.sh.
#include "service/kafka_source.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>

#include "api/cloudevents.h"

namespace service {
namespace {

constexpr cep::DurationUs kKafkaLookEvery = cep::kSecond;
constexpr cep::DurationUs kOffsetsEvery = 5 * cep::kSecond;
constexpr cep::DurationUs kBrokerTimeout = 2 * cep::kSecond;
constexpr cep::DurationUs kRecordWait = 50 * cep::kMillisecond;
constexpr auto kGatherTime = std::chrono::milliseconds(5);
constexpr size_t kGatherBytes = 256 << 10;
constexpr auto kCreditWait = std::chrono::milliseconds(20);
constexpr size_t kKafkaNameBytesMax = 64;
constexpr int kMissingLooks = 3;      // a topic is unknown for a moment while brokers start or it has just been made

// A record without a timestamp arrives now. Kafka counts milliseconds: what is none of theirs is told from what is.
cep::TimeUs arrival_now(cep::TimeUs now) { return now / cep::kMillisecond * cep::kMillisecond + 1; }
bool is_kafka_time(cep::TimeUs time) { return time % cep::kMillisecond == 0; }

std::string_view header_of(const KafkaEvent& event, std::string_view name) {
  for (const KafkaHeader& header : event.headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

cep::Error bad_kafka(const std::string& what) { return {"bad_kafka", what}; }

}  // namespace

cep::Status check_kafka_spec(const KafkaSpec& spec) {
  const bool is_name = !spec.name.empty() && spec.name.size() <= kKafkaNameBytesMax &&
                       std::all_of(spec.name.begin(), spec.name.end(), [](unsigned char c) {
                         return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
                       });
  if (!is_name) return bad_kafka("name: 1 to 64 letters, digits, `_`, `-` or `.`");
  if (spec.client.brokers.empty()) return bad_kafka("brokers: give HOST:PORT of one broker or more");
  if (spec.stream.empty()) return bad_kafka("stream: say which stream the events are of");
  if (spec.topics.empty()) return bad_kafka("topics: give one topic or more");
  for (const std::string& topic : spec.topics) {
    if (topic.empty() || topic.front() == '^') {
      return bad_kafka("topics: `" + topic + "` is not the name of a topic; patterns are not read");
    }
    if (std::count(spec.topics.begin(), spec.topics.end(), topic) > 1) return bad_kafka("topics: `" + topic + "` is there twice");
  }
  if (spec.group.empty()) return bad_kafka("group: give the name under which monitors find the offsets");
  return cep::ok_status();
}

KafkaSource::KafkaSource(KafkaSpec spec, Lane& lane, WallClock clock, const ServiceLog& log)
    : spec_(std::move(spec)), lane_(lane), clock_(std::move(clock)), log_(log) {}

KafkaSource::~KafkaSource() { stop(); }

cep::Status KafkaSource::start(DeclareAll declare_all) {
  declare_all_ = std::move(declare_all);
  auto log = [this](int level, std::string_view text) {
    if (level <= kKafkaWarning) log_.warning("kafka", {{"kafka", spec_.name}, {"text", std::string(text)}});
  };
  cep::Result<std::unique_ptr<KafkaConsumer>> consumer = KafkaConsumer::create(spec_.client, spec_.group + "-positions", log);
  if (!consumer.ok()) return consumer.error();
  consumer_ = std::move(*consumer);
  recall();
  thread_ = std::thread([this] { run(); });
  return cep::ok_status();
}

void KafkaSource::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  consumer_.reset();
}

void KafkaSource::run() {
  while (!stopping_) {
    if (clock_() >= next_look_us_) look();
    const auto until = std::chrono::steady_clock::now() + kGatherTime;
    KafkaEvent event;
    for (cep::DurationUs wait = kRecordWait; consumer_->poll(wait, &event); wait = 0) {
      handle(event);
      if (gathered_bytes_ >= kGatherBytes || std::chrono::steady_clock::now() >= until || stopping_) break;
    }
    hand_over();
  }
}

// --- What the brokers have

void KafkaSource::look() {
  std::set<std::string> answered;
  for (const std::string& topic : spec_.topics) {
    if (!stopping_ && look_at_topic(topic)) answered.insert(topic);
  }
  const bool commits = clock_() >= next_commit_us_;
  if (commits) next_commit_us_ = clock_() + kOffsetsEvery;
  bool answers = true;      // one that does not is not asked again for every partition
  for (const auto& partition : partitions_) {
    if (stopping_) break;
    if (partition->is_reading()) {
      answers = note_end(*partition, answers);
      if (commits) commit(*partition);
    } else if (partition->shown.state != "stopped" && answered.contains(partition->shown.topic) && !partition->is_gone) {
      open(*partition);
    }
  }
  next_look_us_ = clock_() + kKafkaLookEvery;
  publish();
}

// Whether the brokers answer and have it.
bool KafkaSource::look_at_topic(const std::string& topic) {
  const cep::Result<int32_t> count = consumer_->partitions(topic, kBrokerTimeout);
  if (!count.ok() && find(topic, 0) == nullptr) add(topic, 0);      // shows why there is nothing yet
  for (int32_t number = 0; count.ok() && number < *count; ++number) {
    if (find(topic, number) == nullptr) add(topic, number);
  }
  if (count.ok()) known_topics_.insert(topic);
  int& missing = missing_looks_[topic];
  missing = !count.ok() && count.error().code == "topic_missing" ? missing + 1 : 0;
  for (const auto& partition : partitions_) {
    if (partition->shown.topic != topic || partition->shown.state == "stopped") continue;
    partition->is_gone = count.ok() && partition->shown.partition >= *count;
    if (partition->is_gone || missing >= kMissingLooks) {
      note_missing(*partition, count.ok() ? cep::Error{"topic_missing", ""} : count.error());
    } else if (!count.ok() && !partition->is_reading()) {
      wait_for(*partition, count.error());
    }
  }
  if (missing >= kMissingLooks && spec_.skips_lost) release_time(names_of(topic));
  return count.ok();
}

// It is waited for; what has been read before may come back and go on.
void KafkaSource::note_missing(Partition& partition, const cep::Error& why) {
  if (partition.is_reading()) consumer_->end_reading(partition.shown.topic, partition.shown.partition);
  if (partition.source == cep::kInputSource) return wait_for(partition, why);
  wait_for(partition, {"topic_missing", "topic " + partition.shown.topic + ", partition " + std::to_string(partition.shown.partition) +
                                            ": it was there and is no more; it is read on if the same topic comes back"});
  if (partition.is_gone && spec_.skips_lost) release_time(source_name(partition, partition.incarnation));
}

// What the lane knows of earlier is shown from the start, whether brokers answer or not.
void KafkaSource::recall() {
  const std::vector<SourceNumbers> sources = lane_.sources();
  for (const std::string& topic : spec_.topics) {
    const std::string names = names_of(topic);
    for (const SourceNumbers& source : sources) {
      int32_t number = 0;
      const bool is_partition = source.name.starts_with(names) && source.place.is_placed() &&
                                std::from_chars(source.name.data() + names.size(), source.name.data() + source.name.size(), number).ec ==
                                    std::errc();
      if (!is_partition) continue;
      known_topics_.insert(topic);
      if (find(topic, number) == nullptr) add(topic, number);
    }
  }
  publish();
}

KafkaSource::Partition& KafkaSource::add(const std::string& topic, int32_t number) {
  Partition& partition = *partitions_.emplace_back(std::make_unique<Partition>());
  partition.shown.topic = topic;
  partition.shown.partition = number;
  partition.shown.state = "connecting";
  partition.is_of_new_topic = !known_topics_.contains(topic);
  if (const std::optional<SourceNumbers> known = find_source(partition); known && known->place.is_placed()) {
    partition.source = known->number;
    partition.next = known->place.next;
    partition.shown.source = known->name;
  }
  return partition;
}

// The newest of its name.
std::optional<SourceNumbers> KafkaSource::find_source(Partition& partition) const {
  std::optional<SourceNumbers> known;
  for (const SourceNumbers& source : lane_.sources()) {
    if (source.name == source_name(partition, partition.incarnation + 1)) ++partition.incarnation;
    if (source.name == source_name(partition, partition.incarnation)) known = source;
  }
  return known;
}

// Nothing more is expected of what is gone: what is to be skipped holds no time back. Where partition 1 is gone, 10 and above are as well.
void KafkaSource::release_time(const std::string& names) {
  for (const SourceNumbers& source : lane_.sources()) {
    if (source.name.starts_with(names) && !source.is_at_end) lane_.set_source_at_end(source.number, true);
  }
}

void KafkaSource::wait_for(Partition& partition, const cep::Error& why, const char* state) {
  set_at_end(partition, false);
  const bool is_new = partition.shown.code != why.code;
  partition.shown.state = state;
  partition.shown.code = why.code;
  partition.shown.error = why.message;
  if (!is_new) return;
  const ServiceLog::Fields fields = {{"kafka", spec_.name},
                                     {"topic", partition.shown.topic},
                                     {"partition", std::to_string(partition.shown.partition)},
                                     {"code", why.code},
                                     {"error", why.message}};
  if (partition.shown.state == "stopped") return log_.error("kafka partition stopped", fields);
  log_.warning("kafka partition waits", fields);
}

std::string KafkaSource::names_of(const std::string& topic) const { return "kafka:" + spec_.name + "/" + topic + "/"; }

std::string KafkaSource::source_name(const Partition& partition, uint32_t incarnation) const {
  std::string name = names_of(partition.shown.topic) + std::to_string(partition.shown.partition);
  if (incarnation > 1) name += "#" + std::to_string(incarnation);
  return name;
}

bool KafkaSource::owns(const std::string& source_name) const {
  return std::any_of(spec_.topics.begin(), spec_.topics.end(),
                     [&](const std::string& topic) { return source_name.starts_with(names_of(topic)); });
}

KafkaSource::Partition* KafkaSource::find(std::string_view topic, int32_t number) {
  for (const auto& partition : partitions_) {
    if (partition->shown.topic == topic && partition->shown.partition == number) return partition.get();
  }
  return nullptr;
}

// Where it goes on is what the log says; a partition that the log does not know begins where the configuration says, unless it was added
// to a topic that was known: then all of it is new.
void KafkaSource::open(Partition& partition) {
  const KafkaPartitionStatus& shown = partition.shown;
  const cep::Result<KafkaConsumer::Bounds> bounds = consumer_->bounds(shown.topic, shown.partition, kBrokerTimeout);
  if (!bounds.ok()) return wait_for(partition, bounds.error());
  partition.shown.end = static_cast<uint64_t>(bounds->high);
  const std::optional<SourceNumbers> known = find_source(partition);
  if (known && known->place.is_placed()) return open_known(partition, *known, *bounds);
  declare(partition, static_cast<uint64_t>(spec_.from_latest && partition.is_of_new_topic ? bounds->high : bounds->low));
}

void KafkaSource::declare(Partition& partition, uint64_t first) {
  const cep::Result<SourceNumbers> opened = lane_.open_source({source_name(partition, partition.incarnation), spec_.stream}, first);
  if (!opened.ok()) {
    const bool waits = opened.error().code == "unknown_stream";
    return wait_for(partition, opened.error(), waits ? "waiting_for_stream" : "connecting");
  }
  partition.source = opened->number;
  partition.next = opened->place.next;
  partition.shown.source = opened->name;
  read(partition, partition.next);
}

// The same of the partitions that are known by now, so that none of them moves time before the others can be asked.
cep::Status KafkaSource::declare_ahead() const {
  if (cep::Status status = declare_all_(); !status.ok()) return status;
  for (const auto& partition : partitions_) {
    if (partition->source != cep::kInputSource) continue;
    const SourceChange source{source_name(*partition, partition->incarnation), spec_.stream};
    const cep::Result<SourceNumbers> opened = lane_.open_source(source, kNotPlaced);
    if (!opened.ok()) return opened.error();
  }
  return cep::ok_status();
}

cep::Status KafkaSource::declare_topics() const {
  const std::vector<SourceNumbers> sources = lane_.sources();
  for (const std::string& topic : spec_.topics) {
    const std::string first = names_of(topic) + "0";      // every topic has that one
    if (std::any_of(sources.begin(), sources.end(), [&](const SourceNumbers& source) { return source.name == first; })) continue;
    const cep::Result<SourceNumbers> opened = lane_.open_source({first, spec_.stream}, kNotPlaced);
    if (!opened.ok() && opened.error().code != "unknown_stream") return opened.error();
  }
  return cep::ok_status();
}

void KafkaSource::open_known(Partition& partition, const SourceNumbers& known, const KafkaConsumer::Bounds& bounds) {
  partition.source = known.number;
  partition.next = std::max(partition.next, known.place.next);
  const auto low = static_cast<uint64_t>(bounds.low), high = static_cast<uint64_t>(bounds.high);
  const std::string at = "goes on at offset " + std::to_string(partition.next);
  if (partition.next > high) {
    return lose(partition, "topic_recreated", at + ", but the topic ends at " + std::to_string(high) +
                                                  ": it was cut, or made again under the same name", bounds);
  }
  if (partition.next < low) {
    return lose(partition, "retention_passed", at + ", but the oldest record that is left is " + std::to_string(low), bounds);
  }
  uint64_t from = partition.next;
  if (known.place.has_last && known.place.last.ordinal >= low && is_kafka_time(known.place.last.arrival_us)) {
    partition.to_verify = known.place.last;
    from = known.place.last.ordinal;
  }
  read(partition, from);
}

void KafkaSource::read(Partition& partition, uint64_t from) {
  cep::Status status = declare_ahead();
  if (status.ok()) status = consumer_->read_from(partition.shown.topic, partition.shown.partition, static_cast<int64_t>(from));
  if (!status.ok()) return wait_for(partition, status.error());
  partition.is_at_end = false;
  lane_.set_source_at_end(partition.source, false);
  partition.shown.state = "reading";
  partition.shown.code.clear();
  partition.shown.error.clear();
  log_.info("kafka partition is read", {{"source", partition.shown.source}, {"from", std::to_string(partition.next)}});
}

// What was to be read is not there any more.
void KafkaSource::lose(Partition& partition, const std::string& code, const std::string& what, const KafkaConsumer::Bounds& bounds) {
  consumer_->end_reading(partition.shown.topic, partition.shown.partition);
  partition.to_verify.reset();
  const std::string where = "topic " + partition.shown.topic + ", partition " + std::to_string(partition.shown.partition) + " ";
  if (!spec_.skips_lost) {
    wait_for(partition, {code, where + what + ". It is not read any more and holds time back; put the topic back and start again, or set "
                                       "on_loss = \"skip\" for [[kafka]] " + spec_.name + " to go on without what is lost"},
             "stopped");
    return;
  }
  const auto low = static_cast<uint64_t>(bounds.low);
  const uint64_t skipped = code == "retention_passed" ? low - std::min(low, partition.next) : 0;
  partition.shown.skipped += skipped;
  log_.error("kafka records are lost", {{"code", code}, {"error", where + what}, {"skipped", std::to_string(skipped)}});
  if (code == "retention_passed") {
    partition.next = low;
    return read(partition, low);
  }
  lane_.set_source_at_end(partition.source, true);      // no more comes of the topic that was
  ++partition.incarnation;
  declare(partition, low);
}

// False: the brokers did not answer, so there may be more than is known.
bool KafkaSource::note_end(Partition& partition, bool asks) {
  cep::Result<KafkaConsumer::Bounds> bounds = cep::Error{"unreachable", "the brokers do not answer"};
  if (asks) bounds = consumer_->bounds(partition.shown.topic, partition.shown.partition, kBrokerTimeout);
  partition.shown.code = bounds.ok() ? "" : bounds.error().code;
  partition.shown.error = bounds.ok() ? "" : bounds.error().message;
  if (!bounds.ok()) {
    set_at_end(partition, false);
    return false;
  }
  partition.shown.end = static_cast<uint64_t>(bounds->high);
  const bool is_read = partition.gathered.places.empty() && !partition.to_verify && partition.next >= *partition.shown.end;
  set_at_end(partition, is_read);
  return true;
}

void KafkaSource::set_at_end(Partition& partition, bool is_at_end) {
  if (partition.source == cep::kInputSource || partition.is_at_end == is_at_end) return;
  partition.is_at_end = is_at_end;
  lane_.set_source_at_end(partition.source, is_at_end);
}

void KafkaSource::commit(Partition& partition) {
  const uint64_t durable = partition.durable->load();
  if (durable <= partition.committed) return;
  partition.committed = durable;
  consumer_->commit(partition.shown.topic, partition.shown.partition, static_cast<int64_t>(durable));
}

// --- What they send

void KafkaSource::handle(const KafkaEvent& event) {
  Partition* partition = find(event.topic, event.partition);
  if (partition == nullptr || !partition->is_reading()) {
    if (event.kind == KafkaEvent::Kind::kError) log_.warning("kafka", {{"kafka", spec_.name}, {"text", event.text}});
    return;
  }
  switch (event.kind) {
    case KafkaEvent::Kind::kRecord:
      if (is_same_topic(*partition, event)) gather(*partition, event);
      return;
    case KafkaEvent::Kind::kEnd:      // what was left out on the way was no record: marks of transactions, compacted away
      partition->next = std::max(partition->next, static_cast<uint64_t>(event.offset));
      partition->to_verify.reset();
      return;
    case KafkaEvent::Kind::kOutOfRange: return handle_range(*partition);
    case KafkaEvent::Kind::kError:
      log_.warning("kafka", {{"source", partition->shown.source}, {"text", event.text}});
      return;
  }
}

void KafkaSource::handle_range(Partition& partition) {
  hand_over(partition);
  consumer_->end_reading(partition.shown.topic, partition.shown.partition);
  partition.to_verify.reset();
  wait_for(partition, {"out_of_range", "the topic has not got offset " + std::to_string(partition.next)});
  open(partition);      // tells what happened from what is there now
}

// The last row in the log is read again once: another record in its place means another topic.
bool KafkaSource::is_same_topic(Partition& partition, const KafkaEvent& event) {
  if (!partition.to_verify) return true;
  const state::RowPlace last = *partition.to_verify;
  partition.to_verify.reset();
  const bool is_other = static_cast<uint64_t>(event.offset) == last.ordinal && event.timestamp_us && *event.timestamp_us != last.arrival_us;
  if (!is_other) return true;
  const cep::Result<KafkaConsumer::Bounds> bounds = consumer_->bounds(partition.shown.topic, partition.shown.partition, kBrokerTimeout);
  lose(partition, "topic_recreated",
       "has another record at offset " + std::to_string(last.ordinal) +
           " than the one that was read: it was made again under the same name",
       bounds.ok() ? *bounds : KafkaConsumer::Bounds{});
  return false;
}

// The row of a record, as the log keeps it.
bool KafkaSource::append_row(const KafkaEvent& event, std::string& body, api::RowError* error) const {
  if (!event.value) {
    *error = {api::EventCode::kBadJson, "", "the record has no value"};
    return false;
  }
  if (!spec_.cloud_events) {
    body += *event.value;
    return true;
  }
  api::CloudEvent cloud;
  if (!header_of(event, "ce_specversion").empty()) {
    cloud.id = header_of(event, "ce_id");
    cloud.time = header_of(event, "ce_time");
    cloud.data = *event.value;
  } else if (!api::read_cloud_event(*event.value, &cloud, error)) {
    return false;
  }
  RegistryPtr registry = lane_.registry();
  auto schema = registry->streams().find(spec_.stream);
  return api::append_cloud_row(schema != registry->streams().end() ? schema->second.get() : nullptr, cloud, body, error);
}

void KafkaSource::gather(Partition& partition, const KafkaEvent& event) {
  if (static_cast<uint64_t>(event.offset) < partition.next) return;      // read again to be compared
  Gathered& gathered = partition.gathered;
  if (gathered.request == nullptr) gathered.request = std::make_shared<api::SubmitRequest>();
  api::SubmitRequest& request = *gathered.request;
  const auto index = static_cast<uint32_t>(gathered.places.size());
  const size_t before = request.body.size();
  gathered.places.push_back({static_cast<uint64_t>(event.offset), event.timestamp_us.value_or(arrival_now(clock_()))});
  partition.next = static_cast<uint64_t>(event.offset) + 1;
  partition.shown.end = std::max(partition.shown.end.value_or(0), partition.next);
  api::RowError error;
  if (append_row(event, request.body, &error)) {
    api::SubmitItem item;
    item.index = index;
    request.items.push_back(item);
    gathered.extents.emplace_back(before, request.body.size() - before);
  } else {
    request.body.resize(before);
    const std::string_view raw = event.value.value_or(std::string_view()).substr(0, api::kRejectedRawMax);
    request.rejected.push_back({index, spec_.stream, std::move(error), std::string(raw)});
  }
  gathered_bytes_ += request.body.size() - before + sizeof(state::RowPlace);
}

// --- What the lane gets

void KafkaSource::hand_over() {
  if (gathered_bytes_ == 0) return;
  for (const auto& partition : partitions_) hand_over(*partition);
  gathered_bytes_ = 0;
  publish();
}

// Waits for room: as long as nothing is polled, the library reads no further than its own queue.
void KafkaSource::hand_over(Partition& partition) {
  Gathered& gathered = partition.gathered;
  if (gathered.request == nullptr) return;
  SourceRecords records;
  records.source = partition.source;
  records.stream = spec_.stream;
  records.next = partition.next;
  records.places = std::move(gathered.places);
  records.request = std::move(gathered.request);
  for (size_t i = 0; i < gathered.extents.size(); ++i) {
    const auto [begin, size] = gathered.extents[i];
    records.request->items[i].row = std::string_view(records.request->body).substr(begin, size);
  }
  const size_t count = records.places.size();
  gathered = Gathered();
  partition.is_at_end = false;
  for (;;) {
    const Taken taken = lane_.submit_records(records, [durable = partition.durable, next = records.next] { *durable = next; });
    if (taken == Taken::kTaken) break;
    if (taken == Taken::kStopping || stopping_) {
      stopping_ = true;      // nothing behind it may be handed over
      return;
    }
    for (const auto& other : partitions_) set_at_end(*other, false);      // nothing is read meanwhile
    if (taken == Taken::kNoStream && partition.is_reading()) {
      partition.shown.code = "unknown_stream";
      partition.shown.error = "no stream `" + spec_.stream + "` is declared that takes events from outside";
      publish();
    }
    std::this_thread::sleep_for(kCreditWait);
  }
  partition.shown.code.clear();
  partition.shown.error.clear();
  partition.shown.records += count;
}

void KafkaSource::publish() {
  std::vector<KafkaPartitionStatus> all;
  for (const auto& partition : partitions_) {
    all.push_back(partition->shown);
    all.back().kafka = spec_.name;
    all.back().stream = spec_.stream;
    if (partition->source != cep::kInputSource) all.back().next = partition->next;
  }
  std::lock_guard lock(mutex_);
  published_ = std::move(all);
}

std::vector<KafkaPartitionStatus> KafkaSource::status() const {
  std::vector<KafkaPartitionStatus> all;
  {
    std::lock_guard lock(mutex_);
    all = published_;
  }
  for (const SourceNumbers& source : lane_.sources()) {
    for (KafkaPartitionStatus& partition : all) {
      if (partition.source != source.name) continue;
      partition.newest_us = source.place.newest_us;
      if (source.is_idle && partition.is_read()) partition.state = "idle";
    }
  }
  return all;
}

// --- All of them

cep::Result<std::unique_ptr<KafkaSources>> KafkaSources::start(const std::vector<KafkaSpec>& specs, Lane& lane,
                                                               KafkaSource::WallClock clock, const ServiceLog& log) {
  auto all = std::make_unique<KafkaSources>();
  for (const KafkaSpec& spec : specs) all->sources_.push_back(std::make_unique<KafkaSource>(spec, lane, clock, log));
  for (const SourceNumbers& source : lane.sources()) {
    const bool is_owned = std::any_of(all->sources_.begin(), all->sources_.end(), [&](const auto& one) { return one->owns(source.name); });
    if (!is_owned) lane.set_source_at_end(source.number, true);
  }
  const auto declare_all = [sources = all.get()] { return sources->declare_topics(); };
  for (const auto& source : all->sources_) {
    if (cep::Status status = source->start(declare_all); !status.ok()) return status.error();
  }
  return all;
}

cep::Status KafkaSources::declare_topics() const {
  for (const auto& source : sources_) {
    if (cep::Status status = source->declare_topics(); !status.ok()) return status;
  }
  return cep::ok_status();
}

void KafkaSources::stop() {
  for (const auto& source : sources_) source->stop();
}

std::vector<KafkaPartitionStatus> KafkaSources::status() const {
  std::vector<KafkaPartitionStatus> all;
  for (const auto& source : sources_) {
    std::vector<KafkaPartitionStatus> some = source->status();
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace service
