#include "api/http_server.h"

#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "api/problem.h"
#include "api/routes.h"
#include "api/sse.h"

// gcc 12 takes the frames of inlined coroutines for freed with another operator than they were allocated with.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace api {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = net::ip::tcp;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr size_t kReadBytes = 4096;
constexpr size_t kLingerBytesMax = 1 << 20;
constexpr int kLingerMs = 1'000;
constexpr uint64_t kIgnoredBodyMax = 4096;     // of routes that want none: some clients always send "{}"
constexpr int kAcceptPauseMs = 100;            // after an error such as "too many open files"

class Session;

// What all connections share. Outlives every session: each holds it.
struct Core : std::enable_shared_from_this<Core> {
  Core(const HttpServerOptions& o, Backend& b) : options(o), backend(b), io(o.io_threads) {}

  // False: too many connections, in all or from this address.
  bool admit(const std::shared_ptr<Session>& session, const net::ip::address& address);
  void leave(Session* session, const net::ip::address& address);
  std::vector<std::shared_ptr<Session>> sessions();
  void on_feed();

  const HttpServerOptions options;
  Backend& backend;
  net::io_context io;
  std::atomic<bool> draining{false};
  std::atomic<uint64_t> feed_generation{0};
  std::atomic<uint32_t> streams{0};            // connections that are event streams
  std::atomic<uint64_t> bodies_bytes{0};

  std::mutex mutex;                            // of what follows
  std::condition_variable all_left;
  std::unordered_map<Session*, std::weak_ptr<Session>> live;
  std::map<net::ip::address, uint32_t> per_address;
};

// Bytes of bodies_bytes_max held while a request is read and served.
class BodyCredit {
 public:
  BodyCredit(std::atomic<uint64_t>& used, uint64_t limit, uint64_t wanted) : used_(used), bytes_(wanted) {
    ok_ = used_.fetch_add(bytes_) + bytes_ <= limit;
  }
  ~BodyCredit() { used_.fetch_sub(bytes_); }
  BodyCredit(const BodyCredit&) = delete;
  BodyCredit& operator=(const BodyCredit&) = delete;
  bool ok() const { return ok_; }

 private:
  std::atomic<uint64_t>& used_;
  uint64_t bytes_;
  bool ok_ = false;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Core> core, tcp::socket socket, net::ip::address address)
      : core_(std::move(core)), address_(std::move(address)), stream_(std::move(socket)), wake_(stream_.get_executor()) {}

  net::awaitable<void> run();
  // From any thread.
  template <class Change>
  void post(Change change) {
    net::post(stream_.get_executor(), [weak = weak_from_this(), change = std::move(change)]() mutable {
      if (const auto self = weak.lock()) change(*self);
    });
  }
  void refuse_and_close();                     // before run(): one try to say 503
  // The rest: on the strand.
  void deliver(Answer answer) { answer_ = std::move(answer), wake_.cancel(); }
  void deliver(FeedQuery query, bool gap) { feed_ = std::move(query), feed_gap_ = gap, wake_.cancel(); }
  void deliver(FeedPage page) { page_ = std::move(page), wake_.cancel(); }
  void wake() { wake_.cancel(); }
  void begin_drain();
  void cut();

 private:
  using Head = std::optional<std::string>;     // request head with its empty line

  net::awaitable<Head> read_head(bool first);
  net::awaitable<bool> serve(std::string head);
  net::awaitable<bool> read_body(http::request_parser<http::string_body>& parser, bool* answered);
  net::awaitable<bool> call(const RouteMatch& match, HttpRequest& request, bool keep);
  net::awaitable<bool> write(Answer answer, bool keep);
  net::awaitable<bool> write_bytes(std::string_view bytes);
  net::awaitable<bool> refuse(Answer answer);
  net::awaitable<void> stream_feed();
  net::awaitable<bool> wait_until(Clock::time_point deadline);
  net::awaitable<void> linger();
  void observe(int status);
  Responder responder();
  Answer bad_message() const { return problem_answer("bad-request", "The message is malformed."); }

  const std::shared_ptr<Core> core_;
  const net::ip::address address_;
  beast::tcp_stream stream_;
  net::steady_timer wake_;
  beast::flat_buffer buffer_;                  // bytes read and not yet used
  std::optional<Answer> answer_;
  std::optional<FeedQuery> feed_;
  std::optional<FeedPage> page_;
  bool feed_gap_ = false;
  bool idle_ = false;                          // waiting for a request's first byte
  bool streaming_ = false;
  bool cut_ = false;
  std::string_view route_path_;                // of the request under way, for metrics
  std::string method_;
  Clock::time_point started_;
};

// Carries one reply from wherever it is called to the session; a reply that is dropped answers 503.
class ReplyLine {
 public:
  explicit ReplyLine(std::weak_ptr<Session> session) : session_(std::move(session)) {}
  ~ReplyLine() {
    if (!used_.exchange(true)) send(problem_answer("unavailable", "The request was dropped while stopping; try again."));
  }
  ReplyLine(const ReplyLine&) = delete;
  ReplyLine& operator=(const ReplyLine&) = delete;

  void answer(Answer answer) {
    WEIR_CHECK(!used_.exchange(true), "a request was answered twice");
    send(std::move(answer));
  }
  void stream(FeedQuery query, bool gap) {
    WEIR_CHECK(!used_.exchange(true), "a request was answered twice");
    if (const auto session = session_.lock()) {
      session->post([query = std::move(query), gap](Session& s) mutable { s.deliver(std::move(query), gap); });
    }
  }

 private:
  void send(Answer answer) {
    if (const auto session = session_.lock()) {
      session->post([answer = std::move(answer)](Session& s) mutable { s.deliver(std::move(answer)); });
    }
  }

  std::weak_ptr<Session> session_;
  std::atomic<bool> used_{false};
};

std::string_view view(const beast::flat_buffer& buffer) {
  return {static_cast<const char*>(buffer.data().data()), buffer.size()};
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::string format_head(const Answer& answer, bool keep) {
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  head += std::string_view(http::obsolete_reason(static_cast<http::status>(answer.status)));
  head += "\r\nDate: " + http_date() + "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";
  if (answer.status != 204) {
    head += "Content-Type: " + answer.content_type + "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
  }
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  if (!keep) head += "Connection: close\r\n";
  return head + "\r\n";
}

bool Core::admit(const std::shared_ptr<Session>& session, const net::ip::address& address) {
  const std::lock_guard lock(mutex);
  if (draining || live.size() >= options.connections_max) return false;
  const bool exempt = options.loopback_is_exempt && address.is_loopback();
  uint32_t& count = per_address[address];
  if (!exempt && count >= options.connections_per_ip_max) return false;
  ++count;
  live.emplace(session.get(), session);
  return true;
}

void Core::leave(Session* session, const net::ip::address& address) {
  const std::lock_guard lock(mutex);
  live.erase(session);
  const auto count = per_address.find(address);
  if (--count->second == 0) per_address.erase(count);
  if (live.empty()) all_left.notify_all();
}

std::vector<std::shared_ptr<Session>> Core::sessions() {
  const std::lock_guard lock(mutex);
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& [raw, weak] : live) {
    if (auto session = weak.lock()) all.push_back(std::move(session));
  }
  return all;
}

void Core::on_feed() {
  ++feed_generation;
  if (streams == 0) return;
  for (const auto& session : sessions()) session->post([](Session& s) { s.wake(); });
}

void Session::refuse_and_close() {
  Answer answer = problem_answer("unavailable", "Too many connections.");
  const std::string text = format_head(answer, false) + answer.body;
  boost::system::error_code ignored;
  stream_.socket().non_blocking(true, ignored);
  stream_.socket().write_some(net::buffer(text), ignored);
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

void Session::begin_drain() {
  if (streaming_) wake_.cancel();
  if (idle_) stream_.cancel();
}

void Session::cut() {
  cut_ = true;
  wake_.cancel();
  stream_.close();
}

net::awaitable<void> Session::run() {
  // Also when something throws: drain() waits for the last one to leave.
  const std::shared_ptr<Session> leaver(this, [self = shared_from_this()](Session* s) { s->core_->leave(s, s->address_); });
  for (bool keep = true, first = true; keep && !cut_; first = false) {
    Head head = co_await read_head(first);
    keep = head.has_value() && co_await serve(std::move(*head));
  }
  boost::system::error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
}

// Nothing: the connection is over, the client gone, too slow, or refused already.
net::awaitable<Session::Head> Session::read_head(bool first) {
  idle_ = buffer_.size() == 0;
  stream_.expires_after(milliseconds(idle_ && !first ? core_->options.idle_ms : core_->options.head_ms));
  for (size_t searched = 0;;) {
    const std::string_view bytes = view(buffer_);
    const size_t from = searched < 3 ? 0 : searched - 3;
    if (const size_t end = find_head_end(bytes.substr(from)); end != std::string_view::npos) {
      std::string head(bytes.substr(0, from + end));
      idle_ = false;
      co_return head;
    }
    if (bytes.size() > core_->options.head.head_bytes_max) {
      co_await refuse(problem_answer("headers-too-large", "The header is larger than 8 KB."));
      co_return std::nullopt;
    }
    searched = bytes.size();
    if (idle_ && core_->draining) co_return std::nullopt;
    const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kTuple);
    if (error || cut_) co_return std::nullopt;
    buffer_.commit(count);
    if (idle_ && !first) stream_.expires_after(milliseconds(core_->options.head_ms));
    idle_ = false;
  }
}

// One request from its head to its answer. False: close.
net::awaitable<bool> Session::serve(std::string head) {
  started_ = Clock::now();
  route_path_ = "unknown";
  method_.clear();
  if (const auto refusal = check_head(head, core_->options.head)) {
    co_return co_await refuse(problem_answer(refusal->problem, std::string(refusal->detail)));
  }
  HttpRequest request;
  const size_t blank = head.find(' ');
  method_ = request.method = head.substr(0, blank);
  const bool understood = parse_target(head.substr(blank + 1, head.find(' ', blank + 1) - blank - 1), request);
  const RouteMatch match = match_route(request.method, request.path);
  if (!understood || match.malformed) {
    co_return co_await refuse(problem_answer("bad-request", "The target is badly encoded."));
  }
  if (match.route != nullptr) route_path_ = match.route->path;

  http::request_parser<http::string_body> parser;
  const uint64_t body_max = std::max<uint64_t>(match.route != nullptr ? match.route->body_bytes_max : 0, kIgnoredBodyMax);
  parser.body_limit(body_max);
  parser.header_limit(static_cast<uint32_t>(head.size() + 1));
  boost::system::error_code error;
  buffer_.consume(parser.put(buffer_.data(), error));
  if (match.route == nullptr) {
    const bool whole = !error && parser.is_done();
    if (whole) co_return co_await write(no_route(match, request.path), parser.get().keep_alive() && !core_->draining);
    co_return co_await refuse(no_route(match, request.path));
  }
  if (error == http::error::body_limit) {
    co_return co_await refuse(problem_answer("too-large", "The body may have " + std::to_string(body_max) + " bytes here."));
  }
  if (error || !parser.is_header_done()) co_return co_await refuse(bad_message());

  const BodyCredit credit(core_->bodies_bytes, core_->options.bodies_bytes_max,
                          parser.chunked() ? body_max : parser.content_length().value_or(0));
  if (!credit.ok()) {
    Answer busy = problem_answer("too-many-requests", "Too many bodies at once.");
    busy.headers.emplace_back("Retry-After", "1");
    co_return co_await refuse(std::move(busy));
  }
  bool answered = false;
  if (!co_await read_body(parser, &answered)) co_return false;
  if (answered) co_return false;
  for (const auto& field : parser.get()) {
    request.headers.emplace_back(lower_case(std::string_view(field.name_string())), std::string_view(field.value()));
  }
  request.body = std::move(parser.get().body());
  co_return co_await call(match, request, parser.get().keep_alive() && !core_->draining);
}

// The body into the parser. False: the connection is lost or the request was refused.
net::awaitable<bool> Session::read_body(http::request_parser<http::string_body>& parser, bool* answered) {
  const HttpServerOptions& options = core_->options;
  if (const auto expect = parser.get().find(http::field::expect); expect != parser.get().end()) {
    if (!beast::iequals(expect->value(), "100-continue")) {
      *answered = true;
      co_return co_await refuse(problem_answer("expectation-failed", "Only 100-continue is known."));
    }
    if (!parser.is_done() && buffer_.size() == 0 && !co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
  }
  if (parser.is_done()) co_return true;
  const uint64_t length = parser.chunked() ? UINT64_MAX : parser.content_length().value_or(0);
  const uint64_t slowest_ms = length / static_cast<uint64_t>(options.body_bytes_per_s_min) * 1000 + options.head_ms;
  stream_.expires_after(milliseconds(std::min<uint64_t>(slowest_ms, options.body_ms)));
  const auto [error, count] = co_await http::async_read(stream_, buffer_, parser, kTuple);
  if (!error) co_return !cut_;
  *answered = true;
  if (error == http::error::body_limit) co_return co_await refuse(problem_answer("too-large", "The body is too large."));
  if (error == beast::error::timeout || error == http::error::partial_message || cut_) co_return false;
  if (error.category() == http::make_error_code(http::error::bad_chunk).category()) co_return co_await refuse(bad_message());
  co_return false;
}

Responder Session::responder() {
  auto line = std::make_shared<ReplyLine>(weak_from_this());
  Responder respond;
  respond.answer = [line](Answer answer) { line->answer(std::move(answer)); };
  respond.stream = [line](FeedQuery query, bool gap) { line->stream(std::move(query), gap); };
  return respond;
}

net::awaitable<bool> Session::call(const RouteMatch& match, HttpRequest& request, bool keep) {
  answer_.reset();
  feed_.reset();
  request.captures = match.captures;
  stream_.expires_never();
  dispatch(*match.route, request, core_->backend, responder());
  while (!answer_ && !feed_ && !cut_) co_await wait_until(Clock::time_point::max());
  if (cut_) co_return false;
  if (answer_) {
    Answer answer = std::move(*answer_);
    co_return co_await write(std::move(answer), keep && !core_->draining);
  }
  ++core_->streams;
  streaming_ = true;
  observe(200);
  co_await stream_feed();
  streaming_ = false;
  --core_->streams;
  co_return false;
}

void Session::observe(int status) {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const bool known = method_ == "GET" || method_ == "POST" || method_ == "PUT" || method_ == "DELETE";
  core_->backend.observe_request(route_path_, known ? std::string_view(method_) : "other", status, seconds);
}

net::awaitable<bool> Session::write(Answer answer, bool keep) {
  const std::string head = format_head(answer, keep);
  observe(answer.status);
  stream_.expires_after(milliseconds(core_->options.write_ms));
  const std::array<net::const_buffer, 2> parts{net::buffer(head), net::buffer(answer.body)};
  const auto [error, count] = co_await net::async_write(stream_, parts, kTuple);
  co_return !error && keep && !cut_;
}

net::awaitable<bool> Session::write_bytes(std::string_view bytes) {
  stream_.expires_after(milliseconds(core_->options.write_ms));
  const auto [error, count] = co_await net::async_write(stream_, net::buffer(bytes), kTuple);
  co_return !error && !cut_;
}

// Says no and closes, but reads on for a moment: a reset would take the answer from a client that still sends.
net::awaitable<bool> Session::refuse(Answer answer) {
  co_await write(std::move(answer), false);
  co_await linger();
  co_return false;
}

net::awaitable<void> Session::linger() {
  boost::system::error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(milliseconds(kLingerMs));
  buffer_.clear();
  for (size_t total = 0; total < kLingerBytesMax && !cut_;) {
    const auto [error, count] = co_await stream_.async_read_some(buffer_.prepare(kReadBytes), kTuple);
    if (error) co_return;
    total += count;
  }
}

// True: the time is up. False: woken.
net::awaitable<bool> Session::wait_until(Clock::time_point deadline) {
  wake_.expires_at(deadline);
  const auto [error] = co_await wake_.async_wait(kTuple);
  co_return !error;
}

// Reads the next page only when the last one is written: a slow client slows nobody, and is cut at the write deadline.
net::awaitable<void> Session::stream_feed() {
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"
      "Connection: close\r\n\r\n: weir\n\n";
  FeedQuery query = std::move(*feed_);
  bool gap = feed_gap_;
  for (auto comment_at = Clock::now();;) {
    const uint64_t generation = core_->feed_generation;
    page_.reset();
    core_->backend.read_feed(query, [weak = weak_from_this()](FeedPage page) {
      if (const auto self = weak.lock()) self->post([page = std::move(page)](Session& s) mutable { s.deliver(std::move(page)); });
    });
    while (!page_ && !cut_ && !core_->draining) co_await wait_until(Clock::time_point::max());
    if (!page_ || cut_ || core_->draining) co_return;
    if (gap || page_->gap) append_sse_event({}, "gap", "{\"next\":\"" + format_cursor(page_->next) + "\"}", text);
    gap = false;
    for (const FeedItem& item : page_->items) append_sse_event(format_cursor(item.cursor), "alert", item.json, text);
    const bool caught_up = page_->items.empty();
    query.after = page_->next;
    if (text.empty() && Clock::now() >= comment_at) append_sse_comment("", text);
    if (!text.empty()) {
      if (!co_await write_bytes(text)) co_return;
      comment_at = Clock::now() + milliseconds(core_->options.comment_ms);
      text.clear();
    }
    stream_.expires_never();
    if (caught_up && generation == core_->feed_generation && !core_->draining) co_await wait_until(comment_at);
    if (cut_ || core_->draining) co_return;
  }
}

net::awaitable<void> accept_all(std::shared_ptr<Core> core, tcp::acceptor& acceptor) {
  net::steady_timer pause(acceptor.get_executor());
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(net::any_io_executor(net::make_strand(core->io)), kTuple);
    if (error == net::error::operation_aborted || !acceptor.is_open()) co_return;
    if (error) {
      pause.expires_after(milliseconds(kAcceptPauseMs));
      co_await pause.async_wait(kTuple);
      continue;
    }
    boost::system::error_code gone;
    net::ip::address address = socket.remote_endpoint(gone).address();
    if (gone) continue;
    if (address.is_v6() && address.to_v6().is_v4_mapped()) address = net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6());
    socket.set_option(tcp::no_delay(true), gone);
    const auto executor = socket.get_executor();
    const auto session = std::make_shared<Session>(core, std::move(socket), address);
    if (!core->admit(session, address)) {
      session->refuse_and_close();
      continue;
    }
    net::co_spawn(executor, [session] { return session->run(); }, net::detached);
  }
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, Backend& backend)
      : core_(std::make_shared<Core>(options, backend)), acceptor_(net::make_strand(core_->io)) {}

  cep::Status listen();
  void run();
  void drain();
  uint16_t port() const { return port_; }

 private:
  std::shared_ptr<Core> core_;
  tcp::acceptor acceptor_;
  std::vector<std::thread> threads_;
  uint16_t port_ = 0;
};

cep::Status HttpServer::Impl::listen() {
  boost::system::error_code error;
  const HttpServerOptions& options = core_->options;
  const net::ip::address address = net::ip::make_address(options.address, error);
  if (error) return cep::Error{"bad_address", options.address + " is no IP address"};
  const tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  if (error) {
    return cep::Error{"cannot_listen", "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " +
                                           error.message()};
  }
  return cep::ok_status();
}

void HttpServer::Impl::run() {
  core_->backend.set_feed_hook([weak = std::weak_ptr<Core>(core_)] {
    if (const auto core = weak.lock()) core->on_feed();
  });
  net::co_spawn(acceptor_.get_executor(), accept_all(core_, acceptor_), net::detached);
  for (int i = 0; i < core_->options.io_threads; ++i) threads_.emplace_back([this] { core_->io.run(); });
}

void HttpServer::Impl::drain() {
  if (threads_.empty()) return;
  core_->draining = true;
  net::post(acceptor_.get_executor(), [this] {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  });
  for (const auto& session : core_->sessions()) session->post([](Session& s) { s.begin_drain(); });
  {
    std::unique_lock lock(core_->mutex);
    core_->all_left.wait_for(lock, milliseconds(core_->options.drain_ms), [&] { return core_->live.empty(); });
  }
  for (const auto& session : core_->sessions()) session->post([](Session& s) { s.cut(); });
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  core_->backend.set_feed_hook({});
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { drain(); }

cep::Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, Backend& backend) {
  auto impl = std::make_unique<Impl>(options, backend);
  if (const cep::Status status = impl->listen(); !status.ok()) return status.error();
  impl->run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

uint16_t HttpServer::port() const { return impl_->port(); }
void HttpServer::drain() { impl_->drain(); }

}  // namespace api
