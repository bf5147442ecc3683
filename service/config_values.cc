// See config_values.h. Test: tests/unit/service/options_test.cc.
#include "service/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "patterns/diagnostic.h"
#include "service/rule_files.h"

namespace service {
namespace {

cep::Error wrong_kafka_type(const std::string& key, const char* wanted) {
  return {"bad_config", fmt::format("kafka.{}: must be {}", key, wanted)};
}

// A text, or an array of them.
cep::Status read_kafka_texts(const ConfigEntry& entry, ConfigTexts& texts) {
  if (const auto* text = std::get_if<std::string>(&entry.value)) {
    texts = {*text};
  } else if (const auto* several = std::get_if<ConfigTexts>(&entry.value)) {
    texts = *several;
  } else {
    return wrong_kafka_type(entry.key, "a text or an array of texts");
  }
  return cep::ok_status();
}

cep::Status read_kafka_choice(const ConfigEntry& entry, const std::string& text, const char* first, const char* second, bool& is_second) {
  is_second = text == second;
  if (text == first || is_second) return cep::ok_status();
  return cep::Error{"bad_config", fmt::format("kafka.{}: must be {} or {}", entry.key, first, second)};
}

cep::Status set_kafka_text(const ConfigEntry& entry, const std::string& text, KafkaSpec& spec) {
  if (entry.key == "name") spec.name = text;
  if (entry.key == "stream") spec.stream = text;
  if (entry.key == "group") spec.group = text;
  if (entry.key == "format") return read_kafka_choice(entry, text, "json", "cloudevents", spec.cloud_events);
  if (entry.key == "start") return read_kafka_choice(entry, text, "earliest", "latest", spec.from_latest);
  if (entry.key == "on_loss") return read_kafka_choice(entry, text, "stop", "skip", spec.skips_lost);
  return cep::ok_status();
}

cep::Status set_kafka_source_key(const ConfigEntry& entry, const std::string& path, const Environment& environment, KafkaSpec& spec) {
  static const std::vector<std::string> kKeys = {"name",  "brokers", "stream", "topics",     "format",        "start",
                                                 "group", "on_loss", "topic",  "properties", "password_file", "password_env"};
  if (std::find(kKeys.begin(), kKeys.end(), entry.key) == kKeys.end()) {
    const std::string hint = patterns::did_you_mean(entry.key, kKeys);
    return cep::Error{"bad_config", fmt::format("unknown key of [[kafka]] `{}`{}{}", entry.key, hint.empty() ? "" : "; ", hint)};
  }
  const cep::Result<bool> done = set_kafka_key(entry, path, environment, spec.client);
  if (!done) return done.error();
  if (*done) return cep::ok_status();
  if (entry.key == "topics" || entry.key == "topic") return read_kafka_texts(entry, spec.topics);
  const auto* text = std::get_if<std::string>(&entry.value);
  return text != nullptr ? set_kafka_text(entry, *text, spec) : cep::Status(wrong_kafka_type(entry.key, "a text"));
}

}  // namespace

cep::Result<std::string> read_secret(const std::string& key, const std::string& text, const std::string& path,
                                     const Environment& environment) {
  if (key.ends_with("_env")) {
    std::optional<std::string> value = environment(text);
    if (!value) return cep::Error{"bad_config", fmt::format("{}: the variable {} is not set", key, text)};
    return std::move(*value);
  }
  const std::filesystem::path beside = std::filesystem::path(path).parent_path() / text;  // an absolute path stays
  cep::Result<std::string> value = read_whole_file(beside.string());
  if (!value) return cep::Error{"bad_config", key + ": " + value.error().message};
  return value;
}

cep::Result<bool> set_kafka_key(const ConfigEntry& entry, const std::string& path, const Environment& environment, KafkaOptions& options) {
  if (entry.key == "brokers") {
    ConfigTexts brokers;
    if (cep::Status status = read_kafka_texts(entry, brokers); !status) return status.error();
    options.brokers = fmt::format("{}", fmt::join(brokers, ","));
    return true;
  }
  if (entry.key == "properties") {
    const auto* pairs = std::get_if<ConfigPairs>(&entry.value);
    if (pairs == nullptr) return wrong_kafka_type(entry.key, "a table of texts");
    if (cep::Status status = check_kafka_properties(*pairs); !status) return status.error();
    options.properties.insert(options.properties.end(), pairs->begin(), pairs->end());
    return true;
  }
  if (entry.key != "password_file" && entry.key != "password_env") return false;
  const auto* text = std::get_if<std::string>(&entry.value);
  if (text == nullptr) return wrong_kafka_type(entry.key, "a text");
  cep::Result<std::string> password = read_secret(entry.key, *text, path, environment);
  if (!password) return password.error();
  while (!password->empty() && (password->back() == '\n' || password->back() == '\r')) password->pop_back();
  options.properties.emplace_back("sasl.password", std::move(*password));
  return true;
}

cep::Result<KafkaSpec> read_kafka_section(const ConfigSection& section, const std::string& path, const Environment& environment) {
  const auto at = [&](int line, const std::string& what) { return cep::Error{"bad_config", fmt::format("{}:{}: {}", path, line, what)}; };
  if (!section.repeated) return at(section.line, "write [[kafka]], a section for each");
  KafkaSpec spec;
  for (const ConfigEntry& entry : section.entries) {
    if (cep::Status status = set_kafka_source_key(entry, path, environment, spec); !status) return at(entry.line, status.error().message);
  }
  if (cep::Status status = check_kafka_spec(spec); !status) return at(section.line, "[[kafka]] " + status.error().message);
  return spec;
}

}  // namespace service
