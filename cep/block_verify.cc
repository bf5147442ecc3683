// verify_block of block.h: what bytes from outside must be like before they are used as a block. Tests: tests/unit/cep/block_test.cc,
// tests/fuzz/key_block_fuzz.cc.
#include <algorithm>

#include "cep/block.h"
#include "cep/episode.h"
#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/ring.h"

namespace cep {
namespace {

constexpr TimeUs kTimeFar = kTimeMax / 4;      // no event time is beyond; differences do not overflow

// A chain of bound events from its last node: references strictly fall, rows and states are sound. Its first row goes to `first`.
bool verify_chain(BlockView block, uint32_t last, const Program* program, const RuleSet& rules, const RowHeader** first) {
  uint32_t limit = block.header().heap_bytes / 8;
  if (last == 0 || last > limit || last * 8 < sizeof(Node)) return false;
  uint32_t depth = block.node(last).depth;
  for (uint32_t ref = last; ref != 0; --depth) {
    if (ref * 8 < sizeof(Node)) return false;
    const Node& node = block.node(ref);
    if (node.depth != depth || depth == 0 || node.previous >= ref || (node.previous == 0) != (depth == 1)) return false;
    const bool is_hit = program != nullptr && program->is_when;      // of an episode: no state binds it
    if (is_hit && (node.state != 0 || node.previous != 0)) return false;
    if (program != nullptr && !is_hit && (node.state == 0 || node.state >= program->states.size())) return false;
    if (node.row == 0 || node.row >= ref || node.row * 8 < sizeof(RowHeader)) return false;
    const RowHeader& row = block.row_header(node.row);
    if (index_of(row.stream) >= rules.schema_count() || rules.schema(row.stream) == nullptr) return false;
    if (!verify_row(*rules.schema(row.stream), block.row(node.row), size_t{node.row} * 8)) return false;
    if (row.time < -kTimeFar || row.time > kTimeFar) return false;
    *first = &row;
    ref = node.previous;
  }
  return depth == 0;
}

bool verify_episode(BlockView block, const Cell& cell, const RuleSet& rules) {
  const size_t payload = cell.size - sizeof(Cell);
  if (payload < sizeof(EpisodeCell) || cell.id > UINT32_MAX) return false;
  if (block.find_cell(CellKind::kEpisode, cell.id) != &cell) return false;      // a second one would never end
  const EpisodeCell& episode = *reinterpret_cast<const EpisodeCell*>(cell.payload());
  const BoundRule* rule = rules.find(static_cast<ProgramId>(cell.id));
  const Program* program = rule != nullptr ? rule->entry.program.get() : nullptr;
  const RowHeader* first = nullptr;
  if (!verify_chain(block, episode.node, program, rules, &first)) return false;
  if (episode.last < -kTimeFar || episode.last > kTimeFar || episode.value_bytes > payload - sizeof(EpisodeCell)) return false;
  if (program == nullptr) return true;
  return (program->is_when || episode.start_row == first->number) &&
         is_sound_episode(*program, {cell.payload() + sizeof(EpisodeCell), episode.value_bytes});
}

// What a cell of that kind holds at least. A cell of a rule or ring that is no more is only ever removed.
bool verify_cell(BlockView block, Cell& cell, const RuleSet& rules, std::span<const BoundRing> rings) {
  const size_t payload = cell.size - sizeof(Cell);
  if (cell.kind == CellKind::kRing) {
    const auto ring = std::find_if(rings.begin(), rings.end(), [&](const BoundRing& it) { return it.shape.id == cell.id; });
    if (ring == rings.end()) return true;
    if (ring->shape.keep != RingKeep::kEntries) return is_sound_lifetime(cell, ring->shape);
    return is_sound_ring(cell, ring->shape, rules.schema(ring->stream).get());
  }
  if (cell.kind == CellKind::kEpisode) return verify_episode(block, cell, rules);
  if (cell.kind == CellKind::kSuppress) return payload >= sizeof(SuppressCell);
  if (cell.kind == CellKind::kTruncated) return payload >= sizeof(TimeCell);
  if (cell.kind != CellKind::kHeadNot || payload < sizeof(TimeCell)) return false;
  const TimeUs time = reinterpret_cast<const TimeCell*>(cell.payload())->time;
  if (time < -kTimeFar || time > kTimeFar) return false;
  const BoundRule* rule = rules.find(static_cast<ProgramId>(cell.id >> 16));
  return rule == nullptr || (cell.id & 0xffff) < rule->entry.program->head_nots.size();
}

bool verify_cells(BlockView block, const RuleSet& rules, std::span<const BoundRing> rings) {
  const uint32_t begin = block.cells_begin();
  const uint32_t end = block.runs_begin();
  for (uint32_t at = begin; at < end;) {
    if (end - at < sizeof(Cell)) return false;
    Cell* cell = reinterpret_cast<Cell*>(block.bytes() + at);
    if (cell->size < sizeof(Cell) || cell->size % 8 != 0 || cell->size > end - at) return false;
    if (!verify_cell(block, *cell, rules, rings)) return false;
    at += cell->size;
  }
  return true;
}

}  // namespace

bool verify_block(std::span<uint8_t> bytes, std::span<const KeyPart> key, const RuleSet& rules, std::span<const BoundRing> rings) {
  if (bytes.size() < sizeof(BlockHeader) || bytes.size() > UINT32_MAX) return false;
  BlockView block(bytes.data());
  const BlockHeader& header = block.header();
  uint64_t run_bytes = uint64_t{header.run_count} * sizeof(Run);
  uint64_t key_padded = (uint64_t{header.key_bytes} + 7) / 8 * 8;
  const bool is_image = header.format == 1 && header.dirty == 0 && header.is_timed == 0 && header.segment == 0;
  if (!is_image || header.capacity != bytes.size() || header.heap_bytes % 8 != 0 || header.cell_bytes % 8 != 0 ||
      sizeof(BlockHeader) + key_padded + header.cell_bytes + run_bytes + header.heap_bytes != bytes.size()) {
    return false;
  }
  if (!is_sound_key(key, block.key())) return false;
  if (!verify_cells(block, rules, rings)) return false;
  const auto by_program = [](const Run& a, const Run& b) { return a.program < b.program; };
  if (!std::is_sorted(block.runs().begin(), block.runs().end(), by_program)) return false;      // a rule's runs are searched for
  for (const Run& run : block.runs()) {
    const BoundRule* rule = rules.find(run.program);
    const Program* program = rule != nullptr ? rule->entry.program.get() : nullptr;
    if (program != nullptr && (run.state == 0 || run.state >= program->states.size())) return false;
    const RowHeader* first = nullptr;
    if (!verify_chain(block, run.node, program, rules, &first)) return false;
    if (first->time != run.start_time || first->number != run.start_row) return false;
  }
  return true;
}

}  // namespace cep
