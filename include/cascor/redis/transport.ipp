// Plain sockets. Receiving blocks, with the kernel's own time limit set no longer than what the deadline leaves: a
// round trip is then one send and one receive, and a peer that drips bytes or a signal that interrupts only shortens
// the next wait. Sending never blocks in the kernel, whose time limit is one for each buffer on a Unix socket, not for
// the call.
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
#include <utility>
#include <vector>

#include "cascor/core/errors.hpp"
#include "cascor/redis/descriptor.hpp"
#include "cascor/redis/resolver.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/stream_error.hpp"
#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

template <class Value>
void set_option(int fd, int level, int name, const Value& value) noexcept {
  // Nothing that a healthy socket refuses.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

// The kernel's time limit of receiving, changed only when the deadline calls for another: most calls have the same.
class KernelTimeout {
 public:
  // Makes it about `left`, a few milliseconds more at most; returns whether it covers all of `left`.
  bool fit(int fd, milliseconds left) noexcept {
    const milliseconds slack = std::min(left / 16, milliseconds{10});
    if (current_ > left + slack || current_ < left / 2) {
      current_ = left;
      timeval value{};
      value.tv_sec = static_cast<time_t>(left.count() / 1000);
      value.tv_usec = static_cast<suseconds_t>(left.count() % 1000 * 1000);
      set_option(fd, SOL_SOCKET, SO_RCVTIMEO, value);
    }
    return current_ >= left;
  }
  void forget() noexcept { current_ = milliseconds{-1}; }

 private:
  milliseconds current_{-1};
};

template <class CascorWhenUsed>
class SocketTransport final : public Transport {
 public:
  SocketTransport(Descriptor socket, std::string peer) noexcept : socket_{std::move(socket)}, peer_{std::move(peer)} {}

  void send(std::string_view bytes, std::size_t& written, Deadline by) override {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        written += static_cast<std::size_t>(sent);
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        // The peer may sip: every look at the clock but the first has a piece behind it.
        if (!bytes.empty() && by.passed()) raise_timeout("sending to", peer_);
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        const int error = wait_until_ready(socket_.fd(), POLLOUT, by);
        if (error == ETIMEDOUT) raise_timeout("sending to", peer_);
        if (error != 0) raise_lost(peer_, system_words(error));
      } else if (errno != EINTR) {
        raise_lost(peer_, system_words(errno));
      }
    }
  }

  std::size_t receive(std::span<char> into, Deadline by) override {
    while (true) {
      const milliseconds left = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
      if (left.count() == 0) raise_timeout("waiting for", peer_);
      const bool whole = timeout_.fit(socket_.fd(), left);
      const ssize_t got = ::recv(socket_.fd(), into.data(), into.size(), 0);
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) raise_lost(peer_, "Connection closed by the server");
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) raise_lost(peer_, system_words(errno));
      if (whole || by.passed()) raise_timeout("waiting for", peer_);  // whatever clock the deadline is told by
      timeout_.forget();
    }
  }

  Input await_input(Deadline by, int wake_fd) noexcept override {
    const int error = wait_until_ready(socket_.fd(), POLLIN, by, wake_fd);
    if (error == ECANCELED) return Input::woken;
    return error == ETIMEDOUT ? Input::none : Input::there;  // receive() says what else is wrong
  }

  bool disturbed() noexcept override {
    pollfd watch{socket_.fd(), POLLIN, 0};
    return ::poll(&watch, 1, 0) != 0;
  }

  void interrupt() noexcept override { (void)::shutdown(socket_.fd(), SHUT_RDWR); }

 private:
  Descriptor socket_;
  std::string peer_;
  KernelTimeout timeout_;
};

CASCOR_CACHE_FN void tune_tcp(int fd, bool keepalive) noexcept {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!keepalive) return;
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  // A peer that vanished is noticed after about half a minute, not after the system's two hours.
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000U);
}

// 0, or the error of connecting within the time.
CASCOR_CACHE_FN int connect_within(int fd, const Address& address, Deadline by, int stop_fd) noexcept {
  if (::connect(fd, address.get(), address.size) == 0) return 0;
  // A Unix socket whose queue is full says EAGAIN, and poll() would not tell when there is room: that is for the retry.
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (const int failed = wait_until_ready(fd, POLLOUT, by, stop_fd); failed != 0) return failed;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// The system may give the very port that is dialled to the socket that dials it: TCP then joins the two ends of one
// socket, which keeps the server from its port. Nobody listened there.
CASCOR_CACHE_FN bool is_joined_to_itself(int fd) noexcept {
  sockaddr_storage here{};
  sockaddr_storage there{};
  socklen_t here_size = sizeof here;
  socklen_t there_size = sizeof there;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_size) == 0 &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_size) == 0 && here_size == there_size &&
         std::memcmp(&here, &there, here_size) == 0;
}

// Connects `socket`, a new one, which blocks afterwards; 0, or the error.
CASCOR_CACHE_FN int open_connection(Descriptor& socket, const Address& address, bool keepalive, Deadline by,
                                    int stop_fd) noexcept {
  const int family = address.get()->sa_family;
  socket = Descriptor{::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (socket.fd() < 0) return errno;
  if (family != AF_UNIX) tune_tcp(socket.fd(), keepalive);
  if (const int error = connect_within(socket.fd(), address, by, stop_fd); error != 0) return error;
  if (is_joined_to_itself(socket.fd())) return ECONNREFUSED;
  (void)::fcntl(socket.fd(), F_SETFL, ::fcntl(socket.fd(), F_GETFL) & ~O_NONBLOCK);
  return 0;
}

// An address of a kind that this machine has no way to: what became of the others says more.
CASCOR_CACHE_FN bool says_little(int error) noexcept {
  return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

CASCOR_CACHE_FN Address unix_address(const std::string& path) {
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

CASCOR_CACHE_DEF cascor::detail::Dependent<std::unique_ptr<Transport>, CascorWhenUsed> dial(const Endpoint& endpoint,
                                                                                            bool keepalive, Deadline by,
                                                                                            int stop_fd,
                                                                                            const SecureLayer* secure) {
  const std::string peer = to_string(endpoint);
  const std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>> addresses =
      endpoint.path.empty()
          ? resolve(endpoint.host, endpoint.port, peer, by, stop_fd)
          : std::vector<cascor::detail::Dependent<Address, CascorWhenUsed>>{detail::unix_address(endpoint.path)};
  int error = ETIMEDOUT;
  for (std::size_t i = 0; i < addresses.size() && !by.passed(); ++i) {
    // An address that does not answer leaves time for those behind it.
    const Deadline share{by.clock(), by.remaining() / static_cast<milliseconds::rep>(addresses.size() - i)};
    Descriptor socket;
    const int failed = detail::open_connection(socket, addresses[i], keepalive, share, stop_fd);
    if (failed == 0 && secure != nullptr) return secure->over(std::move(socket), endpoint, by, stop_fd);
    if (failed == 0) return std::make_unique<detail::SocketTransport<CascorWhenUsed>>(std::move(socket), peer);
    if (failed == ECANCELED) Stopper<CascorWhenUsed>::raise();
    if (i == 0 || !detail::says_little(failed)) error = failed;
  }
  const std::string what = "Error connecting to Redis on " + peer + ": ";
  if (error == ETIMEDOUT) {
    throw TimeoutError{what + "timed out", "See whether a firewall drops the packets, or correct redis_url."};
  }
  throw ConnectionError{what + system_words(error),
                        error == EACCES || error == EPERM
                            ? "Give this user the right to open the socket (unixsocketperm in redis.conf)."
                            : "Start redis-server there, or correct redis_url."};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
