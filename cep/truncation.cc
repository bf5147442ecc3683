// See truncation.h. Tests: tests/scripts/output/truncated.test.
#include "cep/truncation.h"

#include <algorithm>

namespace cep {
namespace {

uint64_t cell_id(ProgramId program, Cut cut) { return uint64_t{static_cast<uint32_t>(program)} << 16 | static_cast<uint8_t>(cut); }

bool is_cut(BlockView block, ProgramId program, Cut cut, TimeUs time) {
  Cell* cell = block.find_cell(CellKind::kTruncated, cell_id(program, cut));
  return cell != nullptr && reinterpret_cast<TimeCell*>(cell->payload())->time >= time;
}

}  // namespace

void note_cut(BlockEditor& block, ProgramId program, Cut cut, TimeUs until) {
  Cell* cell = block.view().find_cell(CellKind::kTruncated, cell_id(program, cut));
  bool is_new = cell == nullptr;
  if (is_new) cell = block.add_cell(CellKind::kTruncated, cell_id(program, cut), sizeof(TimeCell));
  TimeUs& time = reinterpret_cast<TimeCell*>(cell->payload())->time;
  time = is_new ? until : std::max(time, until);
}

Truncated truncated_at(BlockView block, ProgramId program, TimeUs time) {
  Truncated truncated;
  truncated.runs = is_cut(block, program, Cut::kRuns, time);
  truncated.matches = is_cut(block, program, Cut::kMatches, time);
  truncated.window = is_cut(block, program, Cut::kWindow, time);
  return truncated;
}

}  // namespace cep
