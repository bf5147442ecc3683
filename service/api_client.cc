#include "service/api_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

namespace service {
namespace {

constexpr long kConnectTimeoutMs = 5'000;
constexpr long kTimeoutMs = 90'000;  // longer than any wait the server offers
constexpr size_t kBodyBytesMax = 256 << 20;

// What libcurl's callbacks see of one exchange.
struct Exchange {
  CURL* curl = nullptr;
  ApiResponse response;
  const ApiClient::Take* take = nullptr;
  const std::function<bool()>* idle = nullptr;
  bool ended = false;  // by our side, on purpose
};

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * count);
  long status = 0;
  curl_easy_getinfo(exchange.curl, CURLINFO_RESPONSE_CODE, &status);
  if (exchange.take != nullptr && status >= 200 && status < 300) {
    exchange.ended = !(*exchange.take)(piece);
    return exchange.ended ? 0 : piece.size();
  }
  if (exchange.response.body.size() + piece.size() > kBodyBytesMax) return 0;
  exchange.response.body += piece;
  return piece.size();
}

size_t on_header(char* data, size_t size, size_t count, void* user) {
  auto& response = static_cast<Exchange*>(user)->response;
  std::string_view line(data, size * count);
  const size_t colon = line.find(':');
  if (colon == line.npos) return size * count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  line.remove_prefix(colon + 1);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  if (name == "etag") response.etag = line;
  if (name == "retry-after") std::from_chars(line.data(), line.data() + line.size(), response.retry_after_s);
  return size * count;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& exchange = *static_cast<Exchange*>(user);
  if (exchange.idle == nullptr || !*exchange.idle || (*exchange.idle)()) return 0;
  exchange.ended = true;
  return 1;
}

}  // namespace

class ApiClient::Handle {
 public:
  Handle() {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl_ = curl_easy_init();
  }
  ~Handle() {
    if (curl_ != nullptr) curl_easy_cleanup(curl_);
    curl_global_cleanup();
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  bool usable() const { return curl_ != nullptr; }
  cep::Result<ApiResponse> exchange(const std::string& server, const ApiRequest& request, const Take* take,
                                    const std::function<bool()>* idle) {
    Exchange exchange{curl_, {}, take, idle, false};
    curl_easy_reset(curl_);
    const std::string url = server + request.path;
    set_basics(url, exchange, take != nullptr);
    curl_slist* headers = curl_slist_append(nullptr, "Expect:");  // a batch is sent at once
    for (const auto& [name, value] : request.headers)
      headers = curl_slist_append(headers, (name + ": " + value).c_str());
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
    if (request.method == "POST" || request.method == "PUT") {
      curl_easy_setopt(curl_, CURLOPT_POST, 1L);
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    const CURLcode code = curl_easy_perform(curl_);
    curl_slist_free_all(headers);
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    exchange.response.status = static_cast<int>(status);
    if (code == CURLE_OK || exchange.ended) return std::move(exchange.response);
    return cep::Error{"unreachable", "no answer from " + server + ": " + curl_easy_strerror(code)};
  }

 private:
  void set_basics(const std::string& url, Exchange& exchange, bool endless) {
    curl_easy_setopt(curl_, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_PROXY, "");
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    if (!endless) curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, kTimeoutMs);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl_, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, exchange.idle == nullptr ? 1L : 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &exchange);
  }

  CURL* curl_ = nullptr;
};

ApiClient::ApiClient(std::string server, std::unique_ptr<Handle> handle)
    : server_(std::move(server)), handle_(std::move(handle)) {}
ApiClient::~ApiClient() = default;

cep::Result<std::unique_ptr<ApiClient>> ApiClient::create(const std::string& server) {
  std::string base = server;
  while (!base.empty() && base.back() == '/') base.pop_back();
  if (!base.starts_with("http://") && !base.starts_with("https://")) {
    return cep::Error{"bad_option", "--server " + server + ": write " + std::string(kDefaultServer)};
  }
  auto handle = std::make_unique<Handle>();
  if (!handle->usable()) return cep::Error{"bad_option", "libcurl cannot be used on this machine"};
  return std::unique_ptr<ApiClient>(new ApiClient(std::move(base), std::move(handle)));
}

cep::Result<ApiResponse> ApiClient::send(const ApiRequest& request) {
  return handle_->exchange(server_, request, nullptr, nullptr);
}

cep::Result<ApiResponse> ApiClient::stream(const ApiRequest& request, const Take& take,
                                           const std::function<bool()>& idle) {
  return handle_->exchange(server_, request, &take, &idle);
}

std::string url_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                      c == '_' || c == '.' || c == '~';
    if (safe) {
      encoded += c;
    } else {
      encoded += {'%', kHex[static_cast<uint8_t>(c) >> 4], kHex[static_cast<uint8_t>(c) & 15]};
    }
  }
  return encoded;
}

void SseReader::feed(std::string_view piece, const std::function<void(const Event&)>& take) {
  rest_ += piece;
  size_t begin = 0;
  for (size_t end; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
    std::string_view line(rest_.data() + begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      if (!next_.event.empty() || !next_.data.empty()) take(next_);
      next_ = {};
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == 0 || colon == line.npos) continue;
    std::string_view value = line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view name = line.substr(0, colon);
    if (name == "id") next_.id = value;
    if (name == "event") next_.event = value;
    if (name == "data") next_.data.append(next_.data.empty() ? "" : "\n").append(value);
  }
  rest_.erase(0, begin);
}

}  // namespace service
