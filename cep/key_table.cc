// See key_table.h: how a table grows.
#include "cep/key_table.h"

namespace cep {

KeyTable::KeyTable() : directory_(1), counts_(1) {
  segments_.push_back({std::vector<Slot>(16), 0});
  point_to(0, 0, 1);
}

// The entries of the directory at `first` and every `step` behind it are the segment's.
void KeyTable::point_to(uint32_t number, size_t first, size_t step) {
  std::vector<Slot>& slots = segments_[number].slots;
  const Segmented entry = {slots.data(), static_cast<uint32_t>(slots.size() - 1), number};
  for (size_t i = first; i < directory_.size(); i += step) directory_[i] = entry;
}

// Hashes that a directory of reasonable size does not part get a larger segment instead.
void KeyTable::make_room(uint64_t hash) {
  ++layout_;
  const uint32_t number = entry_of(hash).segment;
  const uint32_t depth = segments_[number].depth;
  const bool is_parted = depth < kDepthMax && (size_t{1} << depth < directory_.size() || directory_.size() <= segments_.size() * 8);
  const bool splits = segments_[number].slots.size() >= kSegmentSlots && is_parted;
  const size_t first = hash >> kDirectoryShift & ((size_t{1} << depth) - 1);
  std::vector<Slot> moved(segments_[number].slots.size() * (splits ? 1 : 2));
  slots_ += moved.size() / (splits ? 1 : 2);
  moved.swap(segments_[number].slots);
  if (splits) {
    if (size_t{1} << depth == directory_.size()) {
      directory_.resize(directory_.size() * 2);
      directory_mask_ = directory_.size() - 1;
      std::copy_n(directory_.begin(), directory_.size() / 2, directory_.begin() + static_cast<ptrdiff_t>(directory_.size() / 2));
    }
    segments_[number].depth = depth + 1;
    segments_.push_back({std::vector<Slot>(moved.size()), depth + 1});
    counts_.push_back(0);
    point_to(static_cast<uint32_t>(segments_.size() - 1), first + (size_t{1} << depth), size_t{2} << depth);
  }
  point_to(number, first, (splits ? size_t{2} : size_t{1}) << depth);
  counts_[number] = 0;
  for (const Slot& slot : moved) {
    if (slot.block == nullptr) continue;
    *free_slot(entry_of(slot.hash), slot.hash) = slot;
    ++counts_[entry_of(slot.hash).segment];
  }
}

}  // namespace cep
