// Bodies of the log's control frames: rule changes, modes, watermarks, limits, sources (edits: dataset_change.h). What decides matching
// beside the events stands in the log in these, durable before the first event under it (the theorem of guarantees). Byte tables:
// state/FORMAT.md.
// Threads: plain values. A decoder answers "damaged" for bytes that no encoder made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cep/alert.h"
#include "cep/result.h"

namespace service {

// A deployment that has been accepted: kRules.
struct RulesChange {
  struct Rule {
    std::string name;
    uint32_t number = 0;              // of the rule's name, for ever
    uint32_t version = 1;
    cep::ProgramId program{};         // of the matching version
    cep::RuleMode mode = cep::RuleMode::kLive;
    uint64_t matching_fingerprint = 0;
    std::string text;                 // canonical
    bool is_new_program = false;      // matching changed, or a new rule: warm-started up to this frame
  };
  struct Stream {
    uint32_t number = 0;              // of this schema version in the catalogue: FrameHeader::stream of its events
    std::string text;                 // canonical; its stream's id and version follow from the order of numbers
  };
  std::vector<Stream> streams;        // new or changed
  std::vector<std::string> datasets;  // declarations of lists and tables, canonical
  std::vector<Rule> rules;            // new or changed
  std::vector<std::string> dropped_rules, dropped_streams, dropped_lists, dropped_tables;
};

// kMode. Resuming a paused rule is a RulesChange with a new program: it warm-starts.
struct ModeChange {
  std::string rule;
  cep::RuleMode mode = cep::RuleMode::kLive;
};

// kWatermark: {"$watermark": T, "stream": S?}.
struct WatermarkMark {
  cep::TimeUs time_us = 0;
  std::string stream;                    // empty: all
};

// kLimits: the limits that decide what is late, in force from this frame on. Written when the configured ones are others.
struct LimitsChange {
  uint32_t reorder_rows_max = 0;
};

// kSource: a source of events beside the input (a partition of a topic), declared once and for ever. The frame's header has its number
// and the position it begins at.
struct SourceChange {
  std::string name;                      // stands in identities of its events (R71)
  std::string stream;                    // what its events are of: time there waits for it from this frame on (R63)
};

std::string encode(const RulesChange& change);
std::string encode(const ModeChange& change);
std::string encode(const WatermarkMark& mark);
std::string encode(const LimitsChange& change);
std::string encode(const SourceChange& change);
cep::Result<RulesChange> decode_rules_change(std::string_view bytes);
cep::Result<ModeChange> decode_mode_change(std::string_view bytes);
cep::Result<WatermarkMark> decode_watermark_mark(std::string_view bytes);
cep::Result<LimitsChange> decode_limits_change(std::string_view bytes);
cep::Result<SourceChange> decode_source_change(std::string_view bytes);

}  // namespace service
