// Plain sockets. They block, with the kernel's own time limits set no longer than what the deadline leaves: a round
// trip is then one send and one receive, and a peer that drips bytes or a signal that interrupts only shortens the next
// wait.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/resolver.hpp"
#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// A file descriptor that is closed once.
class Socket {
 public:
  explicit Socket(int fd) noexcept : fd_{fd} {}
  Socket(Socket&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

CASCOR_CACHE_INLINE std::string reason(int error) { return std::generic_category().message(error); }

template <class Value>
void set_option(int fd, int level, int name, const Value& value) noexcept {
  // Best effort: a socket without keepalive or a time limit of its own still keeps the call's deadline.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

// The kernel's time limit of one direction, changed only when the deadline calls for another: most calls have the same.
class KernelTimeout {
 public:
  explicit KernelTimeout(int option) noexcept : option_{option} {}
  // Makes it about `left`, a few milliseconds more at most; returns whether it covers all of `left`.
  bool fit(int fd, milliseconds left) noexcept {
    const milliseconds slack = std::min(left / 16, milliseconds{10});
    if (current_ > left + slack || current_ < left / 2) {
      current_ = left;
      timeval value{};
      value.tv_sec = static_cast<time_t>(left.count() / 1000);
      value.tv_usec = static_cast<suseconds_t>(left.count() % 1000 * 1000);
      set_option(fd, SOL_SOCKET, option_, value);
    }
    return current_ >= left;
  }
  void forget() noexcept { current_ = milliseconds{-1}; }

 private:
  int option_;
  milliseconds current_{-1};
};

class SocketTransport final : public Transport {
 public:
  SocketTransport(Socket socket, std::string peer) noexcept : socket_{std::move(socket)}, peer_{std::move(peer)} {}

  void send(std::string_view bytes, std::size_t& written, Deadline by) override {
    while (!bytes.empty()) {
      const bool whole = wait_at_most(send_timeout_, by, "sending to");
      const ssize_t sent = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        written += static_cast<std::size_t>(sent);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      } else {
        interrupted(send_timeout_, whole, by, "sending to");
      }
    }
  }

  std::size_t receive(std::span<char> into, Deadline by) override {
    while (true) {
      const bool whole = wait_at_most(receive_timeout_, by, "waiting for");
      const ssize_t got = ::recv(socket_.fd(), into.data(), into.size(), 0);
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) fail("Connection closed by the server");
      interrupted(receive_timeout_, whole, by, "waiting for");
    }
  }

  bool disturbed() noexcept override {
    pollfd watch{socket_.fd(), POLLIN, 0};
    return ::poll(&watch, 1, 0) != 0;
  }

 private:
  bool wait_at_most(KernelTimeout& timeout, Deadline by, const char* doing) {
    const milliseconds left = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
    if (left.count() == 0) timed_out(doing);
    return timeout.fit(socket_.fd(), left);
  }
  // After a call that gave nothing: goes on after a signal, ends when the time is up, whatever clock it is told by.
  void interrupted(KernelTimeout& timeout, bool waited_whole, Deadline by, const char* doing) {
    const int error = errno;
    if (error == EINTR) return;
    if (error != EAGAIN && error != EWOULDBLOCK) fail(reason(error));
    if (waited_whole || by.passed()) timed_out(doing);
    timeout.forget();
  }
  [[noreturn]] void fail(const std::string& why) const {
    throw ConnectionError{"Lost the connection to Redis on " + peer_ + ": " + why,
                          "See whether the server runs and what its log says; the next call dials anew."};
  }
  [[noreturn]] void timed_out(const char* doing) const {
    throw TimeoutError{std::string{"Timeout "} + doing + " Redis on " + peer_,
                       "See whether the server is busy (SLOWLOG, LATENCY) or the network slow, or raise "
                       "connection_pool.timeout."};
  }

  Socket socket_;
  std::string peer_;
  KernelTimeout send_timeout_{SO_SNDTIMEO};
  KernelTimeout receive_timeout_{SO_RCVTIMEO};
};

CASCOR_CACHE_INLINE void tune_tcp(int fd, bool keepalive) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!keepalive) return;
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  // A peer that vanished is noticed after about half a minute, not after the system's two hours.
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000U);
}

// 0, or the error of connecting within the time; the socket blocks afterwards.
CASCOR_CACHE_INLINE int connect_within(int fd, const Address& address, Deadline by) noexcept {
  if (::connect(fd, address.get(), address.size) == 0) return 0;
  // A Unix socket whose queue is full says EAGAIN, and poll() would not tell when there is room: that is for the retry.
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  while (true) {
    const milliseconds left = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
    if (left.count() == 0) return ETIMEDOUT;
    pollfd watch{fd, POLLOUT, 0};
    const int ready = ::poll(&watch, 1, static_cast<int>(left.count()));
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return errno;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }
}

CASCOR_CACHE_INLINE Address unix_address(const std::string& path) {
  sockaddr_un unix_socket{};
  unix_socket.sun_family = AF_UNIX;
  if (path.size() >= sizeof unix_socket.sun_path) {
    throw ConfigError{"the path of the Unix socket has " + std::to_string(path.size()) + " bytes: " + path,
                      "The system takes at most " + std::to_string(sizeof unix_socket.sun_path - 1) +
                          "; move the socket, or link to it from a shorter path."};
  }
  std::memcpy(unix_socket.sun_path, path.data(), path.size());
  return Address{&unix_socket, sizeof unix_socket};
}

}  // namespace detail

CASCOR_CACHE_INLINE std::unique_ptr<Transport> dial(const Endpoint& endpoint, bool keepalive, Deadline by) {
  const std::string peer = to_string(endpoint);
  const bool local = !endpoint.path.empty();
  const std::vector<Address> addresses =
      local ? std::vector{detail::unix_address(endpoint.path)} : resolve(endpoint.host, endpoint.port, peer, by);
  int error = ETIMEDOUT;
  for (std::size_t i = 0; i < addresses.size() && !by.passed(); ++i) {
    const Address& address = addresses[i];
    detail::Socket socket{
        ::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, local ? 0 : IPPROTO_TCP)};
    if (socket.fd() < 0) {
      error = errno;
      continue;
    }
    if (!local) detail::tune_tcp(socket.fd(), keepalive);
    // An address that does not answer leaves time for those behind it.
    const Deadline share{by.clock(), by.remaining() / static_cast<milliseconds::rep>(addresses.size() - i)};
    error = detail::connect_within(socket.fd(), address, share);
    if (error != 0) continue;
    const int flags = ::fcntl(socket.fd(), F_GETFL);
    (void)::fcntl(socket.fd(), F_SETFL, flags & ~O_NONBLOCK);
    return std::make_unique<detail::SocketTransport>(std::move(socket), peer);
  }
  const std::string what = "Error connecting to Redis on " + peer + ": ";
  if (error == ETIMEDOUT) {
    throw TimeoutError{what + "timed out", "See whether a firewall drops the packets, or correct redis_url."};
  }
  throw ConnectionError{what + detail::reason(error),
                        error == EACCES || error == EPERM
                            ? "Give this user the right to open the socket (unixsocketperm in redis.conf)."
                            : "Start redis-server there, or correct redis_url."};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
