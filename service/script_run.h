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
#include "service/script_crowd.h"

namespace service {

enum class ScriptMode { kPlain, kRestart, kShards, kShuffle, kBatches, kApart, kAmid, kDecide };

// One row for each mode; a new one is a row here and what `Run` does otherwise for it.
struct ScriptModeInfo {
  ScriptMode mode;
  std::string_view name;
  std::string_view what;
};
inline constexpr ScriptModeInfo kScriptModes[] = {
    {ScriptMode::kPlain, "plain", "one shard, batches of one row"},
    {ScriptMode::kRestart, "restart", "all state out and in again after every event, every fourth time through a checkpoint on disk"},
    {ScriptMode::kShards, "shards", "4 shards"},
    {ScriptMode::kShuffle, "shuffle", "arrival shuffled inside the delay of each stream; equal times keep their order"},
    {ScriptMode::kBatches, "batches", "batches of up to 1,024 rows"},
    {ScriptMode::kApart, "apart", "every partial match a run of its own, instead of merging those that nothing can tell apart"},
    {ScriptMode::kAmid, "amid", "amid 200 rules over the same streams and keys, and all rules beside the script"},
    {ScriptMode::kDecide, "decide", "a verdict on every event before it is fed: where it is final, its alerts stand for those that follow"},
};

// What one block gave.
struct BlockResult {
  std::vector<std::string> lines;      // as expectations are written, in order
  std::vector<std::string> alerts;     // each alert as JSON, in order
};

// A case made ready: its rules compiled, its lists and tables filled.
struct ScriptSetup {
  patterns::SourceMap sources;         // of the rules and what they lean on
  RuleBook book;
  std::vector<std::string> errors;     // "error E0103 3:12": nothing runs then
  std::vector<std::string> warned;     // "warning W0212 2:18", for a script that expects it
  std::string warnings;                // for a person
  RuleBook amid;                       // the same among other rules
};

// Compiles the case's rules. Errors: files that are not there, names nobody declares. Without a crowd there is no mode `amid`.
cep::Result<std::unique_ptr<ScriptSetup>> prepare_case(const Script& script, const ScriptCase& one, ScriptCrowd* crowd);
// False: the mode has nothing to show for this case (no delay to shuffle in or a buffer too small for it).
bool has_mode(const ScriptCase& one, const ScriptSetup& setup, ScriptMode mode);
// By block. Errors: unknown_dataset, wrong_type, bad_image, ... with the line.
cep::Result<std::vector<BlockResult>> run_case(const Script& script, const ScriptCase& one, const ScriptSetup& setup,
                                               ScriptMode mode);

}  // namespace service
