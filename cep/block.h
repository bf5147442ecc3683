// One key's memory: a single relocatable run of bytes, the same in memory, in the store and on the wire (sentence 2).
//
//   BlockHeader | key bytes | cells (rings, suppress, episodes, ..) | runs, ascending by program | free | heap: nodes and rows
//
// The heap grows downwards and a reference is the distance from the block's END in units of 8 bytes, so a block can grow, shrink or be
// copied without rewriting a reference. A node refers only to older objects (smaller references): no cycles, one pass to verify.
// One thread (the shard's). Complexity: appending is amortised O(1); compaction is linear in the heap and leaves what is live.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cep/block_layout.h"
#include "cep/block_memory.h"
#include "cep/cell.h"
#include "cep/rule_set.h"

namespace cep {

// Reading a block. Does not own.
class BlockView {
 public:
  explicit BlockView(uint8_t* bytes) : bytes_(bytes) {}

  BlockHeader& header() const { return *reinterpret_cast<BlockHeader*>(bytes_); }
  std::string_view key() const { return {reinterpret_cast<char*>(bytes_) + sizeof(BlockHeader), header().key_bytes}; }
  uint32_t cells_begin() const { return static_cast<uint32_t>(sizeof(BlockHeader) + (header().key_bytes + 7) / 8 * 8); }
  uint32_t runs_begin() const { return cells_begin() + header().cell_bytes; }
  uint32_t used_bytes() const {
    return runs_begin() + header().run_count * static_cast<uint32_t>(sizeof(Run)) + header().heap_bytes;
  }
  std::span<Run> runs() const { return {reinterpret_cast<Run*>(bytes_ + runs_begin()), header().run_count}; }
  const Node& node(uint32_t ref) const { return *reinterpret_cast<const Node*>(at(ref)); }
  const MergedNode& merged_node(uint32_t ref) const { return *reinterpret_cast<const MergedNode*>(at(ref)); }
  const uint8_t* row(uint32_t ref) const { return at(ref); }
  const RowHeader& row_header(uint32_t ref) const { return *reinterpret_cast<const RowHeader*>(at(ref)); }
  Cell* find_cell(CellKind kind, uint64_t id) const {
    for (uint32_t at = cells_begin(), end = runs_begin(); at < end;) {
      Cell* cell = reinterpret_cast<Cell*>(bytes_ + at);
      if (cell->id == id && cell->kind == kind) return cell;
      at += cell->size;
    }
    return nullptr;
  }
  // The first node of the newest history that a merged node ends, and when it began.
  uint32_t first_of_latest(uint32_t merged) const;
  TimeUs latest_start(uint32_t merged) const { return row_header(merged_node(first_of_latest(merged)).row).time; }
  // Whether the list behind a merged node is over at `now`; histories live for `span`.
  bool is_end_over(uint32_t merged, DurationUs span, TimeUs now) const;
  // Visits all cells in order.
  template <class F>
  void for_each_cell(F&& visit) const {
    for (uint32_t at = cells_begin(), end = runs_begin(); at < end;) {
      Cell* cell = reinterpret_cast<Cell*>(bytes_ + at);
      at += cell->size;
      visit(*cell);
    }
  }
  uint8_t* bytes() const { return bytes_; }

 private:
  uint8_t* at(uint32_t ref) const { return bytes_ + header().capacity - size_t{ref} * 8; }
  uint8_t* bytes_;
};

// Changes one block at a time. While it is open the runs are a vector, which is the root set when the heap is compacted; close() writes
// them back. Any call that allocates may move the block: references stay valid, pointers and views into it do not.
class BlockEditor {
 public:
  explicit BlockEditor(BlockMemory& memory) : memory_(memory) {}

  // Takes the block over until close(). Histories of merged runs that are over at `now` by the rules go when the heap is compacted.
  void open(uint8_t* block, const RuleSet* rules = nullptr, TimeUs now = kTimeMin);
  // A new, empty block. `bytes_hint`: what a new block of this kind came to, so that it need not grow.
  void create(std::string_view key, uint32_t bytes_hint = 0);
  // Asks for the memory that create() will take, if so many others are created before.
  void prefetch_new(size_t key_bytes, uint32_t bytes_hint, size_t further) const {
    memory_.prefetch_free(new_capacity(key_bytes, bytes_hint), further);
  }
  // Writes the runs back; the block's possibly new address. nullptr if nothing is left in it: it was released.
  uint8_t* close();

  BlockView view() const { return BlockView(bytes_); }
  std::vector<Run>& runs() { return runs_; }
  // Marks a reference to a Node held outside the runs (a match under way) as live until close().
  uint32_t hold(uint32_t node) {
    held_.push_back(node);
    return static_cast<uint32_t>(held_.size() - 1);
  }
  uint32_t held(uint32_t index) const { return held_[index]; }

  // Copies a row of a batch into the heap once per open block and (batch, row); gives it the next number.
  uint32_t add_row(const Batch& batch, uint32_t row);
  bool has_row(const Batch& batch, uint32_t row) const { return row_ref_ != 0 && row_batch_ == &batch && row_index_ == row; }
  uint32_t add_packed_row(const uint8_t* packed, uint32_t size);       // as it is, number included; live until the next add
  uint32_t add_node(const Node& node);
  // Room for so many bytes of cells, heap and runs: until they are used nothing moves. True: references are others now.
  bool reserve(uint32_t bytes) { return used_bytes() + bytes > view().header().capacity && make_room(bytes); }
  uint32_t add_merged_node(const MergedNode& node);                    // in room that was reserved
  // What the heap gets between the two serves only one output: drop_passing() takes it out again, with all that is held.
  void begin_passing() { passing_from_ = view().header().heap_bytes; }
  void drop_passing();
  Cell* add_cell(CellKind kind, uint64_t id, uint32_t payload_bytes);  // zeroed
  Cell* resize_cell(Cell* cell, uint32_t payload_bytes);               // keeps the common prefix, zeroes the rest
  void remove_cell(Cell* cell);
  uint32_t used_bytes() const { return used_low() + view().header().heap_bytes; }
  // Bytes of nodes and rows that chains reach from their last nodes, each once.
  uint64_t reached_bytes(std::span<const uint32_t> nodes);

 private:
  static uint32_t new_capacity(size_t key_bytes, uint32_t bytes_hint);
  void begin(const RuleSet* rules, TimeUs now);
  bool make_room(uint32_t bytes);
  void relocate(uint32_t capacity);
  void compact();
  void mark_live();
  void mark(uint32_t ref, uint32_t mark);
  void mark_reached(uint32_t ref);
  uint32_t moved(uint32_t ref) const { return ref != 0 ? marks_[ref] : 0; }
  uint32_t allocate_heap(uint32_t bytes);
  uint32_t used_low() const;

  static constexpr uint32_t kNotPassing = UINT32_MAX;

  BlockMemory& memory_;
  const RuleSet* rules_ = nullptr;
  TimeUs now_ = kTimeMin;
  uint8_t* bytes_ = nullptr;
  std::vector<Run> runs_;
  std::vector<uint32_t> held_;
  std::vector<uint64_t> live_;    // a bit a reference: of compaction what stays, of reached_bytes what was reached
  std::vector<uint32_t> marks_;   // of compaction, by reference of what stays: what it is, then where it has moved
  std::vector<DurationUs> spans_; // of compaction: how long a history lives, by the number in a mark
  uint32_t passing_from_ = kNotPassing;      // bytes of the heap that stay
  uint32_t row_ref_ = 0;          // of the row added last, a root until close()
  const Batch* row_batch_ = nullptr;
  uint32_t row_index_ = 0;
  uint32_t compact_at_ = 0;       // heap bytes at which compaction is tried again
};

// The image of a block: the same bytes without the free middle and the runtime marks.
std::string block_image(BlockView block);
// The block of a sound image, in memory of its own.
uint8_t* block_of_image(std::span<uint8_t> image, BlockMemory& memory);
// Checks untrusted bytes before they are used as a block: counts, bounds, references, rows by schema, key by parts, rings by the shapes
// of its timeline's.
bool verify_block(std::span<uint8_t> bytes, std::span<const KeyPart> key, const RuleSet& rules, std::span<const BoundRing> rings);

}  // namespace cep
