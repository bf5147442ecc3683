#include "service/app.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "service/cli.h"

namespace service {
namespace {

void log_reload(const ServiceLog& log, const ReloadResult& result) {
  for (const std::string& orphan : result.orphans) {
    log.warning("statement is no longer on disk and stays in force", {{"statement", orphan}});
  }
  if (!result.status.ok()) {
    log.error("rules not applied", {{"code", result.status.error().code}, {"error", result.status.error().message}});
  } else if (!result.ok) {
    log.error("rules not applied", {{"diagnostics", result.diagnostics_text}});
  } else {
    log.info("rules applied", {{"applied", std::to_string(result.applied.size())},
                               {"unchanged", std::to_string(result.unchanged.size())}});
  }
}

}  // namespace

cep::TimeUs wall_clock_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

cep::Result<std::unique_ptr<App>> App::start(const ServeOptions& options, const ServiceLog& log) {
  std::unique_ptr<App> app(new App(options, log));
  if (cep::Status opened = app->open_remote(); !opened) return opened.error();
  if (cep::Status opened = app->open_lane(); !opened) return opened.error();
  if (cep::Status started = app->start_delivery(); !started) return started.error();
  if (cep::Status sent = app->start_kafka_sinks(); !sent) return sent.error();      // begins behind what is there: before anything comes
  if (cep::Status applied = app->apply_rules(); !applied) return applied.error();
  if (cep::Status read = app->start_kafka(); !read) return read.error();
  if (cep::Status served = app->start_http(); !served) return served.error();
  return app;
}

App::~App() { stop(); }

cep::Status App::open_remote() {
  if (options_.remote.url.empty()) return cep::ok_status();
  cep::Result<std::unique_ptr<RemoteCheckpoints>> remote = RemoteCheckpoints::open(options_.remote, wall_clock_us, log_);
  if (!remote) return remote.error();
  remote_ = std::move(*remote);
  return cep::ok_status();
}

cep::Status App::open_lane() {
  LaneOptions lane;
  lane.data_dir = options_.data;
  lane.log_root = options_.log_dir;
  lane.shards = options_.shards;
  lane.sequencer = options_.sequencer;
  lane.retention = options_.retention;
  lane.intake = options_.intake;
  lane.decisions = options_.decisions;
  lane.on_intake_change = [this](const IntakeStall* stall) {
    if (stall == nullptr) return log_.info("events are taken again");
    log_.warning("no events are taken until there is room", {{"code", stall->code}, {"error", stall->cause}});
  };
  if (remote_ != nullptr) lane.may_start = [this](const state::LocalPlace& place) { return remote_->claim(options_.data, place); };
  std::vector<std::string> notes;
  cep::Result<std::unique_ptr<Lane>> opened = Lane::open(std::move(lane), wall_clock_us, notes);
  for (const std::string& note : notes) log_.warning("recovery", {{"note", note}});
  if (!opened) return opened.error();
  lane_ = std::move(*opened);
  log_.info("recovered", {{"data", options_.data},
                          {"log_end", std::to_string(lane_->sequencer().numbers().log_end.load())},
                          {"took_ms", std::to_string(lane_->recovery_us() / cep::kMillisecond)}});
  return cep::ok_status();
}

cep::Status App::start_delivery() {
  cep::Result<std::unique_ptr<state::AdminStore>> admin = state::AdminStore::open(lane_->files(), options_.data);
  if (!admin) return admin.error();
  admin_ = std::move(*admin);
  cep::Result<std::unique_ptr<SinkRegistry>> sinks = SinkRegistry::open(*admin_, options_.sinks);
  if (!sinks) return sinks.error();
  sinks_ = std::move(*sinks);
  lane_->know_sinks([this] { return sinks_->names(); });
  HttpClientOptions egress;
  egress.policy = EgressPolicy(options_.allow_cidrs);
  egress.timeout_us = options_.delivery_timeout_us;
  egress.user_agent = "weir/" + std::string(kVersion);
  cep::Result<std::unique_ptr<HttpClient>> client = HttpClient::create(std::move(egress));
  if (!client) return client.error();
  http_client_ = std::move(*client);
  delivery_store_ = std::make_unique<LaneDeliveryStore>(*lane_);
  delivery_ = std::make_unique<DeliveryThread>(options_.delivery, *delivery_store_, *http_client_, wall_clock_us,
                                               [this](const DeliveryEvent& event) { tell(event); });
  return sinks_->add_all_to(delivery_->engine());
}

cep::Status App::start_kafka_sinks() {
  auto log = [this](int level, std::string_view text) {
    if (level <= kKafkaWarning) log_.warning("kafka", {{"text", std::string(text)}});
  };
  cep::Result<std::unique_ptr<KafkaSinks>> sinks =
      KafkaSinks::start(*sinks_, *lane_, wall_clock_us, [this](const DeliveryEvent& event) { tell(event); }, log);
  if (!sinks) return sinks.error();
  kafka_sinks_ = std::move(*sinks);
  return cep::ok_status();
}

cep::Status App::apply_rules() {
  if (options_.rules.empty()) return cep::ok_status();
  rules_dir_ = std::make_unique<RulesDir>(*lane_, *admin_, options_.rules);
  const ReloadResult result = rules_dir_->apply_and_wait();
  log_reload(log_, result);
  if (result.status.ok() && result.ok) return cep::ok_status();
  if (result.status.ok()) return cep::Error{"bad_rules", result.diagnostics_text};
  const cep::Error& error = result.status.error();
  return cep::Error{error.code == "not_found" ? "bad_rules" : error.code, error.message};
}

cep::Status App::start_kafka() {
  cep::Result<std::unique_ptr<KafkaSources>> sources = KafkaSources::start(options_.kafka, *lane_, wall_clock_us, log_);
  if (!sources) return sources.error();
  kafka_ = std::move(*sources);
  return cep::ok_status();
}

cep::Status App::start_http() {
  metrics_ = std::make_unique<Metrics>(std::string(kVersion));
  BackendOptions backend;
  backend.clock = wall_clock_us;
  backend.sender = http_client_.get();
  backend.rules_dir = rules_dir_.get();
  backend.delivery = options_.delivery;
  backend.http = options_.http;
  backend.kafka = kafka_.get();
  backend.kafka_sinks = kafka_sinks_.get();
  backend.remote = remote_.get();
  backend_ = std::make_unique<Backend>(*lane_, *delivery_, *sinks_, *metrics_, backend);
  delivery_->start();
  kafka_sinks_->notify();      // of what was stored before the backend told them
  delivery_runs_ = true;
  cep::Result<std::unique_ptr<api::HttpServer>> server = api::HttpServer::start(options_.http, *backend_);
  if (!server) return server.error();
  server_ = std::move(*server);
  if (remote_ != nullptr) remote_->start(*lane_, *admin_);
  for (uint32_t i = 0; i < options_.io_threads; ++i) io_threads_.emplace_back([this] { server_->run(); });
  return cep::ok_status();
}

void App::tell(const DeliveryEvent& event) const {
  log_.warning(event.name, {{"sink", event.sink},
                            {"sequence", std::to_string(event.sequence)},
                            {"count", std::to_string(event.count)},
                            {"detail", event.detail}});
}

void App::reload() {
  if (rules_dir_ == nullptr) {
    log_.warning("nothing to reload: started without --rules");
    return;
  }
  rules_dir_->apply([this](const ReloadResult& result) { log_reload(log_, result); });
}

// Delivery stores its cursors through the lane's store thread, so it ends before the lane does; what it may still send
// is stored by then.
namespace {

// A drain that cannot end, because the disk is full or does not answer, is given up: what was acknowledged is on the disk already, and
// a start recovers it as after any crash.
class DrainLimit {
 public:
  static constexpr std::chrono::seconds kSayAfter{10}, kGiveUpAfter{60};

  explicit DrainLimit(const ServiceLog& log) : thread_([this, &log] { watch(log); }) {}
  ~DrainLimit() {
    {
      std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // Everything local is on the disk: what is waited for from here on is the remote place.
  void local_is_sealed(bool is) { is_sealed_ = is; }

 private:
  void watch(const ServiceLog& log) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, kSayAfter, [&] { return done_; })) return;
    log.warning("still stopping: waiting for the disk or for requests", {{"gives_up_after_s", "60"}});
    if (changed_.wait_for(lock, kGiveUpAfter - kSayAfter, [&] { return done_; })) return;
    if (is_sealed_) {
      log.error("stopped without a last remote checkpoint: the remote place does not answer; the local one is sealed", {});
      std::_Exit(0);
    }
    log.error("stopped without a last checkpoint: the disk is full or does not answer", {});
    std::_Exit(1);
  }

  std::atomic<bool> is_sealed_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace

void App::stop() {
  DrainLimit limit(log_);
  if (backend_ != nullptr) backend_->set_draining();
  if (server_ != nullptr) server_->drain();
  for (std::thread& thread : io_threads_) thread.join();
  io_threads_.clear();
  if (kafka_ != nullptr) kafka_->stop();
  if (lane_ != nullptr) lane_->settle(true);
  if (delivery_runs_) {
    delivery_runs_ = false;
    const cep::Status stored = delivery_->stop();
    if (!stored)
      log_.warning("delivery positions not stored: some alerts will be sent again",
                   {{"error", stored.error().message}});
  }
  if (kafka_sinks_ != nullptr) {
    const cep::Status stored = kafka_sinks_->stop(options_.delivery.stop_grace_us);
    if (!stored) log_.warning("delivery positions not stored: some alerts will be sent again", {{"error", stored.error().message}});
  }
  if (http_client_ != nullptr) http_client_->stop();
  if (remote_ != nullptr) {
    limit.local_is_sealed(true);
    remote_->stop();             // once more: what was delivered is in the copy
    limit.local_is_sealed(false);
  }
  if (lane_ != nullptr) lane_->close();
}

}  // namespace service
