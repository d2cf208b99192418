#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "cascor/redis/descriptor.hpp"
#include "cascor/redis/plain_text.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF bool answers_in_plain_text(int connected, Deadline by, int stop_fd) noexcept {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  auto* const address = reinterpret_cast<sockaddr*>(&peer);
  if (::getpeername(connected, address, &size) != 0) return false;
  const Descriptor socket{::socket(peer.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (::connect(socket.fd(), address, size) != 0 && errno != EINPROGRESS && errno != EINTR) return false;
  if (wait_until_ready(socket.fd(), POLLOUT, by, stop_fd) != 0) return false;
  constexpr std::string_view ping = "PING\r\n";
  if (::send(socket.fd(), ping.data(), ping.size(), MSG_NOSIGNAL) < 0) return false;
  if (wait_until_ready(socket.fd(), POLLIN, by, stop_fd) != 0) return false;
  char first = 0;
  return ::recv(socket.fd(), &first, 1, 0) == 1 && (first == '+' || first == '-');
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
