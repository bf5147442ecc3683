// The log of the process: one line an event on the standard error, as text or JSON. Values are escaped, so that nothing
// that came from outside can start a line of its own; bodies of events and secrets are never given to it. Threads: any.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace service {

struct LogField {
  std::string_view name;
  std::string value;
};

class ServiceLog {
 public:
  using Fields = std::initializer_list<LogField>;

  // `level`: debug, info, warning or error; less important lines are dropped.
  ServiceLog(std::string_view level, bool json);
  ~ServiceLog();

  // `event`: a few constant words, "checkpoint sealed".
  void debug(std::string_view event, Fields fields = {}) const;
  void info(std::string_view event, Fields fields = {}) const;
  void warning(std::string_view event, Fields fields = {}) const;
  void error(std::string_view event, Fields fields = {}) const;

 private:
  void write(int level, std::string_view event, Fields fields) const;

  bool json_;
  std::unique_ptr<spdlog::logger> logger_;
};

// The part of a line after time and level: `event name=value ..`, or members of a JSON object.
std::string log_text(std::string_view event, ServiceLog::Fields fields);
std::string log_members(std::string_view event, ServiceLog::Fields fields);

}  // namespace service
