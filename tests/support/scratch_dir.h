// A directory of its own for one test, in memory where the machine offers that, removed at the end.
// Threads: one.
#pragma once

#include <string>

namespace support {

class ScratchDir {
 public:
  ScratchDir();
  ~ScratchDir();
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Makes a directory inside and returns its path.
  std::string make(const std::string& name) const;

 private:
  std::string path_;
};

}  // namespace support
