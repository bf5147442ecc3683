// What a limit has cut for a rule and key, and until when that matters: a cell of the key's block for each kind of cut, so that every
// alert until then says so, after a restart too (L18). One thread, that of the block.
#pragma once

#include "cep/alert.h"
#include "cep/block.h"

namespace cep {

enum class Cut : uint8_t { kRuns, kMatches, kWindow };     // a part of the cell's id in durable blocks: never renumber

// Alerts of the rule and key up to event time `until` say so.
void note_cut(BlockEditor& block, ProgramId program, Cut cut, TimeUs until);
// What an alert (or match state) of `time` has to say.
Truncated truncated_at(BlockView block, ProgramId program, TimeUs time);

}  // namespace cep
