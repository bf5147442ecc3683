// Memory for the blocks of keys (cep/block.h). One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace cep {

// Memory of blocks: free lists by size class over slabs, because keys come and go all the time; large blocks from the heap. The lists are
// deques, for a list of millions grows without being copied; each is made when it is needed, for an empty one takes 600 bytes. Slabs are
// kept until the end. Built with AddressSanitizer every block is an allocation of its own.
class BlockMemory {
 public:
  BlockMemory() = default;
  ~BlockMemory();
  BlockMemory(const BlockMemory&) = delete;
  BlockMemory& operator=(const BlockMemory&) = delete;

  uint8_t* allocate(uint32_t bytes);     // a multiple of 32
  void release(uint8_t* block);          // its header says the size
  // Asks for the memory of what allocate() will give when it is asked for so many bytes, `further` times before that.
  void prefetch_free(uint32_t bytes, size_t further) const;
  uint64_t bytes_in_use() const { return in_use_; }

 private:
  static constexpr uint32_t kSmallMax = 2048;
  static constexpr uint32_t kUnit = 32;
  static constexpr uint32_t kSlabBytes = 256 << 10;
  static constexpr uint32_t kLine = 64;      // of cache, which slabs begin with

  uint8_t* from_slab(uint32_t bytes);

  std::optional<std::deque<uint8_t*>> free_[kSmallMax / kUnit + 1];
  std::vector<uint8_t*> slabs_;
  uint32_t slab_left_ = 0;
  uint64_t in_use_ = 0;
};

}  // namespace cep
