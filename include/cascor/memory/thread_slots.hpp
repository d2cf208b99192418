// What each thread tells all writers: which shard it is reading, and which entries its handles hold. A hit writes its
// own thread's line only, so threads that read the same key share no line that any of them writes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The slots of one thread; they outlive it and pass to a later one. Only their thread fills a slot; whoever lets go of
/// the handle empties it, and whoever removes the entry marks it (see Entry::hand_over).
struct alignas(64) ThreadSlots {
  static constexpr std::size_t handles = 7;

  std::atomic<const void*> reading{nullptr};                ///< the lock of the shard that is being read
  std::array<std::atomic<std::uintptr_t>, handles> held{};  ///< entries; the lowest bit: counted in the entry too
  alignas(64) ThreadSlots* next = nullptr;
  std::size_t number = 0;  ///< 0 for the first, and so on: dense, as slots are used again
  std::size_t turn = 0;    ///< its own to count with: whose turn it is
  std::atomic<bool> taken{true};
};

using AllThreads = std::atomic<ThreadSlots*>;

/// What a thread knows of itself; one variable, as each costs a shared library a call to find.
struct ThisThread {
  ThreadSlots* slots = nullptr;
  unsigned calls = 0;
  std::size_t freed = 0;  // bytes: see FreePages
};

// One list for the process, also where a program is built with hidden visibility. Where it is not one, because a
// library was loaded apart, a shard sees that the reader's list is not its own: ShardLock::enter.
// NOLINTBEGIN(cppcoreguidelines-avoid-non-const-global-variables)
[[gnu::visibility("default")]] inline constinit AllThreads all_threads{nullptr};
[[gnu::visibility("default")]] inline constinit thread_local ThisThread this_thread{};
// NOLINTEND(cppcoreguidelines-avoid-non-const-global-variables)

/// Gives the calling thread slots until it ends: those of a thread that has ended, else new ones, which stay for good.
/// Null where there is no memory.
template <class CascorWhenUsed = void>
[[gnu::noinline]] ThreadSlots* enrol_thread() noexcept {
  struct Leaving {
    explicit Leaving(ThreadSlots* given) noexcept : slots{given} {}
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    ~Leaving() {
      this_thread.slots = nullptr;
      slots->taken.store(false, std::memory_order_release);
    }
    ThreadSlots* slots;
  };
  ThreadSlots* slots = all_threads.load(std::memory_order_acquire);
  while (slots != nullptr && slots->taken.exchange(true, std::memory_order_acquire)) slots = slots->next;
  if (slots == nullptr) {
    slots = new (std::nothrow) ThreadSlots;
    if (slots == nullptr) return nullptr;
    ThreadSlots* first = all_threads.load(std::memory_order_acquire);
    do {
      slots->next = first;
      slots->number = first == nullptr ? 0 : first->number + 1;
    } while (!all_threads.compare_exchange_weak(first, slots, std::memory_order_acq_rel));
  }
  thread_local const Leaving leaving{slots};  // a thread that is ending already keeps what it takes now
  this_thread.slots = slots;
  return slots;
}

inline ThreadSlots* slots_of_this_thread() noexcept {
  ThreadSlots* const slots = this_thread.slots;
  return slots != nullptr ? slots : enrol_thread();
}

/// Is this the one of so many calls of this thread with which it gives back what has expired? A power of two.
inline bool is_time_to_tidy(unsigned calls) noexcept { return (++this_thread.calls & (calls - 1)) == 0; }

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
