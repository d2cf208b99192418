#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "cascor/redis/event_count.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF bool EventCount::wait(std::uint32_t seen, TimePoint until) noexcept {
  const auto since_epoch = until.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  timespec end{};
  end.tv_sec = static_cast<time_t>(seconds.count());
  end.tv_nsec = static_cast<long>(std::chrono::nanoseconds{since_epoch - seconds}.count());
  const long woken = ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&count_),
                               FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seen, &end, nullptr, FUTEX_BITSET_MATCH_ANY);
  return woken == 0 || errno != ETIMEDOUT;
}

CASCOR_CACHE_DEF void EventCount::notify_one() noexcept {
  count_.fetch_add(1, std::memory_order_release);
  (void)::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&count_), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

CASCOR_CACHE_DEF void EventCount::notify_all() noexcept {
  count_.fetch_add(1, std::memory_order_release);
  (void)::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&count_), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
