#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include "cascor/redis/descriptor.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF int wait_until_ready(int fd, short events, Deadline by, int stop_fd) noexcept {
  while (true) {
    const milliseconds left = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
    if (left.count() == 0) return ETIMEDOUT;
    std::array<pollfd, 2> watch{pollfd{fd, events, 0}, pollfd{stop_fd, POLLIN, 0}};  // poll() passes over a -1
    const int ready = ::poll(watch.data(), watch.size(), static_cast<int>(left.count()));
    if (ready > 0) return watch[1].revents != 0 ? ECANCELED : 0;
    if (ready == 0) return ETIMEDOUT;  // whatever clock the deadline is told by
    if (errno != EINTR) return errno;
  }
}

CASCOR_CACHE_DEF Descriptor make_event() noexcept { return Descriptor{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; }

CASCOR_CACHE_DEF void raise_event(const Descriptor& event) noexcept {
  const std::uint64_t one = 1;
  (void)!::write(event.fd(), &one, sizeof one);
}

CASCOR_CACHE_DEF void lower_event(const Descriptor& event) noexcept {
  std::uint64_t raised = 0;
  (void)!::read(event.fd(), &raised, sizeof raised);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
