// Memory for the blocks of keys (cep/block.h). One thread.
#pragma once

#include <cstdint>
#include <vector>

namespace cep {

// Memory of blocks: free lists by size class over slabs, because keys come and go all the time; large blocks from the heap. A free block
// holds the next one, so that a list of millions never has to grow. Slabs are kept until the end. Built with AddressSanitizer every block is an allocation of its own.
class BlockMemory {
 public:
  BlockMemory() = default;
  ~BlockMemory();
  BlockMemory(const BlockMemory&) = delete;
  BlockMemory& operator=(const BlockMemory&) = delete;

  uint8_t* allocate(uint32_t bytes);     // a multiple of 32
  void release(uint8_t* block);          // its header says the size
  uint64_t bytes_in_use() const { return in_use_; }

 private:
  static constexpr uint32_t kSmallMax = 2048;
  static constexpr uint32_t kUnit = 32;
  static constexpr uint32_t kSlabBytes = 256 << 10;

  uint8_t* from_slab(uint32_t bytes);

  uint8_t* free_[kSmallMax / kUnit + 1] = {};
  std::vector<uint8_t*> slabs_;
  uint32_t slab_left_ = 0;
  uint64_t in_use_ = 0;
};

}  // namespace cep
