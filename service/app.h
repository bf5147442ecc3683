// The serving process without its command line: builds lane, sinks, delivery, backend and HTTP server in this order,
// and stops them in the order that loses nothing (mechanisms of stopping: not ready, no new connections, requests
// finish, log and shards drain, checkpoint, sinks finish what is in flight, the rest). Invariant: when start() answers,
// the rules directories are in force and requests are served; when stop() returns, everything that was acknowledged is
// processed and sealed in a checkpoint. Threads: start, stop and reload on one thread, the owner's.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/http_server.h"
#include "service/backend.h"
#include "service/delivery_adapter.h"
#include "service/kafka_source.h"
#include "service/options.h"
#include "service/service_log.h"
#include "service/sink_kafka.h"

namespace service {

class App {
 public:
  // Errors: bad_rules (the message holds the diagnostics), those of Lane::open, bad_address, cannot_listen, and those
  // of the sinks. `log` outlives the app.
  static cep::Result<std::unique_ptr<App>> start(const ServeOptions& options, const ServiceLog& log);
  ~App();  // as stop()
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  uint16_t port() const { return server_->port(); }
  // Applies the rules directories again in the background; what came of it is logged.
  void reload();
  void stop();

 private:
  App(const ServeOptions& options, const ServiceLog& log) : options_(options), log_(log) {}
  cep::Status open_remote();
  cep::Status open_lane();
  cep::Status start_delivery();
  cep::Status apply_rules();
  cep::Status start_http();
  cep::Status start_kafka();
  cep::Status start_kafka_sinks();
  void tell(const DeliveryEvent& event) const;

  const ServeOptions options_;
  const ServiceLog& log_;
  std::unique_ptr<RemoteCheckpoints> remote_;  // null: none are configured
  std::unique_ptr<Lane> lane_;
  std::unique_ptr<state::AdminStore> admin_;
  std::unique_ptr<SinkRegistry> sinks_;
  std::unique_ptr<HttpClient> http_client_;
  std::unique_ptr<LaneDeliveryStore> delivery_store_;
  std::unique_ptr<DeliveryThread> delivery_;
  std::unique_ptr<RulesDir> rules_dir_;  // null: no directories were given
  std::unique_ptr<Metrics> metrics_;
  std::unique_ptr<KafkaSources> kafka_;
  std::unique_ptr<KafkaSinks> kafka_sinks_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<api::HttpServer> server_;
  std::vector<std::thread> io_threads_;
  bool delivery_runs_ = false;
};

// The wall clock in microseconds since 1970.
cep::TimeUs wall_clock_us();

}  // namespace service
