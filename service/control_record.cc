// See control_record.h. Every body begins with a format byte. Tests: tests/fuzz/log_frames_fuzz.cc, restarts.
#include "service/control_record.h"

#include "state/bytes.h"

namespace service {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint32_t kItemsMax = 1u << 20;     // no body holds more items than this; a larger count is damage

cep::Error damaged(const char* what) {
  return {"damaged", std::string("a ") + what + " record in the event log does not decode; restore the data directory from a copy"};
}

void put_texts(state::Writer& out, const std::vector<std::string>& texts) {
  out.put<uint32_t>(static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) out.text(text);
}

bool get_texts(state::Reader& in, std::vector<std::string>& texts) {
  uint32_t count = in.get<uint32_t>();
  if (count > kItemsMax) return false;
  for (uint32_t i = 0; i < count && in.ok(); ++i) texts.emplace_back(in.text());
  return in.ok();
}

bool get_mode(state::Reader& in, cep::RuleMode& mode) {
  uint8_t number = in.get<uint8_t>();
  mode = static_cast<cep::RuleMode>(number);
  return number <= static_cast<uint8_t>(cep::RuleMode::kPaused);
}

void put_rule(state::Writer& out, const RulesChange::Rule& rule) {
  out.text(rule.name).put<uint32_t>(rule.number).put<uint32_t>(rule.version);
  out.put<uint32_t>(static_cast<uint32_t>(rule.program)).put<uint8_t>(static_cast<uint8_t>(rule.mode));
  out.put<uint64_t>(rule.matching_fingerprint).text(rule.text).put<uint8_t>(rule.is_new_program ? 1 : 0);
}

bool get_rule(state::Reader& in, RulesChange::Rule& rule) {
  rule.name = in.text();
  rule.number = in.get<uint32_t>();
  rule.version = in.get<uint32_t>();
  rule.program = static_cast<cep::ProgramId>(in.get<uint32_t>());
  if (!get_mode(in, rule.mode)) return false;
  rule.matching_fingerprint = in.get<uint64_t>();
  rule.text = in.text();
  rule.is_new_program = in.get<uint8_t>() != 0;
  return in.ok();
}

}  // namespace

std::string encode(const RulesChange& change) {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(kFormat).put<uint32_t>(static_cast<uint32_t>(change.streams.size()));
  for (const RulesChange::Stream& stream : change.streams) out.put<uint32_t>(stream.number).text(stream.text);
  put_texts(out, change.datasets);
  out.put<uint32_t>(static_cast<uint32_t>(change.rules.size()));
  for (const RulesChange::Rule& rule : change.rules) put_rule(out, rule);
  put_texts(out, change.dropped_rules);
  put_texts(out, change.dropped_streams);
  put_texts(out, change.dropped_lists);
  if (!change.dropped_tables.empty()) put_texts(out, change.dropped_tables);      // nothing at all is how it was before there were tables
  return bytes;
}

cep::Result<RulesChange> decode_rules_change(std::string_view bytes) {
  state::Reader in(bytes);
  RulesChange change;
  if (in.get<uint8_t>() != kFormat) return damaged("rules");
  uint32_t streams = in.get<uint32_t>();
  if (streams > kItemsMax) return damaged("rules");
  for (uint32_t i = 0; i < streams && in.ok(); ++i) {
    uint32_t number = in.get<uint32_t>();
    change.streams.push_back({number, std::string(in.text())});
  }
  if (!get_texts(in, change.datasets)) return damaged("rules");
  uint32_t rules = in.get<uint32_t>();
  if (rules > kItemsMax) return damaged("rules");
  for (uint32_t i = 0; i < rules; ++i) {
    change.rules.emplace_back();
    if (!get_rule(in, change.rules.back())) return damaged("rules");
  }
  bool whole = get_texts(in, change.dropped_rules) && get_texts(in, change.dropped_streams) && get_texts(in, change.dropped_lists);
  whole = whole && (in.at_end() || (get_texts(in, change.dropped_tables) && !change.dropped_tables.empty()));
  if (!whole || !in.at_end()) return damaged("rules");
  return change;
}

std::string encode(const ModeChange& change) {
  std::string bytes;
  state::Writer(bytes).put<uint8_t>(kFormat).text(change.rule).put<uint8_t>(static_cast<uint8_t>(change.mode));
  return bytes;
}

cep::Result<ModeChange> decode_mode_change(std::string_view bytes) {
  state::Reader in(bytes);
  ModeChange change;
  if (in.get<uint8_t>() != kFormat) return damaged("mode");
  change.rule = in.text();
  if (!get_mode(in, change.mode) || !in.at_end()) return damaged("mode");
  return change;
}

std::string encode(const WatermarkMark& mark) {
  std::string bytes;
  state::Writer(bytes).put<uint8_t>(kFormat).put<int64_t>(mark.time_us).text(mark.stream);
  return bytes;
}

cep::Result<WatermarkMark> decode_watermark_mark(std::string_view bytes) {
  state::Reader in(bytes);
  WatermarkMark mark;
  if (in.get<uint8_t>() != kFormat) return damaged("watermark");
  mark.time_us = in.get<int64_t>();
  mark.stream = in.text();
  if (!in.at_end()) return damaged("watermark");
  return mark;
}

std::string encode(const LimitsChange& change) {
  std::string bytes;
  state::Writer(bytes).put<uint8_t>(kFormat).put<uint32_t>(change.reorder_rows_max);
  return bytes;
}

cep::Result<LimitsChange> decode_limits_change(std::string_view bytes) {
  state::Reader in(bytes);
  LimitsChange change;
  if (in.get<uint8_t>() != kFormat) return damaged("limits");
  change.reorder_rows_max = in.get<uint32_t>();
  if (!in.at_end() || change.reorder_rows_max == 0) return damaged("limits");
  return change;
}

std::string encode(const SourceChange& change) {
  std::string bytes;
  state::Writer(bytes).put<uint8_t>(kFormat).text(change.name).text(change.stream);
  return bytes;
}

cep::Result<SourceChange> decode_source_change(std::string_view bytes) {
  state::Reader in(bytes);
  SourceChange change;
  if (in.get<uint8_t>() != kFormat) return damaged("source");
  change.name = in.text();
  change.stream = in.text();
  if (!in.at_end() || change.name.empty()) return damaged("source");
  return change;
}

}  // namespace service
