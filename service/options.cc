#include "service/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <thread>

#include "patterns/diagnostic.h"
#include "service/config_values.h"
#include "service/delivery.h"
#include "service/rule_files.h"

namespace service {
namespace {

cep::Error refuse(const std::string& what) { return {"bad_option", what}; }

class ConfigReader {
 public:
  ConfigReader(const ConfigFile& file, const Environment& environment, ServeOptions& options)
      : file_(file), environment_(environment), options_(options) {}

  cep::Status read() {
    for (const ConfigSection& section : file_.sections) {
      const cep::Status status = section.name == "sinks"   ? read_sink(section)
                                 : section.name == "kafka" ? read_kafka(section)
                                                           : read_section(section);
      if (!status) return status;
    }
    return cep::ok_status();
  }

 private:
  cep::Error at(int line, const std::string& what) const {
    return {"bad_config", fmt::format("{}:{}: {}", file_.path, line, what)};
  }
  cep::Error unknown(int line, const std::string& what, const std::string& word,
                     const std::vector<std::string>& known) const {
    const std::string hint = patterns::did_you_mean(word, known);
    return at(line, fmt::format("unknown {} `{}`{}{}", what, word, hint.empty() ? "" : "; ", hint));
  }

  cep::Status read_section(const ConfigSection& section) {
    std::vector<std::string> names = {"sinks", "kafka"};
    std::vector<std::string> keys;
    for (const Setting& setting : settings()) {
      names.emplace_back(setting.section);
      if (section.name == setting.section) keys.emplace_back(setting.key);
    }
    if (keys.empty()) return unknown(section.line, "section", section.name, names);
    if (section.repeated) return at(section.line, fmt::format("write [{}], there is only one", section.name));
    for (const ConfigEntry& entry : section.entries) {
      const auto setting = std::find_if(settings().begin(), settings().end(), [&](const Setting& one) {
        return section.name == one.section && entry.key == one.key;
      });
      if (setting == settings().end())
        return unknown(entry.line, fmt::format("key of [{}]", section.name), entry.key, keys);
      const cep::Status status = apply_setting(*setting, entry.value, options_);
      if (!status) return at(entry.line, status.error().message);
    }
    return cep::ok_status();
  }

  cep::Status read_kafka(const ConfigSection& section) {
    cep::Result<KafkaSpec> spec = read_kafka_section(section, file_.path, environment_);
    if (!spec) return spec.error();
    for (const KafkaSpec& other : options_.kafka) {
      if (other.name == spec->name) return at(section.line, fmt::format("[[kafka]] {} is there twice", spec->name));
    }
    options_.kafka.push_back(std::move(*spec));
    return cep::ok_status();
  }

  cep::Status read_sink(const ConfigSection& section) {
    if (!section.repeated) return at(section.line, "write [[sinks]], a section for each sink");
    SinkSpec spec;
    spec.source = SinkSource::kFile;
    for (const ConfigEntry& entry : section.entries) {
      if (cep::Status status = read_sink_key(entry, spec); !status) return status;
    }
    const cep::Result<Sink> sink = make_sink(spec);
    if (!sink) return at(section.line, sink.error().message);
    for (const SinkSpec& other : options_.sinks) {
      if (other.name == spec.name) return at(section.line, fmt::format("sink {} is there twice", spec.name));
    }
    options_.sinks.push_back(std::move(spec));
    return cep::ok_status();
  }

  cep::Status read_sink_key(const ConfigEntry& entry, SinkSpec& spec) {
    static const std::vector<std::string> kKeys = {"name",         "type",     "url",     "secret_file", "secret_env",
                                                   "headers",      "rules",    "brokers", "topic",       "severity_min",
                                                   "properties",   "disabled", "password_file", "password_env"};
    if (entry.key == "secret" || entry.key == "secrets") {
      return at(
          entry.line,
          "a secret does not stand in the configuration; name a file with secret_file or a variable with secret_env");
    }
    if (std::find(kKeys.begin(), kKeys.end(), entry.key) == kKeys.end()) {
      return unknown(entry.line, "key of [[sinks]]", entry.key, kKeys);
    }
    const cep::Result<bool> done = set_kafka_key(entry, file_.path, environment_, spec.kafka);
    if (!done) return at(entry.line, done.error().message);
    if (*done) return cep::ok_status();
    const auto* text = std::get_if<std::string>(&entry.value);
    const auto* texts = std::get_if<ConfigTexts>(&entry.value);
    const auto* pairs = std::get_if<ConfigPairs>(&entry.value);
    const auto* flag = std::get_if<bool>(&entry.value);
    if (entry.key == "rules" && texts != nullptr) {
      spec.rules = *texts;
    } else if (entry.key == "headers" && pairs != nullptr) {
      for (const auto& [name, value] : *pairs) spec.headers.push_back({name, value});
    } else if (entry.key == "disabled" && flag != nullptr) {
      spec.disabled = *flag;
    } else if (text != nullptr && entry.key != "rules" && entry.key != "headers" && entry.key != "disabled") {
      return set_sink_text(entry, *text, spec);
    } else {
      return at(entry.line, fmt::format("sinks.{}: wrong type of value", entry.key));
    }
    return cep::ok_status();
  }

  cep::Status set_sink_text(const ConfigEntry& entry, const std::string& text, SinkSpec& spec) {
    if (entry.key == "name") spec.name = text;
    if (entry.key == "type") spec.type = text;
    if (entry.key == "url") spec.url = text;
    if (entry.key == "topic") spec.topic = text;
    if (entry.key == "severity_min") spec.severity_min = text;
    if (entry.key == "secret_env" || entry.key == "secret_file") {
      const cep::Result<std::string> value = read_secret(entry.key, text, file_.path, environment_);
      if (!value) return at(entry.line, value.error().message);
      for (std::string& secret : split_secrets(*value)) spec.secrets.push_back(std::move(secret));
    }
    return cep::ok_status();
  }

  const ConfigFile& file_;
  const Environment& environment_;
  ServeOptions& options_;
};

cep::Status apply_environment(const Environment& environment, ServeOptions& options) {
  for (const Setting& setting : settings()) {
    const std::optional<std::string> value = environment(setting.environment_name());
    if (!value) continue;
    const cep::Status status = apply_setting_text(setting, *value, options);
    if (!status) return refuse(setting.environment_name() + ": " + status.error().message);
  }
  return cep::ok_status();
}

cep::Status apply_flag(const char* section, const char* key, const std::optional<std::string>& value,
                       ServeOptions& options) {
  if (!value) return cep::ok_status();
  for (const Setting& setting : settings()) {
    if (std::string_view(setting.section) == section && std::string_view(setting.key) == key) {
      return apply_setting_text(setting, *value, options);
    }
  }
  return refuse(fmt::format("there is no setting {}.{}", section, key));
}

cep::Status apply_flags(const ServeFlags& flags, ServeOptions& options) {
  const std::optional<std::string> shards = flags.shards ? std::optional(std::to_string(*flags.shards)) : std::nullopt;
  const std::pair<const char*, const std::optional<std::string>*> given[] = {
      {"listen", &flags.listen},         {"data", &flags.data},
      {"log_dir", &flags.log_dir},       {"log_level", &flags.log_level},
      {"log_format", &flags.log_format}, {"shards", &shards}};
  for (const auto& [key, value] : given) {
    if (cep::Status status = apply_flag("server", key, *value, options); !status) return status;
  }
  if (!flags.rules.empty()) options.rules = flags.rules;
  if (flags.insecure) options.insecure = true;
  return cep::ok_status();
}

cep::Status finish(ServeOptions& options) {
  if (options.shards == 0) {
    const uint32_t cores = std::thread::hardware_concurrency();
    options.shards = std::clamp<uint32_t>(cores > 1 ? cores - 1 : 1, 1, kShardsMax);
  }
  const cep::Result<ListenAddress> address = parse_listen(options.listen);
  if (!address) return address.error();
  if (!address->is_loopback && !options.insecure) {
    return refuse(fmt::format(
        "--listen {} can be reached from other machines, and this version has neither authentication nor TLS: "
        "listen on 127.0.0.1 behind a proxy that has both, or add --insecure if the network is yours alone",
        options.listen));
  }
  options.http.address = address->host;
  options.http.port = address->port;
  return check_delivery_options(options.delivery);
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

cep::Result<ServeOptions> load_serve_options(const ServeFlags& flags, const Environment& environment) {
  ServeOptions options;
  if (!flags.config.empty()) {
    const cep::Result<std::string> text = read_whole_file(flags.config);
    if (!text) return text.error();
    const cep::Result<ConfigFile> file = parse_config(*text, flags.config);
    if (!file) return file.error();
    if (cep::Status status = ConfigReader(*file, environment, options).read(); !status) return status.error();
  }
  if (cep::Status status = apply_environment(environment, options); !status) return status.error();
  if (cep::Status status = apply_flags(flags, options); !status) return status.error();
  if (cep::Status status = finish(options); !status) return status.error();
  return options;
}

cep::Result<ListenAddress> parse_listen(const std::string& text) {
  const cep::Error wrong = refuse("listen: `" + text + "` is not ADDRESS:PORT, as 127.0.0.1:8484 or [::1]:8484");
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong;
  ListenAddress result;
  result.host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (port.empty() || problem != std::errc() || end != port.data() + port.size()) return wrong;
  if (result.host == "localhost") result.host = "127.0.0.1";
  const bool bracketed = result.host.size() > 2 && result.host.front() == '[' && result.host.back() == ']';
  if (bracketed) result.host = result.host.substr(1, result.host.size() - 2);
  const std::optional<NetworkAddress> address = parse_address(result.host);
  if (!address || bracketed != (result.host.find(':') != std::string::npos)) return wrong;
  std::array<uint8_t, 16> v6_loopback{};
  v6_loopback[15] = 1;
  result.is_loopback = address->v4 ? address->bytes[0] == 127 : address->bytes == v6_loopback;
  return result;
}

}  // namespace service
