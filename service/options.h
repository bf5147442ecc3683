// What `weir serve` is told: flags, environment, configuration file, defaults, in this order of precedence, in one
// struct with every limit. One table of settings (options_table.cc) names each, so that the file, WEIR_<SECTION>_<KEY>
// and did-you-mean agree. Secrets come from files or the environment, never from the configuration itself, and no error
// repeats one. Threads: plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/http_server.h"
#include "cep/limits.h"
#include "cep/result.h"
#include "service/config_file.h"
#include "service/egress_policy.h"
#include "service/kafka_source.h"
#include "service/remote_checkpoints.h"
#include "service/sequencer.h"
#include "service/sink_delivery.h"
#include "service/sinks.h"
#include "service/decision.h"
#include "service/store.h"

namespace service {

inline constexpr uint32_t kShardsMax = 64;

struct ServeOptions {
  std::string listen = "127.0.0.1:8484";
  std::string data = "./weir-data";
  std::string log_dir;      // empty: inside `data`
  uint32_t shards = 0;      // load_serve_options: cores - 1, at least 1
  uint32_t io_threads = 1;  // that read and answer HTTP
  bool insecure = false;
  std::string log_level = "info";  // debug info warning error
  bool log_json = false;
  std::vector<std::string> rules;  // directories and files
  SequencerOptions sequencer;      // with cep::Limits
  RetentionOptions retention;
  RemoteOptions remote;
  IntakeOptions intake;
  DecisionOptions decisions;
  api::HttpServerOptions http;  // address and port come from `listen`
  DeliveryOptions delivery;
  cep::DurationUs delivery_timeout_us = 15 * cep::kSecond;
  std::vector<Cidr> allow_cidrs;
  std::vector<SinkSpec> sinks;  // checked: make_sink takes each
  std::vector<KafkaSpec> kafka;  // checked, names distinct
};

// What the command line said; unset: not said.
struct ServeFlags {
  std::string config;
  std::optional<std::string> listen, data, log_dir, log_level, log_format;
  std::optional<uint32_t> shards;
  std::vector<std::string> rules;
  bool insecure = false;
};

// Looks up an environment variable; nothing if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

// Everything checked, addresses and secrets included. Errors: bad_config, bad_option, not_found, io_error, those of
// make_sink and check_delivery_options; each is exit status 3.
cep::Result<ServeOptions> load_serve_options(const ServeFlags& flags, const Environment& environment);

struct ListenAddress {
  std::string host;  // an address, IPv6 without brackets
  uint16_t port = 0;
  bool is_loopback = false;
};
// "127.0.0.1:8484", "[::1]:8484", "localhost:8484"; port 0: any free one. Error: bad_option.
cep::Result<ListenAddress> parse_listen(const std::string& text);

// --- The table of settings

// "250 ms", "15 s", "7 days", "1 hour 30 minutes" is not one. False: not a duration.
bool parse_span(std::string_view text, cep::DurationUs* out);

struct Setting {
  enum class Kind : uint8_t { kText, kInteger, kFlag, kSpan, kTexts };
  const char* section;
  const char* key;
  Kind kind;
  int64_t least = 0, most = 0;  // kInteger, kSpan (microseconds)
  // One of the two is set: numbers and flags (0, 1) and spans, or texts.
  void (*set_number)(ServeOptions&, int64_t) = nullptr;
  cep::Status (*set_texts)(ServeOptions&, const std::vector<std::string>&) = nullptr;

  // WEIR_SERVER_LISTEN; texts are separated by commas there.
  std::string environment_name() const;
};
const std::vector<Setting>& settings();
// Checks kind and range, then sets. The Error's message begins with the setting's name.
cep::Status apply_setting(const Setting& setting, const ConfigValue& value, ServeOptions& options);
cep::Status apply_setting_text(const Setting& setting, const std::string& text, ServeOptions& options);
// A limit of the engine by the name it has in [limits]: for what runs without a configuration. Error: bad_option, with the names.
cep::Status apply_engine_limit(const std::string& name, const std::string& value, cep::Limits& limits);

}  // namespace service
