#include "service/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace service {
namespace {

constexpr size_t kUrlBytesMax = 2048;
constexpr int kPollMs = 1000;  // libcurl shortens it to its own next timer, and submit() wakes it

// libcurl's handles are all `void*` to the compiler, so the way to free one is part of the type.
template <auto kFree>
struct CurlFree {
  void operator()(auto* handle) const { kFree(handle); }
};
using EasyHandle = std::unique_ptr<CURL, CurlFree<curl_easy_cleanup>>;
using MultiHandle = std::unique_ptr<CURLM, CurlFree<curl_multi_cleanup>>;
using HeaderList = std::unique_ptr<curl_slist, CurlFree<curl_slist_free_all>>;
using UrlHandle = std::unique_ptr<CURLU, CurlFree<curl_url_cleanup>>;
using CurlText = std::unique_ptr<char, CurlFree<curl_free>>;

struct Job {
  HttpRequest request;
  HttpDone done;
};

// One request under way. Its address is given to libcurl, so it stays where it is until the transfer is removed.
struct Transfer {
  Job job;
  const EgressPolicy* policy = nullptr;
  uint64_t body_bytes_left = 0;
  bool body_cut = false;
  bool address_refused = false;    // at least one
  bool address_permitted = false;  // at least one
  HeaderList headers;
  EasyHandle easy;  // last: destroyed first, while what it points to is alive
};

// Called with the address libcurl is about to connect to, once for each address it tries: a refusal here leaves it the
// next one. What is checked is what is connected to.
curl_socket_t open_socket(void* context, curlsocktype purpose, curl_sockaddr* address) {
  auto* transfer = static_cast<Transfer*>(context);
  if (purpose != CURLSOCKTYPE_IPCXN || !transfer->policy->permits(address->addr)) {
    transfer->address_refused = true;
    return CURL_SOCKET_BAD;
  }
  transfer->address_permitted = true;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

size_t drop_body(char*, size_t size, size_t count, void* context) {
  auto* transfer = static_cast<Transfer*>(context);
  const size_t bytes = size * count;
  if (bytes > transfer->body_bytes_left) {
    transfer->body_cut = true;
    return 0;
  }
  transfer->body_bytes_left -= bytes;
  return bytes;
}

HeaderList header_list(const std::vector<HttpHeader>& headers) {
  // `Expect:` without a value removes the header libcurl would add to a large body, which costs a round trip.
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const HttpHeader& header : headers) {
    // "Name;" is how libcurl is told of a header with an empty value.
    const std::string line = header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    list = curl_slist_append(list, line.c_str());
  }
  return HeaderList(list);
}

TransportError error_of(CURLcode code, const Transfer& transfer) {
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return TransportError::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST: return TransportError::kResolve;
    case CURLE_COULDNT_CONNECT:
      return transfer.address_refused && !transfer.address_permitted ? TransportError::kRefusedAddress
                                                                     : TransportError::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return TransportError::kTls;
    default: return TransportError::kBroken;
  }
}

HttpResult read_result(CURLcode code, const Transfer& transfer) {
  CURL* easy = transfer.easy.get();
  HttpResult result;
  curl_off_t total_us = 0;
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total_us);
  result.latency_us = total_us;
  if (code != CURLE_OK && !transfer.body_cut) {
    result.error = error_of(code, transfer);
    return result;
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  result.status = static_cast<int>(status);
  if (status == 0) result.error = TransportError::kBroken;
  curl_off_t retry_after_s = 0;
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after_s);
  if (retry_after_s > 0) result.retry_after_s = retry_after_s;
  return result;
}

HttpResult failed(TransportError error) {
  HttpResult result;
  result.error = error;
  return result;
}

long whole_ms(cep::DurationUs us) { return static_cast<long>(std::max<cep::DurationUs>(1, us / cep::kMillisecond)); }

}  // namespace

std::string_view transport_error_word(TransportError error) {
  switch (error) {
    case TransportError::kNone: return "";
    case TransportError::kTimeout: return "timeout";
    case TransportError::kResolve: return "resolve_failed";
    case TransportError::kRefusedAddress: return "refused_address";
    case TransportError::kConnect: return "connect_failed";
    case TransportError::kTls: return "tls_failed";
    case TransportError::kBroken: return "connection_broken";
    case TransportError::kCancelled: return "cancelled";
  }
  WEIR_CHECK(false, "a transport error without a word");
}

class HttpClient::Loop {
 public:
  explicit Loop(HttpClientOptions options) : options_(std::move(options)), multi_(curl_multi_init()) {}

  ~Loop() { stop(); }

  bool start() {
    if (!multi_) return false;
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(options_.requests_max));
    thread_ = std::thread([this] { run(); });
    return true;
  }

  cep::Status submit(HttpRequest request, HttpDone done) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return cep::Error{"stopped", "the HTTP client is stopping"};
      if (unfinished_ >= options_.requests_max) {
        return cep::Error{"busy",
                          std::to_string(unfinished_) + " outgoing requests are unfinished, which is the limit"};
      }
      ++unfinished_;
      queue_.push_back({std::move(request), std::move(done)});
    }
    curl_multi_wakeup(multi_.get());
    return cep::ok_status();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    if (!thread_.joinable()) return;
    curl_multi_wakeup(multi_.get());
    thread_.join();
  }

 private:
  void run() {
    for (std::vector<Job> jobs; take(jobs);) {
      for (Job& job : jobs) begin(std::move(job));
      jobs.clear();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      finish_done();
      curl_multi_poll(multi_.get(), nullptr, 0, kPollMs, nullptr);
    }
    cancel_all();
  }

  // False once the client is stopping.
  bool take(std::vector<Job>& jobs) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    std::swap(jobs, queue_);
    return true;
  }

  void begin(Job job) {
    auto transfer = std::make_unique<Transfer>();
    transfer->job = std::move(job);
    transfer->policy = &options_.policy;
    transfer->body_bytes_left = options_.response_bytes_max;
    transfer->headers = header_list(transfer->job.request.headers);
    transfer->easy.reset(curl_easy_init());
    CURL* easy = transfer->easy.get();
    if (easy == nullptr || !configure(*transfer) || curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
      complete(transfer->job, failed(TransportError::kBroken));
      return;
    }
    transfers_.emplace(easy, std::move(transfer));
  }

  bool configure(Transfer& transfer) {
    CURL* easy = transfer.easy.get();
    bool ok = true;
    const auto set = [&](CURLoption option, auto value) { ok &= curl_easy_setopt(easy, option, value) == CURLE_OK; };
    set(CURLOPT_URL, transfer.job.request.url.c_str());
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, transfer.job.request.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.job.request.body.size()));
    set(CURLOPT_HTTPHEADER, transfer.headers.get());
    set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // and none from the environment: a proxy would connect where the policy cannot look
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);  // a resolver that hangs must not hold the loop when its transfer times out
    set(CURLOPT_CONNECTTIMEOUT_MS, whole_ms(options_.connect_timeout_us));
    set(CURLOPT_TIMEOUT_MS, whole_ms(options_.timeout_us));
    set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
    set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&transfer));
    set(CURLOPT_WRITEFUNCTION, &drop_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    return ok;
  }

  void finish_done() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;  // `message` dies with the next call on the multi handle
      auto node = transfers_.extract(message->easy_handle);
      WEIR_CHECK(!node.empty(), "libcurl finished a transfer that was not begun");
      curl_multi_remove_handle(multi_.get(), node.key());
      complete(node.mapped()->job, read_result(code, *node.mapped()));
    }
  }

  void cancel_all() {
    for (auto& [easy, transfer] : transfers_) {
      curl_multi_remove_handle(multi_.get(), easy);
      complete(transfer->job, failed(TransportError::kCancelled));
    }
    transfers_.clear();
    std::vector<Job> waiting;
    {
      const std::lock_guard lock(mutex_);
      std::swap(waiting, queue_);
    }
    for (Job& job : waiting) complete(job, failed(TransportError::kCancelled));
  }

  void complete(Job& job, const HttpResult& result) {
    {
      const std::lock_guard lock(mutex_);
      --unfinished_;
    }
    job.done(result);
  }

  const HttpClientOptions options_;
  MultiHandle multi_;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> transfers_;  // loop thread only

  std::mutex mutex_;  // guards the three below
  std::vector<Job> queue_;
  uint32_t unfinished_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

HttpClient::HttpClient(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}

HttpClient::~HttpClient() {
  loop_.reset();
  curl_global_cleanup();  // counted by libcurl: pairs with create()
}

cep::Result<std::unique_ptr<HttpClient>> HttpClient::create(HttpClientOptions options) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return cep::Error{"egress_unavailable", "libcurl did not initialise; outgoing HTTP is not possible"};
  }
  auto loop = std::make_unique<Loop>(std::move(options));
  const bool started = loop->start();
  std::unique_ptr<HttpClient> client(new HttpClient(std::move(loop)));
  if (!started) return cep::Error{"egress_unavailable", "libcurl gave no multi handle; outgoing HTTP is not possible"};
  return client;
}

cep::Status HttpClient::submit(HttpRequest request, HttpDone done) {
  return loop_->submit(std::move(request), std::move(done));
}

void HttpClient::stop() { loop_->stop(); }

cep::Status check_http_url(std::string_view url) {
  const auto bad = [](std::string reason) { return cep::Error{"bad_url", "the URL " + std::move(reason)}; };
  if (url.size() > kUrlBytesMax) return bad("is longer than 2048 characters");
  if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    return bad("has a blank, a control character or a character outside ASCII");
  }
  // libcurl forgives a third slash and takes the first piece of the path for the host.
  if (url.find(":///") != url.npos) return bad("has no host");
  UrlHandle parsed(curl_url());
  const std::string terminated(url);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, terminated.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return bad("cannot be read; write it as https://host/path");
  }
  const auto part = [&](CURLUPart which) -> std::optional<std::string> {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), which, &text, 0) != CURLUE_OK) return std::nullopt;
    return std::string(CurlText(text).get());
  };
  const std::string scheme = part(CURLUPART_SCHEME).value_or("");
  if (scheme != "http" && scheme != "https") return bad("must begin with https:// or http://");
  if (part(CURLUPART_HOST).value_or("").empty()) return bad("has no host");
  if (part(CURLUPART_USER) || part(CURLUPART_PASSWORD)) return bad("holds a user or password; use a header instead");
  if (part(CURLUPART_FRAGMENT)) return bad("has a fragment (#...), which is never sent");
  return cep::ok_status();
}

}  // namespace service
