// CRC-32C (Castagnoli): the checksum of every durable byte. Uses SSE4.2 where the machine has it.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace state {

// The checksum of `bytes` after those that gave `so_far` (0 to begin).
uint32_t crc32c(std::string_view bytes, uint32_t so_far = 0);
// The table form, for machines without the instruction; the tests hold the two equal.
uint32_t crc32c_portable(std::string_view bytes, uint32_t so_far = 0);

}  // namespace state
