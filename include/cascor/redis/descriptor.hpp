// File descriptors that close themselves, and waiting for them by a deadline.
#pragma once

#include <unistd.h>

#include <utility>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// A file descriptor that is closed once; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_{fd} {}
  Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// 0 once `fd` is ready for `events` (POLLIN, POLLOUT), ETIMEDOUT past the deadline, ECANCELED once `stop_fd`, unless
/// it is -1, can be read, or poll's own error. Signals do not end it.
CASCOR_CACHE_FN int wait_until_ready(int fd, short events, Deadline by, int stop_fd = -1) noexcept;

/// Something that one thread raises and others wait for with wait_until_ready(POLLIN); it stays raised until it is
/// lowered. -1 where the system has no descriptor left.
CASCOR_CACHE_FN Descriptor make_event() noexcept;
CASCOR_CACHE_FN void raise_event(const Descriptor& event) noexcept;
CASCOR_CACHE_FN void lower_event(const Descriptor& event) noexcept;

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/descriptor.ipp"
#endif
