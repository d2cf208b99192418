// Waking many threads at once: one word in memory and one system call, however many wait.
#pragma once

#include <atomic>
#include <cstdint>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Counts events. A waiter reads the count, looks whether what it waits for has happened, and waits while the count is
/// still the same; who makes something happen does so first and then counts. So no event is slept through: one that
/// comes between the look and the wait has changed the count. Linux's futex, as std::atomic's wait knows no deadline.
class EventCount {
 public:
  std::uint32_t seen() const noexcept { return count_.load(std::memory_order_acquire); }
  /// Waits while the count is `seen`; false once `until` is past. May return true for no reason.
  CASCOR_CACHE_FN bool wait(std::uint32_t seen, TimePoint until) noexcept;
  CASCOR_CACHE_FN void notify_one() noexcept;
  CASCOR_CACHE_FN void notify_all() noexcept;

 private:
  std::atomic<std::uint32_t> count_{0};
  static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4,
                "the kernel looks at the word itself");
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/event_count.ipp"
#endif
