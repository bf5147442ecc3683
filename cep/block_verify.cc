// verify_block of block.h: what bytes from outside must be like before they are used as a block. Tests: tests/unit/cep/block_test.cc,
// tests/fuzz/key_block_fuzz.cc.
#include <algorithm>

#include "cep/block.h"
#include "cep/episode.h"
#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/merged_runs.h"
#include "cep/ring.h"

namespace cep {
namespace {

constexpr TimeUs kTimeFar = kTimeMax / 4;      // no event time is beyond; differences do not overflow

// What the heap holds, as far as it is reached. An object is one thing: what is reached as another is refused.
class HeapVerifier {
 public:
  HeapVerifier(BlockView block, const RuleSet& rules) : block_(block), rules_(rules), objects_(block.header().heap_bytes / 8 + 1) {}

  BlockView block() const { return block_; }

  // A chain of bound events from its last node: references strictly fall, rows and states are sound. Its first row goes to `first`.
  bool verify_chain(uint32_t last, const Program* program, const RowHeader** first) {
    if (!claim(last, Object::kNode)) return false;
    uint32_t depth = block_.node(last).depth;
    for (uint32_t ref = last; ref != 0; --depth) {
      if (!claim(ref, Object::kNode)) return false;
      const Node& node = block_.node(ref);
      if (node.depth != depth || depth == 0 || node.previous >= ref || (node.previous == 0) != (depth == 1)) return false;
      const bool is_hit = program != nullptr && program->is_when;      // of an episode: no state binds it
      if (is_hit && (node.state != 0 || node.previous != 0)) return false;
      if (program != nullptr && !is_hit && (node.state == 0 || node.state >= program->states.size())) return false;
      if (!verify_row_of(ref, node.row)) return false;
      *first = &block_.row_header(node.row);
      ref = node.previous;
    }
    return depth == 0;
  }

  // The merged runs of one program, later states first. A state has the list of its run and, behind it, those that nodes of the state
  // after it continue: a node is in one list, and what `->` continues nothing else does. What is over is the end of a list.
  bool verify_merged(std::span<const Run> runs, const BoundRule* rule) {
    if (runs.front().state + 1u >= kMergedStatesMax) return false;
    if (rule != nullptr && (!rule->merges_runs || runs.front().state + 1u >= rule->entry.program->states.size())) return false;
    std::vector<uint32_t> nodes, all;
    auto run = runs.begin();
    for (uint16_t state = runs.front().state; state > 0; --state) {
      const std::vector<uint32_t> above = std::move(nodes);
      nodes.clear();
      if (run != runs.end() && run->state == state && !append_list(run++->node, state, nodes)) return false;
      const bool shares = rule == nullptr || rule->entry.program->states[state].edges.front().link == Link::kAny;
      size_t at = 0;
      for (const uint32_t ref : above) {
        const uint32_t previous = block_.merged_node(ref).previous;
        while (at < nodes.size() && nodes[at] != previous) ++at;
        if (at == nodes.size() ? !append_list(previous, state, nodes) : !shares) return false;
      }
      all.insert(all.end(), nodes.begin(), nodes.end());
    }
    const bool starts_fall = std::all_of(all.begin(), all.end(), [&](uint32_t ref) {
      const uint32_t older = block_.merged_node(ref).older;
      return older == 0 || block_.latest_start(older) <= block_.latest_start(ref);
    });
    if (!starts_fall) return false;
    return run == runs.end() && std::all_of(runs.begin(), runs.end(), [&](const Run& own) {
      const RowHeader& first = block_.row_header(block_.merged_node(block_.first_of_latest(own.node)).row);
      return own.is_merged == 1 && first.time == own.start_time && first.number == own.start_row;
    });
  }

  // Objects lie side by side: what is moved together writes over nothing else.
  bool are_apart() const {
    size_t end = 0;
    for (uint32_t ref = 1; ref < objects_.size(); ++ref) {
      if (objects_[ref] == Object::kNone) continue;
      const size_t size = objects_[ref] == Object::kRow ? block_.row_header(ref).size : sizeof(Node);
      if (size_t{ref} * 8 < end + size) return false;
      end = size_t{ref} * 8;
    }
    return true;
  }

 private:
  enum class Object : uint8_t { kNone, kRow, kNode, kMergedNode };

  bool claim(uint32_t ref, Object object) {
    const size_t least = object == Object::kRow ? sizeof(RowHeader) : sizeof(Node);
    if (ref >= objects_.size() || size_t{ref} * 8 < least || (objects_[ref] != Object::kNone && objects_[ref] != object)) return false;
    objects_[ref] = object;
    return true;
  }
  bool verify_row_of(uint32_t node, uint32_t ref) {
    if (ref >= node || !claim(ref, Object::kRow)) return false;
    const RowHeader& row = block_.row_header(ref);
    if (index_of(row.stream) >= rules_.schema_count() || rules_.schema(row.stream) == nullptr) return false;
    if (!verify_row(*rules_.schema(row.stream), block_.row(ref), size_t{ref} * 8)) return false;
    return row.time >= -kTimeFar && row.time <= kTimeFar;
  }
  // Appends a list of which nothing was reached before.
  bool append_list(uint32_t list, uint16_t state, std::vector<uint32_t>& nodes) {
    if (list == 0) return false;
    for (uint32_t ref = list; ref != 0;) {
      if (ref >= objects_.size() || objects_[ref] != Object::kNone || !claim(ref, Object::kMergedNode)) return false;
      const MergedNode& node = block_.merged_node(ref);
      if (node.state != state || node.reserved != 0 || (node.previous == 0) != (state == 1)) return false;
      if (node.older >= ref || node.previous >= ref || !verify_row_of(ref, node.row)) return false;
      nodes.push_back(ref);
      ref = node.older;
    }
    return true;
  }

  BlockView block_;
  const RuleSet& rules_;
  std::vector<Object> objects_;       // by reference
};

bool verify_episode(HeapVerifier& heap, const Cell& cell, const RuleSet& rules) {
  const size_t payload = cell.size - sizeof(Cell);
  if (payload < sizeof(EpisodeCell) || cell.id > UINT32_MAX) return false;
  if (heap.block().find_cell(CellKind::kEpisode, cell.id) != &cell) return false;      // a second one would never end
  const EpisodeCell& episode = *reinterpret_cast<const EpisodeCell*>(cell.payload());
  const BoundRule* rule = rules.find(static_cast<ProgramId>(cell.id));
  const Program* program = rule != nullptr ? rule->entry.program.get() : nullptr;
  const RowHeader* first = nullptr;
  if (!heap.verify_chain(episode.node, program, &first)) return false;
  if (episode.last < -kTimeFar || episode.last > kTimeFar || episode.value_bytes > payload - sizeof(EpisodeCell)) return false;
  if (program == nullptr) return true;
  return (program->is_when || episode.start_row == first->number) &&
         is_sound_episode(*program, {cell.payload() + sizeof(EpisodeCell), episode.value_bytes});
}

// What a cell of that kind holds at least. A cell of a rule or ring that is no more is only ever removed.
bool verify_cell(HeapVerifier& heap, Cell& cell, const RuleSet& rules, std::span<const BoundRing> rings) {
  const size_t payload = cell.size - sizeof(Cell);
  if (cell.kind == CellKind::kRing) {
    const auto ring = std::find_if(rings.begin(), rings.end(), [&](const BoundRing& it) { return it.shape.id == cell.id; });
    if (ring == rings.end()) return true;
    if (ring->shape.keep != RingKeep::kEntries) return is_sound_lifetime(cell, ring->shape);
    return is_sound_ring(cell, ring->shape, rules.schema(ring->stream).get());
  }
  if (cell.kind == CellKind::kEpisode) return verify_episode(heap, cell, rules);
  if (cell.kind == CellKind::kSuppress) return payload >= sizeof(SuppressCell);
  if (cell.kind == CellKind::kTruncated) return payload >= sizeof(TimeCell);
  if (cell.kind != CellKind::kHeadNot || payload < sizeof(TimeCell)) return false;
  const TimeUs time = reinterpret_cast<const TimeCell*>(cell.payload())->time;
  if (time < -kTimeFar || time > kTimeFar) return false;
  const BoundRule* rule = rules.find(static_cast<ProgramId>(cell.id >> 16));
  return rule == nullptr || (cell.id & 0xffff) < rule->entry.program->head_nots.size();
}

bool verify_cells(BlockView block, HeapVerifier& heap, const RuleSet& rules, std::span<const BoundRing> rings) {
  const uint32_t begin = block.cells_begin();
  const uint32_t end = block.runs_begin();
  for (uint32_t at = begin; at < end;) {
    if (end - at < sizeof(Cell)) return false;
    Cell* cell = reinterpret_cast<Cell*>(block.bytes() + at);
    if (cell->size < sizeof(Cell) || cell->size % 8 != 0 || cell->size > end - at) return false;
    if (!verify_cell(heap, *cell, rules, rings)) return false;
    at += cell->size;
  }
  return true;
}

bool verify_runs(BlockView block, HeapVerifier& heap, const RuleSet& rules) {
  const std::span<const Run> runs = block.runs();
  const auto by_program = [](const Run& a, const Run& b) { return a.program < b.program; };
  if (!std::is_sorted(runs.begin(), runs.end(), by_program)) return false;      // a rule's runs are searched for
  for (size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    const BoundRule* rule = rules.find(run.program);
    const Program* program = rule != nullptr ? rule->entry.program.get() : nullptr;
    if (run.is_merged != 0) {
      const size_t begin = i;
      const bool is_first = begin == 0 || runs[begin - 1].program != run.program;
      if (!is_first || block.header().format != kMergedBlockFormat) return false;
      for (; i + 1 < runs.size() && runs[i + 1].program == run.program && runs[i + 1].is_merged != 0; ++i) {
        if (runs[i + 1].state >= runs[i].state) return false;
      }
      if (!heap.verify_merged(runs.subspan(begin, i + 1 - begin), rule)) return false;
      continue;
    }
    if (program != nullptr && (run.state == 0 || run.state >= program->states.size())) return false;
    const RowHeader* first = nullptr;
    if (!heap.verify_chain(run.node, program, &first)) return false;
    if (program != nullptr && block.node(run.node).state != run.state) return false;
    if (first->time != run.start_time || first->number != run.start_row) return false;
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
  const bool is_known = header.format == kBlockFormat || header.format == kMergedBlockFormat;
  const bool is_image = is_known && header.dirty == 0 && header.is_timed == 0 && header.segment == 0;
  if (!is_image || header.capacity != bytes.size() || header.heap_bytes % 8 != 0 || header.cell_bytes % 8 != 0 ||
      sizeof(BlockHeader) + key_padded + header.cell_bytes + run_bytes + header.heap_bytes != bytes.size()) {
    return false;
  }
  if (!is_sound_key(key, block.key())) return false;
  HeapVerifier heap(block, rules);
  return verify_cells(block, heap, rules, rings) && verify_runs(block, heap, rules) && heap.are_apart();
}

}  // namespace cep
