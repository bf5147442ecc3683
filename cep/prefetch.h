// Asks for the memory at an address that will be needed soon. Nothing happens if there is none.
#pragma once

namespace cep {

inline void prefetch(const void* at) {
  __builtin_prefetch(at);
  // To g++ a function that only prefetches does nothing, and it leaves out the calls of it; this one it must keep.
  asm volatile("" : : "r"(at));
}

}  // namespace cep
