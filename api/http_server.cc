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
#include <map>
#include <unordered_map>

#include "api/http_head.h"
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
constexpr size_t kLingerBytesMax = 64 << 20;  // a client that sends a body far too large still reads why
constexpr int kLingerMs = 1'000;
constexpr uint64_t kIgnoredBodyMax = 4096;  // of routes that want none: some clients always send "{}"
constexpr int kAcceptPauseMs = 100;         // after an error such as "too many open files"

}  // namespace

class HttpSession;

// What all connections share. Each holds it, so it outlives them. The registry of connections belongs to its strand.
struct HttpServerCore : std::enable_shared_from_this<HttpServerCore> {
  HttpServerCore(const HttpServerOptions& o, Backend& b)
      : options(o), backend(b), strand(net::make_strand(io)), acceptor(strand), drain_timer(strand) {}

  cep::Status listen();
  // From any thread.
  void on_feed();
  void drain();
  // On the strand. admit: false if there are too many connections, in all or from this address.
  bool admit(const std::shared_ptr<HttpSession>& session, const net::ip::address& address);
  void leave(HttpSession* session, const net::ip::address& address);
  template <class Change>
  void for_each_session(Change change);
  net::awaitable<void> accept_all();

  const HttpServerOptions options;
  HostPolicy host_policy;  // set by listen
  Backend& backend;
  net::io_context io;
  const net::any_io_executor strand;
  tcp::acceptor acceptor;
  net::steady_timer drain_timer;
  std::unordered_map<HttpSession*, std::weak_ptr<HttpSession>> live;
  std::map<net::ip::address, uint32_t> per_address;
  uint16_t port = 0;

  std::atomic<bool> draining{false};
  std::atomic<bool> wake_posted{false};
  std::atomic<uint64_t> feed_generation{0};
  std::atomic<uint32_t> streams{0};  // connections that are event streams
  std::atomic<uint64_t> bodies_bytes{0};
};

namespace {

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

}  // namespace

// One connection: a coroutine on a strand of its own.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(std::shared_ptr<HttpServerCore> core, tcp::socket socket, net::ip::address address)
      : core_(std::move(core)),
        address_(std::move(address)),
        stream_(std::move(socket)),
        wake_(stream_.get_executor()) {}

  net::awaitable<void> run();
  // From any thread.
  template <class Change>
  void post(Change change) {
    net::post(stream_.get_executor(), [weak = weak_from_this(), change = std::move(change)]() mutable {
      if (const auto self = weak.lock()) change(*self);
    });
  }
  void refuse_and_close();  // before run(): one try to say 503
  // The rest: on the strand.
  void deliver(Answer answer) { answer_ = std::move(answer), wake_.cancel(); }
  void deliver(FeedQuery query, bool gap) { feed_ = std::move(query), feed_gap_ = gap, wake_.cancel(); }
  void deliver(FeedPage page) { page_ = std::move(page), wake_.cancel(); }
  void wake() { wake_.cancel(); }
  void begin_drain();
  void cut();

 private:
  using Head = std::optional<std::string>;  // request head with its empty line

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

  const std::shared_ptr<HttpServerCore> core_;
  const net::ip::address address_;
  beast::tcp_stream stream_;
  net::steady_timer wake_;
  beast::flat_buffer buffer_;  // bytes read and not yet used
  std::optional<Answer> answer_;
  std::optional<FeedQuery> feed_;
  std::optional<FeedPage> page_;
  bool feed_gap_ = false;
  bool idle_ = false;  // waiting for a request's first byte
  bool streaming_ = false;
  bool cut_ = false;
  std::string_view route_path_;  // of the request under way, for metrics
  std::string method_;
  Clock::time_point started_;
};

namespace {

// Carries one reply from wherever it is called to the session; a reply that is dropped answers 503.
class ReplyLine {
 public:
  explicit ReplyLine(std::weak_ptr<HttpSession> session) : session_(std::move(session)) {}
  ~ReplyLine() {
    if (!used_.exchange(true))
      send(problem_answer("unavailable", "The request was dropped while stopping; try again."));
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
      session->post([query = std::move(query), gap](HttpSession& s) mutable { s.deliver(std::move(query), gap); });
    }
  }

 private:
  void send(Answer answer) {
    if (const auto session = session_.lock()) {
      session->post([answer = std::move(answer)](HttpSession& s) mutable { s.deliver(std::move(answer)); });
    }
  }

  std::weak_ptr<HttpSession> session_;
  std::atomic<bool> used_{false};
};

std::string_view view(const beast::flat_buffer& buffer) {
  return {static_cast<const char*>(buffer.data().data()), buffer.size()};
}

}  // namespace

void HttpSession::refuse_and_close() {
  Answer answer = problem_answer("unavailable", "Too many connections.");
  const std::string text = format_head(answer, false) + answer.body;
  boost::system::error_code ignored;
  stream_.socket().non_blocking(true, ignored);
  stream_.socket().write_some(net::buffer(text), ignored);
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
}

void HttpSession::begin_drain() {
  if (streaming_) wake_.cancel();
  if (idle_) stream_.cancel();
}

void HttpSession::cut() {
  cut_ = true;
  wake_.cancel();
  stream_.close();
}

net::awaitable<void> HttpSession::run() {
  // Also when something throws: drain() waits for the last one to leave.
  const std::shared_ptr<HttpSession> leaver(this, [self = shared_from_this()](HttpSession* s) {
    net::post(s->core_->strand, [core = s->core_, s, address = s->address_] { core->leave(s, address); });
  });
  for (bool keep = true, first = true; keep && !cut_; first = false) {
    Head head = co_await read_head(first);
    keep = head.has_value() && co_await serve(std::move(*head));
  }
  boost::system::error_code ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_both, ignored);
  stream_.close();
}

// Nothing: the connection is over, the client gone, too slow, or refused already.
net::awaitable<HttpSession::Head> HttpSession::read_head(bool first) {
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
net::awaitable<bool> HttpSession::serve(std::string head) {
  started_ = Clock::now();
  route_path_ = "unknown";
  method_.clear();
  if (const auto refusal = check_head(head, core_->options.head)) {
    co_return co_await refuse(problem_answer(refusal->problem, std::string(refusal->detail)));
  }
  HttpRequest request;
  const size_t blank = head.find(' ');
  method_ = request.method = head.substr(0, blank);
  if (const auto refusal = check_browser(head, core_->host_policy)) {
    co_return co_await refuse(problem_answer(refusal->problem, std::string(refusal->detail)));
  }
  const bool understood = parse_target(head.substr(blank + 1, head.find(' ', blank + 1) - blank - 1), request);
  const RouteMatch match = match_route(request.method, request.path);
  if (!understood || match.malformed) {
    co_return co_await refuse(problem_answer("bad-request", "The target is badly encoded."));
  }
  if (match.route != nullptr) route_path_ = match.route->path;

  http::request_parser<http::string_body> parser;
  const uint64_t body_max =
      std::max<uint64_t>(match.route != nullptr ? match.route->body_bytes_max : 0, kIgnoredBodyMax);
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
    co_return co_await refuse(
        problem_answer("too-large", "The body may have " + std::to_string(body_max) + " bytes here."));
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
net::awaitable<bool> HttpSession::read_body(http::request_parser<http::string_body>& parser, bool* answered) {
  const HttpServerOptions& options = core_->options;
  if (const auto expect = parser.get().find(http::field::expect); expect != parser.get().end()) {
    if (!beast::iequals(expect->value(), "100-continue")) {
      *answered = true;
      co_return co_await refuse(problem_answer("expectation-failed", "Only 100-continue is known."));
    }
    if (!parser.is_done() && buffer_.size() == 0 && !co_await write_bytes("HTTP/1.1 100 Continue\r\n\r\n"))
      co_return false;
  }
  if (parser.is_done()) co_return true;
  const uint64_t length = parser.chunked() ? UINT64_MAX : parser.content_length().value_or(0);
  const uint64_t slowest_ms = length / static_cast<uint64_t>(options.body_bytes_per_s_min) * 1000 + options.head_ms;
  stream_.expires_after(milliseconds(std::min<uint64_t>(slowest_ms, options.body_ms)));
  const auto [error, count] = co_await http::async_read(stream_, buffer_, parser, kTuple);
  if (!error) co_return !cut_;
  *answered = true;
  if (error == http::error::body_limit)
    co_return co_await refuse(problem_answer("too-large", "The body is too large."));
  if (error == beast::error::timeout || error == http::error::partial_message || cut_) co_return false;
  if (error.category() == http::make_error_code(http::error::bad_chunk).category())
    co_return co_await refuse(bad_message());
  co_return false;
}

Responder HttpSession::responder() {
  auto line = std::make_shared<ReplyLine>(weak_from_this());
  Responder respond;
  respond.answer = [line](Answer answer) { line->answer(std::move(answer)); };
  respond.stream = [line](FeedQuery query, bool gap) { line->stream(std::move(query), gap); };
  return respond;
}

net::awaitable<bool> HttpSession::call(const RouteMatch& match, HttpRequest& request, bool keep) {
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
  if (method_ == "HEAD") {
    observe(200);
    co_await write_bytes(format_stream_head());
    co_return false;
  }
  ++core_->streams;
  streaming_ = true;
  observe(200);
  co_await stream_feed();
  streaming_ = false;
  --core_->streams;
  co_return false;
}

void HttpSession::observe(int status) {
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  const bool known = method_ == "GET" || method_ == "HEAD" || method_ == "POST" || method_ == "PUT" || method_ == "DELETE";
  core_->backend.observe_request(route_path_, known ? std::string_view(method_) : "other", status, seconds);
}

net::awaitable<bool> HttpSession::write(Answer answer, bool keep) {
  const std::string head = format_head(answer, keep);
  observe(answer.status);
  stream_.expires_after(milliseconds(core_->options.write_ms));
  const std::string_view body = method_ == "HEAD" ? std::string_view() : std::string_view(answer.body);
  const std::array<net::const_buffer, 2> parts{net::buffer(head), net::buffer(body)};
  const auto [error, count] = co_await net::async_write(stream_, parts, kTuple);
  co_return !error && keep && !cut_;
}

net::awaitable<bool> HttpSession::write_bytes(std::string_view bytes) {
  stream_.expires_after(milliseconds(core_->options.write_ms));
  const auto [error, count] = co_await net::async_write(stream_, net::buffer(bytes), kTuple);
  co_return !error && !cut_;
}

// Says no and closes, but reads on for a moment: a reset would take the answer from a client that still sends.
net::awaitable<bool> HttpSession::refuse(Answer answer) {
  co_await write(std::move(answer), false);
  co_await linger();
  co_return false;
}

net::awaitable<void> HttpSession::linger() {
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
net::awaitable<bool> HttpSession::wait_until(Clock::time_point deadline) {
  wake_.expires_at(deadline);
  const auto [error] = co_await wake_.async_wait(kTuple);
  co_return !error;
}

// Reads the next page only when the last one is written: a slow client slows nobody, and is cut at the write deadline.
net::awaitable<void> HttpSession::stream_feed() {
  std::string text = format_stream_head();
  append_sse_comment("weir", text);
  FeedQuery query = std::move(*feed_);
  bool gap = feed_gap_;
  for (auto comment_at = Clock::now();;) {
    const uint64_t generation = core_->feed_generation;
    page_.reset();
    core_->backend.read_feed(query, [weak = weak_from_this()](FeedPage page) {
      if (const auto self = weak.lock())
        self->post([page = std::move(page)](HttpSession& s) mutable { s.deliver(std::move(page)); });
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

bool HttpServerCore::admit(const std::shared_ptr<HttpSession>& session, const net::ip::address& address) {
  if (draining || live.size() >= options.connections_max) return false;
  const bool exempt = options.loopback_is_exempt && address.is_loopback();
  const auto count = per_address.find(address);
  if (!exempt && count != per_address.end() && count->second >= options.connections_per_ip_max) return false;
  ++per_address[address];
  live.emplace(session.get(), session);
  return true;
}

void HttpServerCore::leave(HttpSession* session, const net::ip::address& address) {
  live.erase(session);
  const auto count = per_address.find(address);
  if (--count->second == 0) per_address.erase(count);
  if (draining && live.empty()) drain_timer.cancel();
}

template <class Change>
void HttpServerCore::for_each_session(Change change) {
  for (const auto& [raw, weak] : live) {
    if (const auto session = weak.lock()) session->post(change);
  }
}

void HttpServerCore::on_feed() {
  ++feed_generation;
  if (streams == 0 || wake_posted.exchange(true)) return;
  net::post(strand, [core = shared_from_this()] {
    core->wake_posted = false;
    core->for_each_session([](HttpSession& s) { s.wake(); });
  });
}

void HttpServerCore::drain() {
  if (draining.exchange(true)) return;
  backend.set_feed_hook({});
  net::post(strand, [core = shared_from_this()] {
    boost::system::error_code ignored;
    core->acceptor.close(ignored);
    core->for_each_session([](HttpSession& s) { s.begin_drain(); });
    if (core->live.empty()) return;
    core->drain_timer.expires_after(milliseconds(core->options.drain_ms));
    core->drain_timer.async_wait([core](boost::system::error_code cancelled) {
      if (!cancelled) core->for_each_session([](HttpSession& s) { s.cut(); });
    });
  });
}

net::awaitable<void> HttpServerCore::accept_all() {
  const auto self = shared_from_this();
  net::steady_timer pause(strand);
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(net::any_io_executor(net::make_strand(io)), kTuple);
    if (error == net::error::operation_aborted || !acceptor.is_open()) co_return;
    if (error) {
      pause.expires_after(milliseconds(kAcceptPauseMs));
      co_await pause.async_wait(kTuple);
      continue;
    }
    boost::system::error_code gone;
    net::ip::address address = socket.remote_endpoint(gone).address();
    if (gone) continue;
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      address = net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6());
    }
    socket.set_option(tcp::no_delay(true), gone);
    const auto executor = socket.get_executor();
    const auto session = std::make_shared<HttpSession>(self, std::move(socket), address);
    if (!admit(session, address)) {
      session->refuse_and_close();
      continue;
    }
    net::co_spawn(executor, [session] { return session->run(); }, net::detached);
  }
}

cep::Status HttpServerCore::listen() {
  boost::system::error_code error;
  const net::ip::address address = net::ip::make_address(options.address, error);
  if (error) return cep::Error{"bad_address", options.address + " is no IP address"};
  host_policy = {address.is_loopback() || !options.hosts.empty(), options.hosts};
  const tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (!error) port = acceptor.local_endpoint(error).port();
  if (!error) return cep::ok_status();
  return cep::Error{"cannot_listen", "cannot listen on " + options.address + ":" + std::to_string(options.port) + ": " +
                                         error.message()};
}

HttpServer::HttpServer(std::shared_ptr<HttpServerCore> core) : core_(std::move(core)) {}

HttpServer::~HttpServer() {
  drain();
  run();
}

cep::Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerOptions& options, Backend& backend) {
  auto core = std::make_shared<HttpServerCore>(options, backend);
  if (const cep::Status status = core->listen(); !status.ok()) return status.error();
  backend.set_feed_hook([weak = std::weak_ptr<HttpServerCore>(core)] {
    if (const auto alive = weak.lock()) alive->on_feed();
  });
  net::co_spawn(core->strand, [core] { return core->accept_all(); }, net::detached);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

uint16_t HttpServer::port() const { return core_->port; }
void HttpServer::run() { core_->io.run(); }
void HttpServer::drain() { core_->drain(); }

}  // namespace api
