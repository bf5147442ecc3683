// Runs a script in one of the modes that must all give the same alerts: the proof that they depend on nothing but rules and events.
// Threads: one owner. Deterministic: the shuffled order comes from a fixed seed, which the mode's name shows.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "service/rule_files.h"
#include "service/script.h"

namespace service {

enum class ScriptMode {
  kPlain,       // one shard, batches of one row
  kRestart,     // all state out and in again after every event
  kShards,      // 4 shards
  kShuffle,     // events arrive in another order inside their streams' delay; equal times keep theirs
  kBatches,     // batches of up to 1,024 rows
  kAmid,        // together with all other rules beside the script
};
inline constexpr ScriptMode kScriptModes[] = {ScriptMode::kPlain,   ScriptMode::kRestart, ScriptMode::kShards,
                                              ScriptMode::kShuffle, ScriptMode::kBatches, ScriptMode::kAmid};
std::string_view script_mode_name(ScriptMode mode);

// What one block gave.
struct BlockResult {
  std::vector<std::string> lines;      // as expectations are written, in order
  std::vector<std::string> alerts;     // each alert as JSON, in order
};

// A case made ready: its rules compiled, its lists filled.
struct ScriptSetup {
  RuleBook book;
  std::vector<std::string> errors;     // "error E0103 3:12": nothing runs then
  std::string warnings;                // for a person
  RuleBook amid;                       // the same with the other rules of the directory
  bool has_amid = false;
};

// Compiles the case's rules. Errors: files that are not there, names nobody declares.
cep::Result<std::unique_ptr<ScriptSetup>> prepare_case(const Script& script, const ScriptCase& one);
// False: the mode has nothing to show for this case (no delay to shuffle in or a buffer too small for it, no other rules).
bool has_mode(const ScriptCase& one, const ScriptSetup& setup, ScriptMode mode);
// By block. Errors: unknown_list, wrong_type, bad_image, ... with the line.
cep::Result<std::vector<BlockResult>> run_case(const Script& script, const ScriptCase& one, const ScriptSetup& setup,
                                               ScriptMode mode);

}  // namespace service
