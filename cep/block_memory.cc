// See block_memory.h.
#include "cep/block_memory.h"

#include <cstdlib>

#include "cep/block.h"
#include "cep/prefetch.h"

namespace cep {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUsesSlabs = false;
#elif defined(__has_feature)
constexpr bool kUsesSlabs = !__has_feature(address_sanitizer);
#else
constexpr bool kUsesSlabs = true;
#endif

BlockMemory::~BlockMemory() {
  for (uint8_t* slab : slabs_) std::free(slab);
}

uint8_t* BlockMemory::allocate(uint32_t bytes) {
  in_use_ += bytes;
  if (kUsesSlabs && bytes <= kSmallMax) return from_slab(bytes);
  uint8_t* block = static_cast<uint8_t*>(std::malloc(bytes));
  WEIR_CHECK(block != nullptr, "out of memory for a key's block");
  return block;
}

uint8_t* BlockMemory::from_slab(uint32_t bytes) {
  std::optional<std::deque<uint8_t*>>& free = free_[bytes / kUnit];
  if (free && !free->empty()) {
    uint8_t* block = free->back();
    free->pop_back();
    return block;
  }
  if (slab_left_ < bytes) {
    slabs_.push_back(static_cast<uint8_t*>(std::aligned_alloc(kLine, kSlabBytes)));
    WEIR_CHECK(slabs_.back() != nullptr, "out of memory for a key's block");
    slab_left_ = kSlabBytes;
  }
  slab_left_ -= bytes;
  return slabs_.back() + slab_left_;
}

void BlockMemory::prefetch_free(uint32_t bytes, size_t further) const {
  if (!kUsesSlabs || bytes > kSmallMax) return;
  const std::optional<std::deque<uint8_t*>>& free = free_[bytes / kUnit];
  if (!free || free->size() <= further) return;
  const uint8_t* const block = (*free)[free->size() - 1 - further];
  for (uint32_t at = 0; at < bytes; at += kLine) prefetch(block + at);
}

void BlockMemory::release(uint8_t* block) {
  uint32_t bytes = BlockView(block).header().capacity;
  in_use_ -= bytes;
  if (kUsesSlabs && bytes <= kSmallMax && bytes % kUnit == 0) {
    std::optional<std::deque<uint8_t*>>& free = free_[bytes / kUnit];
    if (!free) free.emplace();
    free->push_back(block);
  } else {
    std::free(block);
  }
}

}  // namespace cep
