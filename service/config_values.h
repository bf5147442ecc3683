// Values of a configuration that are more than their type: secrets, which stand in a file or a variable; one text or several; what a
// section about Kafka has. Errors are values whose message names the key; the caller adds file and line. No message repeats a secret.
// Threads: plain functions.
#pragma once

#include <string>

#include "service/config_file.h"
#include "service/kafka_source.h"
#include "service/options.h"

namespace service {

// What <..>_file or <..>_env names. `path`: of the configuration, beside which a relative file lies. Error: bad_config.
cep::Result<std::string> read_secret(const std::string& key, const std::string& text, const std::string& path,
                                     const Environment& environment);

// brokers, properties, password_file, password_env: false, and nothing done, if the key is none of these.
cep::Result<bool> set_kafka_key(const ConfigEntry& entry, const std::string& path, const Environment& environment, KafkaOptions& options);

// A [[kafka]] section, checked. Error: bad_config, with file and line.
cep::Result<KafkaSpec> read_kafka_section(const ConfigSection& section, const std::string& path, const Environment& environment);

}  // namespace service
