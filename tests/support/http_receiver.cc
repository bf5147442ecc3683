#include "tests/support/http_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace test_support {
namespace {

void require(bool condition, const char* what) {
  if (condition) return;
  std::perror(what);
  std::abort();
}

// Reads until `bytes` are there or the peer is gone.
bool read_until(int socket, std::string& buffer, size_t bytes) {
  char chunk[4096];
  while (buffer.size() < bytes) {
    const ssize_t got = recv(socket, chunk, sizeof chunk, 0);
    if (got <= 0) return false;
    buffer.append(chunk, static_cast<size_t>(got));
  }
  return true;
}

bool read_request(int socket, ReceivedRequest& request) {
  std::string buffer;
  size_t header_end;
  while ((header_end = buffer.find("\r\n\r\n")) == buffer.npos) {
    if (!read_until(socket, buffer, buffer.size() + 1)) return false;
    if (!std::isupper(static_cast<unsigned char>(buffer.front()))) return false;  // TLS, for one
  }
  size_t at = buffer.find("\r\n");
  request.line = buffer.substr(0, at);
  while (at < header_end) {
    const size_t begin = at + 2;
    at = buffer.find("\r\n", begin);
    const size_t colon = buffer.find(':', begin);
    std::string name = buffer.substr(begin, colon - begin);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const size_t value = buffer.find_first_not_of(' ', colon + 1);
    request.headers[name] = value < at ? buffer.substr(value, at - value) : "";
  }
  const size_t length = request.headers.contains("content-length") ? std::stoul(request.headers["content-length"]) : 0;
  if (!read_until(socket, buffer, header_end + 4 + length)) return false;
  request.body = buffer.substr(header_end + 4, length);
  return true;
}

}  // namespace

HttpReceiver::HttpReceiver(Handler handler) : handler_(std::move(handler)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(listener_ >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "bind");
  require(listen(listener_, 128) == 0, "listen");
  socklen_t size = sizeof address;
  require(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

HttpReceiver::~HttpReceiver() {
  shutdown(listener_, SHUT_RDWR);  // wakes accept
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& worker : workers_) worker.join();
  for (const int socket : sockets_) close(socket);
  close(listener_);
}

std::string HttpReceiver::url(const std::string& path, const std::string& host) const {
  return "http://" + host + ":" + std::to_string(port_) + path;
}

std::vector<ReceivedRequest> HttpReceiver::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

size_t HttpReceiver::connections() const {
  const std::lock_guard lock(mutex_);
  return sockets_.size();
}

void HttpReceiver::accept_all() {
  for (;;) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    workers_.emplace_back([this, socket] { serve(socket); });
  }
}

void HttpReceiver::serve(int socket) {
  ReceivedRequest request;
  if (!read_request(socket, request)) {
    shutdown(socket, SHUT_RDWR);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const std::optional<std::string> response = handler_(request);
  if (!response) return;
  for (size_t sent = 0; sent < response->size();) {
    const ssize_t wrote = send(socket, response->data() + sent, response->size() - sent, MSG_NOSIGNAL);
    if (wrote <= 0) return;
    sent += static_cast<size_t>(wrote);
  }
  shutdown(socket, SHUT_WR);
}

std::string http_response(int status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Test\r\nConnection: close\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace test_support
