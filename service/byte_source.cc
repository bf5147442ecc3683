#include "service/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

namespace service {
namespace {

constexpr size_t kPieceBytes = 256 << 10;

class PlainBytes : public ByteSource {
 public:
  PlainBytes(int fd, uint64_t total, std::string path) : fd_(fd), total_(total), path_(std::move(path)) {}
  ~PlainBytes() override {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }
  PlainBytes(const PlainBytes&) = delete;
  PlainBytes& operator=(const PlainBytes&) = delete;

  cep::Result<bool> read(std::string& out) override {
    const size_t before = out.size();
    out.resize(before + kPieceBytes);
    ssize_t got = 0;
    do {
      got = ::read(fd_, out.data() + before, kPieceBytes);
    } while (got < 0 && errno == EINTR);
    const int error = errno;
    out.resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got < 0) return cep::Error{"io_error", path_ + ": " + std::strerror(error)};
    read_ += static_cast<uint64_t>(got);
    return got > 0;
  }
  uint64_t bytes_read() const override { return read_; }
  uint64_t bytes_total() const override { return total_; }

 private:
  int fd_;
  uint64_t read_ = 0;
  uint64_t total_;
  std::string path_;
};

// Unpacks another source. `input_` holds packed bytes from `used_` on.
class PackedBytes : public ByteSource {
 public:
  PackedBytes(std::unique_ptr<ByteSource> packed, std::string head, std::string path)
      : packed_(std::move(packed)), input_(std::move(head)), path_(std::move(path)) {}

  uint64_t bytes_read() const override { return packed_->bytes_read(); }
  uint64_t bytes_total() const override { return packed_->bytes_total(); }

 protected:
  // False: no packed bytes are left.
  cep::Result<bool> refill() {
    if (used_ < input_.size()) return true;
    input_.clear();
    used_ = 0;
    return packed_->read(input_);
  }
  cep::Error damaged(std::string_view what) const { return {"bad_archive", path_ + ": " + std::string(what)}; }

  std::unique_ptr<ByteSource> packed_;
  std::string input_;
  size_t used_ = 0;
  std::string path_;
};

class GzipBytes : public PackedBytes {
 public:
  using PackedBytes::PackedBytes;
  ~GzipBytes() override { inflateEnd(&stream_); }
  bool start() { return inflateInit2(&stream_, 15 + 16) == Z_OK; }    // 16: a gzip frame

  cep::Result<bool> read(std::string& out) override {
    const size_t before = out.size();
    while (out.size() == before) {
      cep::Result<bool> more = refill();
      if (!more) return more.error();
      if (!*more) {
        if (inside_) return damaged("the gzip stream is cut off");
        return false;
      }
      out.resize(before + kPieceBytes);
      stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + used_);
      stream_.avail_in = static_cast<uInt>(input_.size() - used_);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = kPieceBytes;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      used_ = input_.size() - stream_.avail_in;
      out.resize(before + kPieceBytes - stream_.avail_out);
      inside_ = status != Z_STREAM_END;
      if (status == Z_STREAM_END) {
        inflateReset(&stream_);      // another member may follow
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return damaged(stream_.msg == nullptr ? "not a gzip stream" : stream_.msg);
      }
    }
    return true;
  }

 private:
  z_stream stream_{};
  bool inside_ = false;
};

class ZstdBytes : public PackedBytes {
 public:
  using PackedBytes::PackedBytes;
  ~ZstdBytes() override { ZSTD_freeDStream(stream_); }
  bool start() {
    stream_ = ZSTD_createDStream();
    return stream_ != nullptr;
  }

  cep::Result<bool> read(std::string& out) override {
    const size_t before = out.size();
    while (out.size() == before) {
      cep::Result<bool> more = refill();
      if (!more) return more.error();
      if (!*more && !inside_) return false;
      ZSTD_inBuffer in{input_.data(), input_.size(), used_};
      out.resize(before + kPieceBytes);
      ZSTD_outBuffer room{out.data() + before, kPieceBytes, 0};
      const size_t status = ZSTD_decompressStream(stream_, &room, &in);
      used_ = in.pos;
      out.resize(before + room.pos);
      if (ZSTD_isError(status) != 0) return damaged(ZSTD_getErrorName(status));
      inside_ = status != 0;
      if (!*more && room.pos == 0) return damaged("the zstd stream is cut off");
    }
    return true;
  }

 private:
  ZSTD_DStream* stream_ = nullptr;
  bool inside_ = false;
};

// The head of `source` given back: what follows is read from it.
class HeadedBytes : public ByteSource {
 public:
  HeadedBytes(std::unique_ptr<ByteSource> source, std::string head) : source_(std::move(source)), head_(std::move(head)) {}
  cep::Result<bool> read(std::string& out) override {
    if (head_.empty()) return source_->read(out);
    out += head_;
    head_.clear();
    return true;
  }
  uint64_t bytes_read() const override { return source_->bytes_read(); }
  uint64_t bytes_total() const override { return source_->bytes_total(); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::string head_;
};

}  // namespace

cep::Result<std::unique_ptr<ByteSource>> ByteSource::open(const std::string& path) {
  int fd = STDIN_FILENO;
  uint64_t total = 0;
  if (path != "-") {
    fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const int error = errno;
    if (fd < 0) return cep::Error{error == ENOENT ? "not_found" : "io_error", path + ": " + std::strerror(error)};
    struct stat about {};
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) total = static_cast<uint64_t>(about.st_size);
  }
  std::unique_ptr<ByteSource> plain = std::make_unique<PlainBytes>(fd, total, path);
  std::string head;
  while (head.size() < 4) {
    const cep::Result<bool> more = plain->read(head);
    if (!more) return more.error();
    if (!*more) break;
  }
  const cep::Error no_memory{"io_error", path + ": no memory to unpack it"};
  if (head.starts_with("\x1f\x8b")) {
    auto gzip = std::make_unique<GzipBytes>(std::move(plain), std::move(head), path);
    if (!gzip->start()) return no_memory;
    return std::unique_ptr<ByteSource>(std::move(gzip));
  }
  if (head.starts_with("\x28\xb5\x2f\xfd")) {
    auto zstd = std::make_unique<ZstdBytes>(std::move(plain), std::move(head), path);
    if (!zstd->start()) return no_memory;
    return std::unique_ptr<ByteSource>(std::move(zstd));
  }
  return std::unique_ptr<ByteSource>(std::make_unique<HeadedBytes>(std::move(plain), std::move(head)));
}

}  // namespace service
