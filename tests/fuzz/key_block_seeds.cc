// Writes the seeds of key_block_fuzz into a directory: images of real blocks. Run it again when the format of blocks changes.
#include <filesystem>
#include <fstream>

#include "tests/fuzz/key_block_world.h"

int main(int argc, char** argv) {
  if (argc != 2) return 1;
  const fuzz::BlockWorld world;
  for (const char* const letters : {"a", "ab", "abb", "abbb", "c", "ca", "abcdabcd", "aaabbbddd", "aaaa", "aababcabc"}) {
    const auto engine = world.engine();
    world.feed(*engine, world.events(letters));
    std::vector<cep::KeyImage> images;
    engine->begin_images(1, {});
    engine->take_images(SIZE_MAX, images);
    for (const cep::KeyImage& image : images) {
      std::ofstream file(std::filesystem::path(argv[1]) / ("events_" + std::string(letters)), std::ios::binary);
      file << image.bytes;
    }
  }
  return 0;
}
