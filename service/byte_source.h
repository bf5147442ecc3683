// The bytes of a file or of the standard input, unpacked on the way: gzip and zstd are known by their first bytes.
// Memory is bounded: it never holds more than one piece of the file. Threads: one owner.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cep/result.h"

namespace service {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // Appends the next piece to `out`; false at the end. Errors: io_error, bad_archive.
  virtual cep::Result<bool> read(std::string& out) = 0;
  // Of the file as stored: for progress. Size 0: not known.
  virtual uint64_t bytes_read() const = 0;
  virtual uint64_t bytes_total() const = 0;

  // "-" is the standard input. Errors: not_found, io_error.
  static cep::Result<std::unique_ptr<ByteSource>> open(const std::string& path);
};

}  // namespace service
