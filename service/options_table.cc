// The table of settings of options.h: name, kind, range, and where the value goes. Threads: pure functions.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cep/parse.h"
#include "service/options.h"

namespace service {
namespace {

using Kind = Setting::Kind;
constexpr int64_t kCountMax = 1'000'000'000;
constexpr int64_t kBytesMax = int64_t{1} << 50;
constexpr int64_t kSpanMax = 3'650 * cep::kDay;

Setting number(const char* section, const char* key, int64_t least, int64_t most, void (*set)(ServeOptions&, int64_t)) {
  return {section, key, Kind::kInteger, least, most, set, nullptr};
}
Setting span(const char* section, const char* key, int64_t least, int64_t most, void (*set)(ServeOptions&, int64_t)) {
  return {section, key, Kind::kSpan, least, most, set, nullptr};
}
Setting text(const char* section, const char* key, cep::Status (*set)(ServeOptions&, const std::vector<std::string>&)) {
  return {section, key, Kind::kText, 0, 0, nullptr, set};
}
Setting texts(const char* section, const char* key,
              cep::Status (*set)(ServeOptions&, const std::vector<std::string>&)) {
  return {section, key, Kind::kTexts, 0, 0, nullptr, set};
}

cep::Error refuse(const std::string& what) { return {"bad_option", what}; }

using Texts = const std::vector<std::string>&;

cep::Status set_log_level(ServeOptions& options, Texts values) {
  for (const char* level : {"debug", "info", "warning", "error"}) {
    if (values[0] != level) continue;
    options.log_level = level;
    return cep::ok_status();
  }
  return refuse("`" + values[0] + "` is none of debug, info, warning, error");
}

cep::Status set_log_format(ServeOptions& options, Texts values) {
  if (values[0] != "text" && values[0] != "json") return refuse("`" + values[0] + "` is neither text nor json");
  options.log_json = values[0] == "json";
  return cep::ok_status();
}

cep::Status set_default_decision(ServeOptions& options, Texts values) {
  for (const cep::Decision decision : {cep::Decision::kAllow, cep::Decision::kReview, cep::Decision::kChallenge, cep::Decision::kBlock}) {
    if (values[0] != cep::decision_name(decision)) continue;
    options.decisions.otherwise = decision;
    return cep::ok_status();
  }
  return refuse("`" + values[0] + "` is none of allow, review, challenge, block");
}

cep::Status set_schedule(ServeOptions& options, Texts values) {
  std::vector<cep::DurationUs> schedule;
  for (const std::string& value : values) {
    cep::DurationUs wait = 0;
    if (!parse_span(value, &wait)) return refuse("`" + value + "` is no duration; write \"5 s\" or \"30 minutes\"");
    schedule.push_back(wait);
  }
  options.delivery.schedule = std::move(schedule);
  return cep::ok_status();
}

cep::Status set_cidrs(ServeOptions& options, Texts values) {
  std::vector<Cidr> cidrs;
  for (const std::string& value : values) {
    const cep::Result<Cidr> cidr = parse_cidr(value);
    if (!cidr) return refuse(cidr.error().message);
    cidrs.push_back(*cidr);
  }
  options.allow_cidrs = std::move(cidrs);
  return cep::ok_status();
}

void add_server(std::vector<Setting>& all) {
  all.push_back(text("server", "listen", [](ServeOptions& o, Texts v) {
    o.listen = v[0];
    return cep::ok_status();
  }));
  all.push_back(text("server", "data", [](ServeOptions& o, Texts v) {
    o.data = v[0];
    return cep::ok_status();
  }));
  all.push_back(text("server", "log_dir", [](ServeOptions& o, Texts v) {
    o.log_dir = v[0];
    return cep::ok_status();
  }));
  all.push_back(number("server", "shards", 1, kShardsMax,
                       [](ServeOptions& o, int64_t v) { o.shards = static_cast<uint32_t>(v); }));
  all.push_back(
      {"server", "insecure", Kind::kFlag, 0, 1, [](ServeOptions& o, int64_t v) { o.insecure = v != 0; }, nullptr});
  all.push_back(number("server", "io_threads", 1, 16,
                       [](ServeOptions& o, int64_t v) { o.io_threads = static_cast<uint32_t>(v); }));
  all.push_back(texts("server", "hosts", [](ServeOptions& o, Texts v) {
    o.http.hosts = v;
    return cep::ok_status();
  }));
  all.push_back(text("server", "log_level", set_log_level));
  all.push_back(text("server", "log_format", set_log_format));
  all.push_back(texts("rules", "dirs", [](ServeOptions& o, Texts v) {
    o.rules = v;
    return cep::ok_status();
  }));
}

void add_log_and_delivery(std::vector<Setting>& all) {
  all.push_back(
      span("log", "keep", cep::kMinute, kSpanMax, [](ServeOptions& o, int64_t v) { o.sequencer.log_keep_us = v; }));
  all.push_back(number("log", "keep_bytes", 1 << 20, kBytesMax,
                       [](ServeOptions& o, int64_t v) { o.sequencer.log_keep_bytes = static_cast<uint64_t>(v); }));
  all.push_back(span("log", "answer_within", 100 * cep::kMillisecond, cep::kHour,
                     [](ServeOptions& o, int64_t v) { o.intake.answer_within_us = v; }));
  all.push_back(span("log", "linger", 0, cep::kSecond, [](ServeOptions& o, int64_t v) { o.sequencer.linger_us = v; }));
  all.push_back(span("decisions", "timeout", cep::kMillisecond, cep::kMinute,
                     [](ServeOptions& o, int64_t v) { o.decisions.timeout_us = v; }));
  all.push_back(text("decisions", "default", set_default_decision));
  all.push_back(span("decisions", "keep", cep::kMinute, kSpanMax, [](ServeOptions& o, int64_t v) { o.retention.decisions_keep_us = v; }));
  all.push_back(number("decisions", "keep_bytes", 1 << 20, kBytesMax,
                       [](ServeOptions& o, int64_t v) { o.retention.decisions_keep_bytes = static_cast<uint64_t>(v); }));
  all.push_back(texts("delivery", "schedule", set_schedule));
  all.push_back(span("delivery", "timeout", 100 * cep::kMillisecond, 10 * cep::kMinute,
                     [](ServeOptions& o, int64_t v) { o.delivery_timeout_us = v; }));
  all.push_back(texts("delivery", "allow_cidrs", set_cidrs));
}

cep::Status set_remote_url(ServeOptions& options, Texts values) {
  options.remote.url = values[0];
  return state::check_store_url(options.remote.url);
}

void add_remote(std::vector<Setting>& all) {
  all.push_back(text("remote", "url", set_remote_url));
  all.push_back(span("remote", "interval", cep::kSecond, cep::kDay, [](ServeOptions& o, int64_t v) { o.remote.interval_us = v; }));
  all.push_back(number("remote", "keep", 1, 1'000, [](ServeOptions& o, int64_t v) { o.remote.keep.manifests = static_cast<uint32_t>(v); }));
  all.push_back(span("remote", "grace", cep::kSecond, 365 * cep::kDay, [](ServeOptions& o, int64_t v) { o.remote.keep.grace_us = v; }));
}

void add_engine_limits(std::vector<Setting>& all) {
#define WEIR_ENGINE_LIMIT(name, least, most)         \
  all.push_back(number("limits", #name, least, most, \
                       [](ServeOptions& o, int64_t v) { o.sequencer.limits.name = static_cast<uint32_t>(v); }))
  WEIR_ENGINE_LIMIT(runs_per_key_max, 1, 1'000'000);
  WEIR_ENGINE_LIMIT(matches_per_event_max, 1, 1'000'000);
  WEIR_ENGINE_LIMIT(window_entries_max, 1, 10'000'000);
  WEIR_ENGINE_LIMIT(scan_entries_max, 1, 1'000'000);
  WEIR_ENGINE_LIMIT(window_bytes_max, 64 << 10, 64 << 20);
  WEIR_ENGINE_LIMIT(block_bytes_max, 64 << 10, 256 << 20);
  WEIR_ENGINE_LIMIT(alert_events_max, 1, 1'000);
  WEIR_ENGINE_LIMIT(evidence_rows_max, 1, 1'000);
  WEIR_ENGINE_LIMIT(evidence_windows_max, 1, 64);
  WEIR_ENGINE_LIMIT(reorder_rows_max, 1, kCountMax);
  WEIR_ENGINE_LIMIT(peek_rows_max, 0, 1'000'000);
#undef WEIR_ENGINE_LIMIT
  all.push_back(span("limits", "run_age_max", cep::kSecond, kSpanMax,
                     [](ServeOptions& o, int64_t v) { o.sequencer.limits.run_age_max_us = v; }));
}

void add_service_limits(std::vector<Setting>& all) {
  auto bytes = [&](const char* key, int64_t least, void (*set)(ServeOptions&, int64_t)) {
    all.push_back(number("limits", key, least, kBytesMax, set));
  };
  auto count = [&](const char* key, int64_t most, void (*set)(ServeOptions&, int64_t)) {
    all.push_back(number("limits", key, 1, most, set));
  };
  bytes("log_credit_bytes", 1, [](ServeOptions& o, int64_t v) { o.sequencer.credit_bytes = static_cast<size_t>(v); });
  bytes("linger_bytes", 1, [](ServeOptions& o, int64_t v) { o.sequencer.linger_bytes = static_cast<size_t>(v); });
  count("dedupe_ids_max", kCountMax,
        [](ServeOptions& o, int64_t v) { o.sequencer.dedupe_ids_max = static_cast<size_t>(v); });
  count("request_ids_max", kCountMax,
        [](ServeOptions& o, int64_t v) { o.sequencer.request_ids_max = static_cast<size_t>(v); });
  count("connections_max", 60'000,
        [](ServeOptions& o, int64_t v) { o.http.connections_max = static_cast<uint32_t>(v); });
  count("connections_per_ip_max", 60'000,
        [](ServeOptions& o, int64_t v) { o.http.connections_per_ip_max = static_cast<uint32_t>(v); });
  bytes("bodies_bytes_max", 8 << 20,
        [](ServeOptions& o, int64_t v) { o.http.bodies_bytes_max = static_cast<uint64_t>(v); });
  bytes("alerts_keep_bytes", 1 << 20,
        [](ServeOptions& o, int64_t v) { o.retention.alerts_keep_bytes = static_cast<uint64_t>(v); });
  all.push_back(span("limits", "alerts_keep", cep::kMinute, kSpanMax,
                     [](ServeOptions& o, int64_t v) { o.retention.alerts_keep_us = v; }));
  all.push_back(span("limits", "attempts_keep", cep::kMinute, kSpanMax,
                     [](ServeOptions& o, int64_t v) { o.retention.attempts_keep_us = v; }));
  count("sink_in_flight_max", 1'024,
        [](ServeOptions& o, int64_t v) { o.delivery.in_flight_max = static_cast<uint32_t>(v); });
}

std::string name_of(const Setting& setting) { return std::string(setting.section) + "." + setting.key; }

std::string span_text(int64_t us) {
  return us % cep::kDay == 0 && us != 0 ? fmt::format("{} days", us / cep::kDay)
                                        : fmt::format("{} ms", us / cep::kMillisecond);
}

cep::Status set_in_range(const Setting& setting, int64_t value, ServeOptions& options) {
  if (value < setting.least || value > setting.most) {
    const bool is_span = setting.kind == Kind::kSpan;
    return refuse(fmt::format("{}: must lie between {} and {}", name_of(setting),
                              is_span ? span_text(setting.least) : std::to_string(setting.least),
                              is_span ? span_text(setting.most) : std::to_string(setting.most)));
  }
  setting.set_number(options, value);
  return cep::ok_status();
}

cep::Status set_all(const Setting& setting, Texts values, ServeOptions& options) {
  const cep::Status status = setting.set_texts(options, values);
  return status ? status : refuse(name_of(setting) + ": " + status.error().message);
}

cep::Error wrong_kind(const Setting& setting) {
  static constexpr const char* kWanted[] = {"a text", "a whole number", "true or false", "a duration such as \"15 s\"",
                                            "an array of texts"};
  return refuse(fmt::format("{}: must be {}", name_of(setting), kWanted[static_cast<size_t>(setting.kind)]));
}

}  // namespace

bool parse_span(std::string_view text, cep::DurationUs* out) {
  static constexpr std::pair<std::string_view, cep::DurationUs> kUnits[] = {
      {"ms", cep::kMillisecond}, {"s", cep::kSecond},   {"second", cep::kSecond}, {"seconds", cep::kSecond},
      {"m", cep::kMinute},       {"min", cep::kMinute}, {"minute", cep::kMinute}, {"minutes", cep::kMinute},
      {"h", cep::kHour},         {"hour", cep::kHour},  {"hours", cep::kHour},    {"d", cep::kDay},
      {"day", cep::kDay},        {"days", cep::kDay},   {"week", 7 * cep::kDay},  {"weeks", 7 * cep::kDay}};
  int64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (problem != std::errc() || count < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  for (const auto& [unit, us] : kUnits) {
    if (text != unit || count > kSpanMax / us) continue;
    *out = count * us;
    return true;
  }
  return false;
}

std::string Setting::environment_name() const {
  std::string name = std::string("WEIR_") + section + "_" + key;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return name;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> kAll = [] {
    std::vector<Setting> all;
    add_server(all);
    add_log_and_delivery(all);
    add_remote(all);
    add_engine_limits(all);
    add_service_limits(all);
    return all;
  }();
  return kAll;
}

cep::Status apply_engine_limit(const std::string& name, const std::string& value, cep::Limits& limits) {
  static const std::vector<Setting> kLimits = [] {
    std::vector<Setting> all;
    add_engine_limits(all);
    return all;
  }();
  std::string names;
  for (const Setting& setting : kLimits) {
    if (setting.key != name) {
      names += (names.empty() ? "" : ", ") + std::string(setting.key);
      continue;
    }
    ServeOptions options;
    options.sequencer.limits = limits;
    cep::Status status = apply_setting_text(setting, value, options);
    limits = options.sequencer.limits;
    return status;
  }
  return refuse("`" + name + "` is no limit of the engine; these are: " + names);
}

cep::Status apply_setting(const Setting& setting, const ConfigValue& value, ServeOptions& options) {
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* flag = std::get_if<bool>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const auto* texts = std::get_if<ConfigTexts>(&value);
  cep::DurationUs span = 0;
  if (setting.kind == Kind::kInteger && integer != nullptr) return set_in_range(setting, *integer, options);
  if (setting.kind == Kind::kFlag && flag != nullptr) return set_in_range(setting, *flag ? 1 : 0, options);
  if (setting.kind == Kind::kSpan && text != nullptr && parse_span(*text, &span))
    return set_in_range(setting, span, options);
  if (setting.kind == Kind::kText && text != nullptr) return set_all(setting, {*text}, options);
  if (setting.kind == Kind::kTexts && texts != nullptr) return set_all(setting, *texts, options);
  return wrong_kind(setting);
}

cep::Status apply_setting_text(const Setting& setting, const std::string& text, ServeOptions& options) {
  if (setting.kind == Kind::kText || setting.kind == Kind::kSpan) return apply_setting(setting, text, options);
  if (setting.kind == Kind::kFlag) {
    if (text == "true" || text == "1") return apply_setting(setting, true, options);
    if (text == "false" || text == "0") return apply_setting(setting, false, options);
    return wrong_kind(setting);
  }
  if (setting.kind == Kind::kInteger) {
    int64_t number = 0;
    return cep::parse_int64(text, &number) ? apply_setting(setting, number, options) : wrong_kind(setting);
  }
  ConfigTexts texts;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(',', at), text.size());
    if (end > at) texts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return apply_setting(setting, texts, options);
}

}  // namespace service
