#include "http/connection.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace canopy {
namespace {

constexpr std::size_t gathered_at_most = 256 * 1024;

void describe(const sockaddr_storage& address, std::string& ip, int& port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address, sizeof v4);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    port = ntohs(v6.sin6_port);
  }
  ip = text.data();
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);

void ask(NameOf name_of, int socket, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (name_of(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0) describe(address, ip, port);
}

}  // namespace

Connection::Connection(int socket) : socket_{socket} {
  ::fcntl(socket_, F_SETFL, ::fcntl(socket_, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() { ::close(socket_); }

bool Connection::has_input() const {
  if (next_ < end_) return true;
  pollfd readable{socket_, POLLIN, 0};
  return ::poll(&readable, 1, 0) > 0;
}

void Connection::begin_request(std::chrono::milliseconds time) { until_ = Clock::now() + time; }

bool Connection::finish_answer() {
  const bool sent = send_all(answer_);
  answer_.clear();
  return sent;
}

bool Connection::is_readable() const { return next_ < end_ || wait_for(POLLIN); }
bool Connection::is_writable() const { return wait_for(POLLOUT); }

ssize_t Connection::read(char* into, size_t size) {
  while (next_ == end_) {
    const ssize_t got = ::recv(socket_, input_.data(), input_.size(), 0);
    if (got > 0) {
      next_ = 0;
      end_ = static_cast<std::size_t>(got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR) || !wait_for(POLLIN)) {
      return got == 0 ? 0 : -1;
    }
  }
  const std::size_t count = std::min(size, end_ - next_);
  std::memcpy(into, input_.data() + next_, count);
  next_ += count;
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* text, size_t size) {
  if (stream_) return static_cast<ssize_t>(size);  // what would have been the answer
  answer_.append(text, size);
  if (answer_.size() > gathered_at_most && !finish_answer()) return -1;
  return static_cast<ssize_t>(size);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const { ask(::getpeername, socket_, ip, port); }
void Connection::get_local_ip_and_port(std::string& ip, int& port) const { ask(::getsockname, socket_, ip, port); }

/// Until it can be read or written; false where the request's time is over first.
bool Connection::wait_for(short what) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - Clock::now()).count();
    pollfd ready{socket_, what, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

bool Connection::send_all(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if ((errno != EAGAIN && errno != EINTR) || !wait_for(POLLOUT)) {
      return false;
    }
  }
  return true;
}

}  // namespace canopy
