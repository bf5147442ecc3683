// See skip.h. Tests: tests/scripts/output/skip.test.
#include "cep/skip.h"

namespace cep {

StartRange skipped_starts(BlockView block, const MatchScope& scope, uint32_t node, uint32_t start_row) {
  const Program& program = *scope.rule->entry.program;
  if (program.skip == SkipStrategy::kNoSkip) return {};
  StartRange range{start_row, start_row + 1};
  auto row_number = [&](uint32_t ref) { return block.row_header(block.node(ref).row).number; };
  bool past_last = program.skip == SkipStrategy::kPastLastRow;
  if (program.skip == SkipStrategy::kToFirst || program.skip == SkipStrategy::kToLast) {
    uint32_t target = 0;
    for (uint32_t ref = node; ref != 0; ref = block.node(ref).previous) {
      if (!program.stands_for(program.skip_variable, program.states[block.node(ref).state].variable)) continue;
      if (target == 0 || program.skip == SkipStrategy::kToFirst) target = row_number(ref);
    }
    if (target == 0 || target == start_row) ++scope.counters->skip_target_unbound;
    if (target == 0) past_last = true;
    if (target > start_row) range.to = target;
  }
  return past_last ? StartRange{0, row_number(node) + 1} : range;
}

}  // namespace cep
