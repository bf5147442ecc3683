// A key's block as read from a disk: no bytes crash the check that stands before their use; a block that it lets through works: events
// and time can be fed to it, its image can be taken, and that image is let through again.
#include "cep/batch.h"
#include "cep/block.h"
#include "tests/fuzz/key_block_world.h"

namespace {

// The hash under which the key of the image would be looked for, so that the events find it.
uint64_t hash_of_key(const uint8_t* data, size_t size) {
  cep::BlockHeader header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  return header.key_bytes <= size - sizeof header ? cep::hash_bytes(data + sizeof header, header.key_bytes) : 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 8192) return 0;
  static const fuzz::BlockWorld kWorld;
  const auto engine = kWorld.engine();
  const uint64_t hash = hash_of_key(data, size);
  if (!engine->restore_key(kWorld.space(), hash, 1, fuzz::text_of(data, size))) return 0;
  kWorld.feed(*engine, kWorld.events("b", 20));
  std::vector<cep::KeyImage> images;
  engine->begin_images(2, {});
  engine->take_images(SIZE_MAX, images);
  for (const cep::KeyImage& image : images) {
    if (image.bytes.empty()) continue;
    cep::BlockHeader header;
    std::memcpy(&header, image.bytes.data(), sizeof header);
    const bool planted = fuzz::kPlanted && header.run_count > 1 && header.next_row > 100'000;
    const bool sound = kWorld.engine()->restore_key(image.space, image.hash, 2, image.bytes);
    fuzz::check(sound && !planted, "the image of a block that was let through is refused");
  }
  kWorld.feed_all(*engine);
  return 0;
}
