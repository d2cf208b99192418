// What a cache evicts is free memory to the allocator, not to the system: full of values that come and go in all sizes
// and from many threads, glibc holds up to half as much again as is in use. This has it give free pages back.
#pragma once

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

#include "cascor/memory/thread_slots.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Counts what became free and, each time it comes to `every` bytes, calls malloc_trim(), which looks through the whole
/// process's free memory. It spends a tenth of the time on that at most, or a half while that is cheap, eight
/// nanoseconds for each of those bytes: writers at full speed on eight threads need as much to stay within a quarter
/// above their limit, and the more often it is called the less there is to look through. Safe from any thread.
class FreePages {
 public:
  /// 0: never.
  explicit FreePages(std::size_t every) noexcept : every_{every} {}

  /// A thread adds up its own, and tells the others of them now and then: no line of memory is written by all threads
  /// with each eviction. It does so for all caches together, as what is given back is the process's.
  void freed(std::size_t bytes) noexcept {
    if (every_ == 0) return;
    std::size_t& mine = this_thread.freed;
    mine += bytes;
    if (mine < every_ / 16) return;
    waiting_.fetch_add(mine, std::memory_order_relaxed);
    mine = 0;
  }
  /// Call it outside locks. Mostly O(1).
  void give_back() noexcept {
    if (every_ == 0 || waiting_.load(std::memory_order_relaxed) < every_) return;
    if (nanoseconds(CLOCK_MONOTONIC) < not_before_.load(std::memory_order_relaxed)) return;
    if (waiting_.exchange(0, std::memory_order_relaxed) < every_) return;  // another thread is about it
    const std::int64_t start = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
    const std::int64_t took = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - start;
    const bool is_cheap = static_cast<std::size_t>(took) <= 8 * every_;
    not_before_.store(nanoseconds(CLOCK_MONOTONIC) + (is_cheap ? 1 : 9) * took, std::memory_order_relaxed);
  }

 private:
  // Not the cache's clock: this is about the machine's time, also while a test has the cache's stand still. What a call
  // cost is its thread's time, as on a busy machine most of what passes meanwhile is that of others.
  static std::int64_t nanoseconds(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }

  std::size_t every_;
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::int64_t> not_before_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
