// Flushes to a memory file system cost nothing, so tests may commit thousands of times.
#include "tests/support/scratch_dir.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace support {

ScratchDir::ScratchDir() {
  std::error_code ignored;
  bool in_memory = ::access("/dev/shm", W_OK) == 0;
  path_ = in_memory ? "/dev/shm" : std::filesystem::temp_directory_path(ignored).string();
  path_ += "/weir-test-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror("cannot make a scratch directory");
    std::abort();
  }
}

ScratchDir::~ScratchDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ScratchDir::make(const std::string& name) const {
  std::filesystem::create_directories(path_ + "/" + name);
  return path_ + "/" + name;
}

}  // namespace support
