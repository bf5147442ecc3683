// The test language (`weir test`): a script as its lines say it. One grammar, read here; run by script_run.
//
//   # comment
//   use FILE | use stream NAME | use list NAME = v, (v, v), .. | use table NAME {"column": v, ..}
//   rule FILE | rule << .. >>
//   clock TIME                        +0s; 2026-01-05T00:00:00Z, a Monday, unless said
//   limit NAME N                      of the engine, as [limits] of the configuration has it
//   events [fresh]
//   +D STREAM JSON | advance +D | deploy << .. >> | restart
//   list add NAME V[, expires +D] | list remove NAME V | table put NAME {..} | table remove NAME K
//   ----
//   +D RULE col=v.. measure=v.. [var +D, ..] truncated:WHAT.. | +D rejected STREAM CODE | +D late STREAM
//   | error CODE [LINE:COL] | warning CODE [LINE:COL] | none
//
// +D is always an offset from `clock`. A block goes on where the one before it ended, unless it is `fresh`. A `use`, `rule`, `clock`
// or `limit` behind a block begins another case: it keeps the clock and what was used, has rules and limits of its own, and begins fresh.
// Warnings about a case's rules are compared if its first block expects one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/limits.h"
#include "cep/result.h"
#include "cep/types.h"

namespace service {

struct ScriptUse {
  enum class Kind { kFile, kStream, kList, kTable };
  Kind kind = Kind::kFile;
  std::string name;                                  // path, stream, list or table
  std::vector<std::vector<std::string>> values;      // kList: elements, each one field a declared type
  std::string row;                                   // kTable: JSON
  size_t line = 0;
};

struct ScriptRule {
  std::string path;                                  // relative to the script; empty: inline
  std::string text;                                  // inline
  size_t line = 0;
};

struct ScriptStep {
  enum class Kind { kEvent, kAdvance, kDeploy, kListAdd, kListRemove, kTablePut, kTableRemove, kRestart };
  Kind kind = Kind::kEvent;
  cep::DurationUs offset_us = 0;                     // kEvent, kAdvance
  std::string name;                                  // stream, list or table
  std::string text;                                  // kEvent, kTablePut: JSON; kDeploy: rule text
  std::vector<std::string> value;                    // kListAdd, kListRemove, kTableRemove: the key
  std::optional<cep::DurationUs> expires_us;         // kListAdd: offset
  size_t line = 0;
};

struct ScriptBlock {
  bool fresh = false;
  std::vector<ScriptStep> steps;
  std::vector<std::string> expected;                 // as written, without comments and `none`
  size_t line = 0;                                   // of `events`, from 1
  size_t expected_begin = 0;                         // lines between ---- and the next block: [begin, end), from 0
  size_t expected_end = 0;
};

struct ScriptCase {
  std::vector<ScriptUse> uses;
  std::vector<ScriptRule> rules;
  cep::TimeUs clock = 0;
  cep::Limits limits;
  std::vector<ScriptBlock> blocks;
  size_t line = 0;
};

struct Script {
  std::string path;
  std::string above;                                 // of a script in a page: what the page declares above it
  std::vector<std::string> lines;
  std::vector<ScriptCase> cases;
  std::map<cep::DurationUs, std::string> spelling;   // offsets as the script first wrote them: "+60s" stays "+60s"
};

// Errors: bad_script with path and line.
cep::Result<Script> parse_script(const std::string& path, const std::string& text);

// Without their line breaks.
std::vector<std::string> split_lines(const std::string& text);

// "+1h30m", "+59.999s": numbers with units ms s m h d w, after a sign.
std::optional<cep::DurationUs> parse_offset(std::string_view text);
std::string print_offset(cep::DurationUs offset_us);

}  // namespace service
