// See block.h. Tests: tests/unit/cep/block_test.cc.
#include "cep/block.h"

#include <algorithm>
#include <bit>

#include "cep/time_math.h"

namespace cep {
namespace {

constexpr uint32_t kHeapCompactMin = 1024;   // bytes of heap below which garbage is not worth looking for

uint32_t round_up(uint32_t bytes, uint32_t unit) { return (bytes + unit - 1) / unit * unit; }

// Block sizes: exact to 32 bytes while small, so that a key with one run is small; coarser as it grows.
uint32_t size_class(uint32_t bytes) {
  if (bytes <= 1024) return round_up(bytes, 32);
  uint32_t step = 128;
  while (step * 16 < bytes) step *= 2;
  return round_up(bytes, step);
}

// Of a block without cells and runs, below the heap.
uint32_t low_bytes(size_t key_bytes) {
  return static_cast<uint32_t>(sizeof(BlockHeader)) + round_up(static_cast<uint32_t>(key_bytes), 8);
}

// What episodes list lives on when the runs that found it have ended.
template <class F>
void for_each_episode(BlockView block, F&& visit) {
  block.for_each_cell([&](Cell& cell) {
    if (cell.kind == CellKind::kEpisode) visit(*reinterpret_cast<EpisodeCell*>(cell.payload()));
  });
}

bool has_episode(BlockView block) {
  bool found = false;
  if (block.header().heap_bytes > 0) for_each_episode(block, [&](EpisodeCell&) { found = true; });
  return found;
}

}  // namespace

uint32_t BlockView::first_of_latest(uint32_t merged) const {
  while (merged_node(merged).previous != 0) merged = merged_node(merged).previous;
  return merged;
}

bool BlockView::is_end_over(uint32_t merged, DurationUs span, TimeUs now) const {
  const MergedNode& node = merged_node(merged);
  if (node.older == 0) return true;
  const bool continues_same = node.previous != 0 && node.previous == merged_node(node.older).previous;
  return !continues_same && add_saturating(latest_start(node.older), span) <= now;
}

void BlockEditor::begin(const RuleSet* rules, TimeUs now) {
  rules_ = rules;
  now_ = now;
  held_.clear();
  row_ref_ = 0;
  row_batch_ = nullptr;
  compact_at_ = kHeapCompactMin;
  passing_from_ = kNotPassing;
}

void BlockEditor::open(uint8_t* block, const RuleSet* rules, TimeUs now) {
  bytes_ = block;
  std::span<Run> runs = view().runs();
  runs_.assign(runs.begin(), runs.end());
  view().header().run_count = 0;
  begin(rules, now);
}

uint32_t BlockEditor::new_capacity(size_t key_bytes, uint32_t bytes_hint) {
  return size_class(std::max(low_bytes(key_bytes) + 160, bytes_hint));
}

void BlockEditor::create(std::string_view key, uint32_t bytes_hint) {
  const uint32_t low = low_bytes(key.size());
  const uint32_t capacity = new_capacity(key.size(), bytes_hint);
  bytes_ = memory_.allocate(capacity);
  BlockHeader header;
  header.capacity = capacity;
  header.key_bytes = static_cast<uint32_t>(key.size());
  std::memcpy(bytes_, &header, sizeof header);
  std::memset(bytes_ + sizeof header, 0, low - sizeof header);
  std::memcpy(bytes_ + sizeof header, key.data(), key.size());
  runs_.clear();
  begin(nullptr, kTimeMin);
}

uint8_t* BlockEditor::close() {
  held_.clear();
  row_ref_ = 0;
  BlockHeader& header = view().header();
  if (runs_.empty() && !has_episode(view())) {
    header.heap_bytes = 0;
    header.format = kBlockFormat;
    header.next_row = 1;      // no start is left that could be compared with
    if (header.cell_bytes == 0) {
      memory_.release(bytes_);
      return bytes_ = nullptr;
    }
  }
  auto by_program = [](const Run& a, const Run& b) { return a.program < b.program; };
  if (!std::is_sorted(runs_.begin(), runs_.end(), by_program)) std::stable_sort(runs_.begin(), runs_.end(), by_program);
  uint32_t run_bytes = static_cast<uint32_t>(runs_.size() * sizeof(Run));
  if (view().runs_begin() + run_bytes + header.heap_bytes > header.capacity) make_room(0);
  uint32_t exact = size_class(view().runs_begin() + run_bytes + view().header().heap_bytes);
  if (exact * 2 < view().header().capacity) relocate(exact);   // give back what a burst has left
  view().header().run_count = static_cast<uint32_t>(runs_.size());
  if (run_bytes > 0) std::memcpy(bytes_ + view().runs_begin(), runs_.data(), run_bytes);
  return bytes_;
}

uint32_t BlockEditor::used_low() const {
  return view().runs_begin() + static_cast<uint32_t>(runs_.size() * sizeof(Run));
}

// Makes the block hold `bytes` more between cells and heap, runs included. A block that is full is compacted; where that does not leave a
// quarter free it grows too, or the next compaction would come soon and find little. True: it was compacted.
bool BlockEditor::make_room(uint32_t bytes) {
  const bool compacts = view().header().heap_bytes >= compact_at_;
  if (compacts) {
    compact();
    compact_at_ = std::max(kHeapCompactMin, view().header().heap_bytes * 2);
  }
  uint32_t need = used_bytes() + bytes;
  if (need + (compacts ? view().header().capacity / 4 : 0) <= view().header().capacity) return compacts;
  bool small = need <= 384;   // first sizes exactly; half as much again once the key has shown that it grows
  relocate(size_class(small ? need : need + need / 2));
  return compacts;
}

void BlockEditor::relocate(uint32_t capacity) {
  BlockHeader header = view().header();
  uint8_t* moved = memory_.allocate(capacity);
  std::memcpy(moved, bytes_, view().runs_begin());
  std::memcpy(moved + capacity - header.heap_bytes, bytes_ + header.capacity - header.heap_bytes, header.heap_bytes);
  memory_.release(bytes_);
  bytes_ = moved;
  view().header().capacity = capacity;
}

namespace {

// What compaction notes of an object that stays. Merged nodes from kMergedMark on: by whose time they are over.
constexpr uint32_t kRowMark = 1;
constexpr uint32_t kNodeMark = 2;
constexpr uint32_t kMergedMark = 3;
constexpr size_t kMarksKeptMax = 1u << 18;     // scratch that is not given back

}  // namespace

void BlockEditor::mark(uint32_t ref, uint32_t mark) {
  live_[ref / 64] |= uint64_t{1} << (ref % 64);
  marks_[ref] = mark;
}

// Marks what runs, episodes and held references reach: one pass from the newest object to the oldest, since none refers to a newer one.
// Lists of merged nodes end where everything behind is over.
void BlockEditor::mark_live() {
  const BlockView block = view();
  const size_t refs = block.header().heap_bytes / 8 + 1;
  if (marks_.size() < refs) marks_.resize(refs);
  live_.assign(refs / 64 + 1, 0);
  spans_.clear();
  for (const Run& run : runs_) {
    if (run.is_merged == 0) {
      mark(run.node, kNodeMark);
      continue;
    }
    const BoundRule* rule = rules_ != nullptr ? rules_->find(run.program) : nullptr;
    mark(run.node, kMergedMark + static_cast<uint32_t>(spans_.size()));
    spans_.push_back(rule != nullptr ? rule->entry.program->within_us : kTimeMax);
  }
  for_each_episode(block, [&](EpisodeCell& episode) { mark(episode.node, kNodeMark); });
  for (const uint32_t ref : held_) mark(ref, kNodeMark);
  mark(row_ref_, kRowMark);
  live_[0] &= ~uint64_t{1};                    // no reference is 0
  for (size_t w = live_.size(); w-- > 0;) {
    for (uint64_t done = 0; (live_[w] & ~done) != 0;) {
      const auto bit = static_cast<uint32_t>(63 - std::countl_zero(live_[w] & ~done));
      done |= uint64_t{1} << bit;
      mark_reached(static_cast<uint32_t>(w * 64) + bit);
    }
  }
}

// Marks what an object that is marked refers to.
void BlockEditor::mark_reached(uint32_t ref) {
  const uint32_t own = marks_[ref];
  if (own == kRowMark) return;
  const BlockView block = view();
  const Node& node = block.node(ref);
  mark(node.row, kRowMark);
  if (node.previous != 0) mark(node.previous, own);
  if (own < kMergedMark) return;
  uint32_t& older = reinterpret_cast<MergedNode*>(bytes_ + block.header().capacity - size_t{ref} * 8)->older;
  if (block.is_end_over(ref, spans_[own - kMergedMark], now_)) older = 0;
  else mark(older, own);
}

// Moves what is marked together, oldest first, and rewrites its references. Nothing moves away from the block's end, so what has not moved
// yet is not written over.
void BlockEditor::compact() {
  mark_live();
  const BlockView block = view();
  uint8_t* const end = bytes_ + block.header().capacity;
  uint32_t used = 0;
  uint32_t staying = 0;           // bytes of what was not passing
  for (size_t w = 0; w < live_.size(); ++w) {
    for (uint64_t left = live_[w]; left != 0; left &= left - 1) {
      const auto ref = static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(left));
      const uint32_t own = marks_[ref];
      const uint32_t size = own == kRowMark ? block.row_header(ref).size : static_cast<uint32_t>(sizeof(Node));
      used += size;
      std::memmove(end - used, block.row(ref), size);
      marks_[ref] = used / 8;
      if (ref <= passing_from_ / 8) staying = used;
      if (own == kRowMark) continue;
      Node& node = *reinterpret_cast<Node*>(end - used);
      node.previous = moved(node.previous);
      node.row = moved(node.row);
      if (own < kMergedMark) continue;
      uint32_t& older = reinterpret_cast<MergedNode*>(end - used)->older;
      older = moved(older);
    }
  }
  for (Run& run : runs_) run.node = moved(run.node);
  for_each_episode(block, [&](EpisodeCell& episode) { episode.node = moved(episode.node); });
  for (uint32_t& ref : held_) ref = moved(ref);
  row_ref_ = moved(row_ref_);
  block.header().heap_bytes = used;
  if (passing_from_ != kNotPassing) passing_from_ = staying;
  if (marks_.size() > kMarksKeptMax) marks_ = {};
}

uint32_t BlockEditor::allocate_heap(uint32_t bytes) {
  reserve(bytes);
  BlockHeader& header = view().header();
  header.heap_bytes += bytes;
  return header.heap_bytes / 8;
}

uint32_t BlockEditor::add_row(const Batch& batch, uint32_t row) {
  if (has_row(batch, row)) return row_ref_;
  uint32_t ref = allocate_heap(packed_size(batch, row));
  uint8_t* at = bytes_ + view().header().capacity - size_t{ref} * 8;
  pack_row(batch, row, at);
  reinterpret_cast<RowHeader*>(at)->number = view().header().next_row++;
  row_ref_ = ref;
  row_batch_ = &batch;
  row_index_ = row;
  return ref;
}

uint32_t BlockEditor::add_packed_row(const uint8_t* packed, uint32_t size) {
  uint32_t ref = allocate_heap(size);
  std::memcpy(bytes_ + view().header().capacity - size_t{ref} * 8, packed, size);
  row_ref_ = ref;
  row_batch_ = nullptr;
  return ref;
}

uint32_t BlockEditor::add_node(const Node& node) {
  // Room first: compaction may move what the new node refers to, so both references are held as roots meanwhile.
  uint32_t previous = hold(node.previous);
  if (node.row != row_ref_) {
    row_ref_ = node.row;
    row_batch_ = nullptr;
  }
  uint32_t ref = allocate_heap(sizeof(Node));
  Node stored = node;
  stored.previous = held_[previous];
  stored.row = row_ref_;
  held_.pop_back();
  std::memcpy(bytes_ + view().header().capacity - size_t{ref} * 8, &stored, sizeof stored);
  return ref;
}

uint32_t BlockEditor::add_merged_node(const MergedNode& node) {
  const uint32_t ref = allocate_heap(sizeof node);
  std::memcpy(bytes_ + view().header().capacity - size_t{ref} * 8, &node, sizeof node);
  return ref;
}

uint64_t BlockEditor::reached_bytes(std::span<const uint32_t> nodes) {
  const BlockView block = view();
  live_.assign(block.header().heap_bytes / 8 / 64 + 1, 0);
  const auto is_first = [&](uint32_t ref) {
    const uint64_t bit = uint64_t{1} << (ref % 64);
    const bool was_reached = (live_[ref / 64] & bit) != 0;
    live_[ref / 64] |= bit;
    return !was_reached;
  };
  uint64_t bytes = 0;
  for (const uint32_t last : nodes) {
    for (uint32_t ref = last; ref != 0 && is_first(ref); ref = block.node(ref).previous) {
      const uint32_t row = block.node(ref).row;
      bytes += sizeof(Node) + (is_first(row) ? block.row_header(row).size : 0);
    }
  }
  return bytes;
}

void BlockEditor::drop_passing() {
  if (passing_from_ == kNotPassing) return;
  held_.clear();
  if (row_ref_ > passing_from_ / 8) row_ref_ = 0;
  view().header().heap_bytes = passing_from_;
  passing_from_ = kNotPassing;
}

Cell* BlockEditor::add_cell(CellKind kind, uint64_t id, uint32_t payload_bytes) {
  uint32_t size = static_cast<uint32_t>(sizeof(Cell)) + round_up(payload_bytes, 8);
  if (used_bytes() + size > view().header().capacity) make_room(size);
  Cell* cell = reinterpret_cast<Cell*>(bytes_ + view().runs_begin());
  std::memset(static_cast<void*>(cell), 0, size);
  cell->id = id;
  cell->kind = kind;
  cell->size = size;
  view().header().cell_bytes += size;
  return cell;
}

Cell* BlockEditor::resize_cell(Cell* cell, uint32_t payload_bytes) {
  uint32_t offset = static_cast<uint32_t>(reinterpret_cast<uint8_t*>(cell) - bytes_);
  uint32_t old_size = cell->size;
  uint32_t size = static_cast<uint32_t>(sizeof(Cell)) + round_up(payload_bytes, 8);
  if (size > old_size && used_bytes() + size - old_size > view().header().capacity) {
    make_room(size - old_size);
  }
  cell = reinterpret_cast<Cell*>(bytes_ + offset);
  uint32_t tail = view().runs_begin() - offset - old_size;
  std::memmove(bytes_ + offset + size, bytes_ + offset + old_size, tail);
  if (size > old_size) std::memset(bytes_ + offset + old_size, 0, size - old_size);
  cell->size = size;
  view().header().cell_bytes += size - old_size;
  return cell;
}

void BlockEditor::remove_cell(Cell* cell) {
  uint8_t* at = reinterpret_cast<uint8_t*>(cell);
  uint32_t size = cell->size;
  uint8_t* end = bytes_ + view().runs_begin();
  std::memmove(at, at + size, static_cast<size_t>(end - at) - size);
  view().header().cell_bytes -= size;
}

std::string block_image(BlockView block) {
  BlockHeader header = block.header();
  const size_t high = header.heap_bytes;
  std::string image;
  image.reserve(block.used_bytes());
  image.append(reinterpret_cast<const char*>(block.bytes()), block.used_bytes() - high);
  image.append(reinterpret_cast<const char*>(block.bytes()) + header.capacity - high, high);
  header.capacity = static_cast<uint32_t>(image.size());
  header.dirty = 0;
  header.is_timed = 0;
  header.segment = 0;
  std::memcpy(image.data(), &header, sizeof header);
  return image;
}

uint8_t* block_of_image(std::span<uint8_t> image, BlockMemory& memory) {
  const BlockHeader header = BlockView(image.data()).header();
  uint32_t capacity = size_class(static_cast<uint32_t>(image.size()));
  uint8_t* block = memory.allocate(capacity);
  size_t low = image.size() - header.heap_bytes;
  std::memcpy(block, image.data(), low);
  std::memcpy(block + capacity - header.heap_bytes, image.data() + low, header.heap_bytes);
  BlockView(block).header().capacity = capacity;
  return block;
}

}  // namespace cep
