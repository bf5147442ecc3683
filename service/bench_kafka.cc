// See bench_kafka.h.
#include "service/bench_kafka.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "service/api_client.h"
#include "service/app.h"
#include "service/bench_data.h"
#include "service/bench_server.h"
#include "service/client_output.h"
#include "service/rule_files.h"

namespace service {
namespace {

using Steady = std::chrono::steady_clock;
constexpr int32_t kLoadPartitions = 4;
constexpr cep::DurationUs kBenchBrokerTimeout = 15 * cep::kSecond;
constexpr double kBenchPatience = 60;      // seconds without anything coming

double seconds_since(Steady::time_point when) { return std::chrono::duration<double>(Steady::now() - when).count(); }

// Threads that are started while it lives run on one core, the last that this process may use.
class OnOneCore {
 public:
  OnOneCore() {
    sched_getaffinity(0, sizeof before_, &before_);
    for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
      if (!CPU_ISSET(core, &before_)) continue;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      sched_setaffinity(0, sizeof one, &one);
      return;
    }
  }
  ~OnOneCore() { sched_setaffinity(0, sizeof before_, &before_); }
  OnOneCore(const OnOneCore&) = delete;
  OnOneCore& operator=(const OnOneCore&) = delete;

 private:
  cpu_set_t before_{};
};

// From the first count on that is not zero to the last.
class ReadingClock {
 public:
  void note(uint64_t count) {
    if (count == 0) return;
    if (first_ == 0) {
      first_ = count;
      began_ = Steady::now();
      cpu_began_ = std::clock();
    }
    if (count == last_) return;
    last_ = count;
    at_ = Steady::now();
    cpu_at_ = std::clock();
  }
  uint64_t last() const { return last_; }
  KafkaBenchFigure::Reading reading() const {
    const auto count = static_cast<double>(std::max<uint64_t>(1, last_ - first_));
    const double seconds = std::chrono::duration<double>(at_ - began_).count();
    const double cpu_us = static_cast<double>(cpu_at_ - cpu_began_) * 1e6 / CLOCKS_PER_SEC;
    return {seconds > 0 ? count / seconds : 0, cpu_us / count};
  }

 private:
  uint64_t first_ = 0, last_ = 0;
  Steady::time_point began_, at_;
  std::clock_t cpu_began_ = 0, cpu_at_ = 0;
};

class KafkaBench {
 public:
  KafkaBench(std::string directory, const KafkaBenchOptions& options)
      : directory_(std::move(directory)), options_(options), names_(fmt::format("weir-bench-{}-", getpid())) {
    producing_ = options.client;
    producing_.properties.insert(producing_.properties.begin(), {"linger.ms", "0"});
  }

  cep::Result<KafkaBenchFigure> run() {
    cep::Status status = make_topics();
    if (status.ok()) status = measure();
    if (app_ != nullptr) app_->stop();
    for (const auto& [topic, partitions] : topics()) static_cast<void>(remove_kafka_topic(options_.client, topic, kBenchBrokerTimeout));
    if (!status.ok()) return status.error();
    return figure_;
  }

 private:
  std::string load() const { return names_ + "tx"; }
  std::string signals() const { return names_ + "signals"; }
  std::string alerts() const { return names_ + "alerts"; }
  std::vector<std::pair<std::string, int32_t>> topics() const {
    return {{load(), kLoadPartitions}, {signals(), 1}, {alerts(), 1}};
  }

  cep::Status measure() {
    if (cep::Status filled = fill(); !filled.ok()) return filled;
    if (cep::Status read = read_bare(figure_.bare_before); !read.ok()) return read;
    if (cep::Status served = serve(); !served.ok()) return served;
    if (cep::Status taken = take_latency(); !taken.ok()) return taken;
    app_->stop();
    return read_bare(figure_.bare_after);
  }

  cep::Status make_topics() {
    for (const auto& [topic, partitions] : topics()) {
      if (cep::Status made = make_kafka_topic(options_.client, topic, partitions, kBenchBrokerTimeout); !made.ok()) return made;
    }
    auto consumer = make_consumer();
    if (!consumer.ok()) return consumer.error();
    for (const auto& [topic, partitions] : topics()) {
      const auto began = Steady::now();
      for (;;) {
        const cep::Result<int32_t> known = (*consumer)->partitions(topic, cep::kSecond);
        if (known.ok() && *known == partitions) break;
        if (seconds_since(began) > kBenchPatience) return cep::Error{"unreachable", "topic " + topic + " does not get its partitions"};
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    }
    return cep::ok_status();
  }

  cep::Result<std::unique_ptr<KafkaConsumer>> make_consumer() const {
    return KafkaConsumer::create(options_.client, names_ + "reader", nullptr);
  }

  // One record a line, under its card.
  static cep::Status send(KafkaProducer& producer, const std::string& topic, const std::string& lines) {
    constexpr size_t kCardAt = sizeof R"({"card":")" - 1;
    std::vector<KafkaReport> reports;
    for (size_t begin = 0; begin < lines.size();) {
      const size_t end = std::min(lines.find('\n', begin), lines.size());
      KafkaRecord record{topic, {}, lines.substr(begin, end - begin), {}};
      record.key = record.value.substr(kCardAt, record.value.find('"', kCardAt) - kCardAt);
      cep::Status sent = producer.send(record, 0);
      if (!sent.ok() && sent.error().code != "full") return sent;
      producer.poll(sent.ok() ? 0 : cep::kMillisecond, reports);
      if (sent.ok()) begin = end + 1;
    }
    return cep::ok_status();
  }

  cep::Status fill() {
    auto producer = KafkaProducer::create(options_.client, nullptr);
    if (!producer.ok()) return producer.error();
    constexpr uint32_t kLines = 1'000;
    std::mt19937_64 random(1);
    std::vector<KafkaReport> reports;
    for (figure_.events = 0; figure_.events < options_.events; figure_.events += kLines) {
      if (cep::Status sent = send(**producer, load(), bench_events(random, kLines)); !sent.ok()) return sent;
    }
    auto consumer = make_consumer();
    if (!consumer.ok()) return consumer.error();
    const auto began = Steady::now();
    while (end_of(**consumer, load(), kLoadPartitions) < figure_.events) {
      (*producer)->poll(10 * cep::kMillisecond, reports);
      if (seconds_since(began) > kBenchPatience) return cep::Error{"unreachable", "the brokers do not take the events"};
    }
    return cep::ok_status();
  }

  static uint64_t end_of(KafkaConsumer& consumer, const std::string& topic, int32_t partitions) {
    uint64_t sum = 0;
    for (int32_t i = 0; i < partitions; ++i) {
      const cep::Result<KafkaConsumer::Bounds> bounds = consumer.bounds(topic, i, kBenchBrokerTimeout);
      if (bounds.ok()) sum += static_cast<uint64_t>(bounds->high);
    }
    return sum;
  }

  cep::Status read_bare(KafkaBenchFigure::Reading& reading) {
    const OnOneCore core;
    auto consumer = make_consumer();
    if (!consumer.ok()) return consumer.error();
    for (int32_t i = 0; i < kLoadPartitions; ++i) {
      if (cep::Status status = (*consumer)->read_from(load(), i, 0); !status.ok()) return status;
    }
    ReadingClock clock;
    uint64_t count = 0;
    KafkaEvent event;
    for (const auto began = Steady::now(); count < figure_.events;) {
      if ((*consumer)->poll(100 * cep::kMillisecond, &event) && event.kind == KafkaEvent::Kind::kRecord) clock.note(++count);
      if (count == 0 && seconds_since(began) > kBenchPatience) return cep::Error{"unreachable", "no record comes"};
    }
    reading = clock.reading();
    return cep::ok_status();
  }

  KafkaSpec source(const std::string& stream, const std::string& topic) const {
    KafkaSpec spec;
    spec.name = stream;
    spec.client = options_.client;
    spec.stream = stream;
    spec.topics = {topic};
    spec.group = names_ + "weir";
    return spec;
  }

  // The server, until it has read the full topic.
  cep::Status serve() {
    const OnOneCore core;
    ServeFlags flags;
    flags.listen = "127.0.0.1:0";
    flags.data = directory_;
    flags.shards = 1;
    flags.rules = {directory_ + ".weir"};
    const std::string rules = twenty_rules_text("1 second") + bench_signal_rule();
    if (cep::Status written = write_whole_file(flags.rules[0], rules); !written.ok()) return written;
    cep::Result<ServeOptions> options = load_serve_options(flags, [](const std::string&) { return std::nullopt; });
    if (!options.ok()) return options.error();
    options->kafka = {source("tx", load()), source("signals", signals())};
    SinkSpec sink;
    sink.name = "alerts";
    sink.type = "kafka";
    sink.topic = alerts();
    sink.kafka = options_.client;
    sink.source = SinkSource::kFile;
    options->sinks = {sink};
    cep::Result<std::unique_ptr<App>> app = App::start(*options, log_);
    std::error_code ignored;
    std::filesystem::remove(flags.rules[0], ignored);
    if (!app.ok()) return app.error();
    app_ = std::move(*app);
    return read_all();
  }

  cep::Status read_all() {
    auto client = ApiClient::create(fmt::format("http://127.0.0.1:{}", app_->port()));
    if (!client.ok()) return client.error();
    ReadingClock clock;
    for (auto moved = Steady::now(); clock.last() < figure_.events;) {
      const cep::Result<ApiResponse> answer = (*client)->send({"GET", "/v1/streams/tx", "", {}});
      if (!answer.ok()) return answer.error();
      const uint64_t before = clock.last();
      clock.note(number_of(json_member(answer->body, "accepted")));
      if (clock.last() != before) moved = Steady::now();
      if (seconds_since(moved) > kBenchPatience) return cep::Error{"refused", "Weir does not read the topic to its end: " + answer->body};
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    figure_.weir = clock.reading();
    auto consumer = make_consumer();
    if (!consumer.ok()) return consumer.error();
    for (uint64_t count = end_of(**consumer, alerts(), 1), before = count + 1; count != before;) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      before = count;
      figure_.alerts = count = end_of(**consumer, alerts(), 1);
    }
    return cep::ok_status();
  }

  static uint64_t number_of(std::string_view text) {
    uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  cep::Status take_latency() {
    std::atomic<bool> over{false};
    auto consumer = make_consumer();
    if (!consumer.ok()) return consumer.error();
    const uint64_t from = end_of(**consumer, alerts(), 1);
    if (cep::Status begun = (*consumer)->read_from(alerts(), 0, static_cast<int64_t>(from)); !begun.ok()) return begun;
    std::thread reader([&] { read_alerts(**consumer, over); });
    std::this_thread::sleep_for(std::chrono::seconds(1));      // it is connected
    const cep::Status sent = send_paced();
    std::this_thread::sleep_for(std::chrono::seconds(2));      // the last alerts may come
    over = true;
    reader.join();
    if (!sent.ok()) return sent;
    const std::lock_guard lock(mutex_);
    figure_.latency = latency_figure_of(latencies_us_);
    if (latencies_us_.empty()) return cep::Error{"refused", "no alert came to the alert topic"};
    return cep::ok_status();
  }

  void read_alerts(KafkaConsumer& consumer, const std::atomic<bool>& over) {
    KafkaEvent event;
    while (!over) {
      if (!consumer.poll(20 * cep::kMillisecond, &event) || event.kind != KafkaEvent::Kind::kRecord || !event.value) continue;
      const auto now = Steady::now();
      const std::string card = json_text(json_member(*event.value, "message"));
      const std::lock_guard lock(mutex_);
      const auto sent = sent_.find(card);
      if (sent != sent_.end()) latencies_us_.push_back(std::chrono::duration<double, std::micro>(now - sent->second).count());
    }
  }

  // Every 10 ms the load of a hundredth second, then one event that alerts.
  cep::Status send_paced() {
    constexpr auto kEvery = std::chrono::milliseconds(10);
    auto producer = KafkaProducer::create(producing_, nullptr);
    if (!producer.ok()) return producer.error();
    std::mt19937_64 random(2);
    const auto lines = static_cast<uint32_t>(std::max(1.0, options_.rate / 100)) - 1;
    const auto began = Steady::now();
    uint64_t events = 0;
    for (; seconds_since(began) < options_.seconds; ++figure_.signals) {
      if (cep::Status sent = send(**producer, load(), bench_events(random, lines)); !sent.ok()) return sent;
      const std::string card = fmt::format("signal{}", figure_.signals);
      {
        const std::lock_guard lock(mutex_);
        sent_[card] = Steady::now();
      }
      const cep::Status sent =
          send(**producer, signals(), fmt::format(R"({{"card":"{}","at":{}}})", card, wall_clock_us() / cep::kMillisecond));
      if (!sent.ok()) return sent;
      events += lines + 1;
      std::this_thread::sleep_until(began + kEvery * (figure_.signals + 1));
    }
    figure_.paced_events_per_s = static_cast<double>(events) / seconds_since(began);
    std::vector<KafkaReport> reports;
    while (reports.size() < events && seconds_since(began) < options_.seconds + 2) (*producer)->poll(100 * cep::kMillisecond, reports);
    return cep::ok_status();
  }

  const std::string directory_;
  const KafkaBenchOptions options_;
  const std::string names_;      // how those of its topics and groups begin
  KafkaOptions producing_;
  const ServiceLog log_{"error", false};
  std::unique_ptr<App> app_;
  KafkaBenchFigure figure_;
  std::mutex mutex_;  // guards the two below
  std::map<std::string, Steady::time_point> sent_;
  std::vector<double> latencies_us_;
};

}  // namespace

cep::Result<KafkaBenchFigure> measure_kafka(const std::string& directory, const KafkaBenchOptions& options) {
  cep::Result<KafkaBenchFigure> figure = KafkaBench(directory, options).run();
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return figure;
}

}  // namespace service
