#include "service/service_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "api/json_writer.h"

namespace service {
namespace {

// Without quotes only what can be neither mistaken for a separator nor act on a terminal.
bool is_plain(std::string_view value) {
  return !value.empty() && std::all_of(value.begin(), value.end(),
                                       [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '=' && c != '\\'; });
}

}  // namespace

ServiceLog::ServiceLog(std::string_view level, bool json) : json_(json) {
  logger_ = std::make_unique<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const std::string pattern =
      json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})" : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
  logger_->set_pattern(pattern, spdlog::pattern_time_type::utc);
  logger_->set_level(spdlog::level::from_str(std::string(level)));
  logger_->flush_on(spdlog::level::trace);
}

ServiceLog::~ServiceLog() = default;

void ServiceLog::write(int level, std::string_view event, Fields fields) const {
  const auto severity = static_cast<spdlog::level::level_enum>(level);
  if (!logger_->should_log(severity)) return;
  logger_->log(severity, "{}", json_ ? log_members(event, fields) : log_text(event, fields));
}

void ServiceLog::debug(std::string_view event, Fields fields) const { write(spdlog::level::debug, event, fields); }
void ServiceLog::info(std::string_view event, Fields fields) const { write(spdlog::level::info, event, fields); }
void ServiceLog::warning(std::string_view event, Fields fields) const { write(spdlog::level::warn, event, fields); }
void ServiceLog::error(std::string_view event, Fields fields) const { write(spdlog::level::err, event, fields); }

std::string log_text(std::string_view event, ServiceLog::Fields fields) {
  std::string text(event);
  for (const LogField& field : fields) {
    text.append(" ").append(field.name).append("=");
    if (is_plain(field.value)) {
      text.append(field.value);
    } else {
      api::JsonWriter(text).string(field.value);
    }
  }
  return text;
}

std::string log_members(std::string_view event, ServiceLog::Fields fields) {
  std::string text = "{";
  api::JsonWriter json(text);
  json.field("event", event);
  for (const LogField& field : fields) json.field(field.name, field.value);
  return text.substr(1);
}

}  // namespace service
