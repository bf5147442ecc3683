#include "service/event_sender.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <random>
#include <thread>

#include "service/byte_source.h"

namespace service {
namespace {

constexpr int kRejectedShown = 5;

// Lines of a file (unpacked) or of the standard input, in pieces that end with a line.
class LineBatches {
 public:
  cep::Status open(const std::string& file) {
    if (file == "-") return cep::ok_status();
    cep::Result<std::unique_ptr<ByteSource>> source = ByteSource::open(file);
    if (!source) return source.error();
    source_ = std::move(*source);
    return cep::ok_status();
  }

  // The next batch; empty at the end.
  cep::Result<std::string> next() {
    while (true) {
      const size_t end = pending_.rfind('\n', kSendBytes);
      const bool full = pending_.size() >= kSendBytes;
      const size_t cut = full && end == std::string::npos ? pending_.find('\n') : end;
      if (cut != std::string::npos && (full || at_end_ || !more_is_waiting())) return take(cut + 1);
      if (at_end_) return take(pending_.size());
      if (cep::Status status = read(); !status) return status.error();
    }
  }

 private:
  std::string take(size_t bytes) {
    std::string batch = pending_.substr(0, bytes);
    pending_.erase(0, bytes);
    return batch;
  }
  bool more_is_waiting() const {
    if (source_ != nullptr) return true;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return poll(&input, 1, 0) > 0;
  }
  cep::Status read() {
    if (source_ != nullptr) {
      const cep::Result<bool> more = source_->read(pending_);
      if (!more) return more.error();
      at_end_ = !*more;
      return cep::ok_status();
    }
    const size_t before = pending_.size();
    pending_.resize(before + (64 << 10));
    const ssize_t got = ::read(STDIN_FILENO, pending_.data() + before, 64 << 10);
    pending_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    at_end_ = got == 0;
    return got < 0 ? cep::Status(cep::Error{"io_error", "the standard input cannot be read"}) : cep::ok_status();
  }

  std::unique_ptr<ByteSource> source_;
  std::string pending_;
  bool at_end_ = false;
};

class Sender {
 public:
  Sender(ApiClient& client, const SendOptions& options, const Console& console)
      : client_(client), options_(options), console_(console), token_(std::random_device()()) {}

  int run() {
    LineBatches batches;
    if (cep::Status opened = batches.open(options_.file); !opened) return refuse(opened.error());
    while (true) {
      cep::Result<std::string> batch = batches.next();
      if (!batch) return refuse(batch.error());
      if (batch->empty()) break;
      const uint64_t lines = static_cast<uint64_t>(std::count(batch->begin(), batch->end(), '\n'));
      const int status = send(std::move(*batch));
      if (status != kExitFine) return status;
      lines_ += lines;
    }
    console_.complain(fmt::format("{} accepted, {} duplicates, {} rejected\n", accepted_, duplicates_, rejected_));
    return options_.strict && rejected_ > 0 ? kExitBadInput : kExitFine;
  }

 private:
  int refuse(const cep::Error& error) const {
    console_.complain("weir: " + error.message + "\n");
    return kExitBadInput;
  }

  int send(std::string batch) {
    ApiRequest request;
    request.method = "POST";
    request.path = options_.stream.empty() ? "/v1/events" : "/v1/streams/" + url_encode(options_.stream) + "/events";
    request.body = std::move(batch);
    request.headers = {{"Content-Type", "application/x-ndjson"},
                       {"Idempotency-Key", fmt::format("send-{:08x}-{}", token_, ++batches_)}};
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(options_.retry_s);
    while (true) {
      const cep::Result<ApiResponse> answer = client_.send(request);
      const bool may_retry = std::chrono::steady_clock::now() < give_up;
      if (!answer && !may_retry) return print_unreachable(console_, answer.error());
      if (answer && answer->ok()) return count(answer->body);
      const bool busy = answer && answer->status == 429;
      if (answer && !busy && !(answer->status == 503 && may_retry)) return print_refusal(console_, *answer);
      const int wait_s = answer ? std::clamp(answer->retry_after_s, 1, 60) : 1;
      std::this_thread::sleep_for(std::chrono::seconds(wait_s));
    }
  }

  int count(const std::string& body) {
    auto number = [&](std::string_view name) {
      uint64_t value = 0;
      const std::string_view text = json_member(body, name);
      std::from_chars(text.data(), text.data() + text.size(), value);
      return value;
    };
    accepted_ += number("accepted");
    duplicates_ += number("duplicates");
    for (const std::string_view one : json_elements(json_member(body, "rejected"))) {
      if (rejected_++ >= kRejectedShown) continue;
      uint64_t index = 0;
      const std::string_view text = json_member(one, "index");
      std::from_chars(text.data(), text.data() + text.size(), index);
      console_.complain(
          for_terminal(fmt::format("rejected record {}: {}: {}", lines_ + index + 1,
                                   json_text(json_member(one, "code")), json_text(json_member(one, "message")))) +
          "\n");
    }
    return kExitFine;
  }

  ApiClient& client_;
  const SendOptions& options_;
  const Console& console_;
  const uint32_t token_;
  uint64_t batches_ = 0, lines_ = 0, accepted_ = 0, duplicates_ = 0;
  int64_t rejected_ = 0;
};

}  // namespace

int send_events(ApiClient& client, const SendOptions& options, const Console& console) {
  return Sender(client, options, console).run();
}

}  // namespace service
