// The lock of a shard. Many read at once, each having said so in its own thread's slot; who closes the shard waits
// until none reads it; who only locks it keeps other writers out and lets readers pass.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "cascor/memory/thread_slots.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Waits a little longer each time, for what takes others well under a microsecond unless they are off the processor.
class Patience {
 public:
  void wait() noexcept {
    if (++turns_ < 64) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    } else if (turns_ < 4096) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds{50});
    }
  }

 private:
  unsigned turns_ = 0;
};

/// A reader says which shard it reads, then looks whether that is closed; a writer closes, then looks who reads. In the
/// one order of these four, which are all sequentially consistent, one of the two sees the other.
class ShardLock {
 public:
  ShardLock() = default;
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;
  ~ShardLock() = default;

  /// From here to leave() the shard stands still. False for a thread whose slots the writers of this shard do not see.
  bool enter(ThreadSlots& thread) noexcept {
    if (threads_ != &all_threads) return false;
    thread.reading.exchange(this, std::memory_order_seq_cst);
    if (state_.load(std::memory_order_seq_cst) != closed) return true;
    return enter_late(thread);
  }
  static void leave(ThreadSlots& thread) noexcept { thread.reading.store(nullptr, std::memory_order_release); }

  /// Keeps writers out.
  bool try_lock() noexcept { return take(locked); }
  void lock() noexcept {
    for (Patience patience; !take(locked); patience.wait()) {
    }
  }
  /// Keeps writers and readers out.
  void close() noexcept {
    for (Patience patience; !take(closed); patience.wait()) {
    }
    for (ThreadSlots* thread = first_thread(); thread != nullptr; thread = thread->next) {
      for (Patience patience; thread->reading.load(std::memory_order_seq_cst) == this; patience.wait()) {
      }
    }
  }
  /// Ends any of these.
  void open() noexcept { state_.store(free, std::memory_order_release); }

  ThreadSlots* first_thread() const noexcept { return threads_->load(std::memory_order_acquire); }

 private:
  enum : std::uint32_t { free, locked, closed };

  bool take(std::uint32_t wanted) noexcept {
    std::uint32_t expected = free;
    return state_.load(std::memory_order_relaxed) == free &&
           state_.compare_exchange_strong(expected, wanted, std::memory_order_seq_cst);
  }
  [[gnu::noinline]] bool enter_late(ThreadSlots& thread) noexcept {
    Patience patience;
    do {
      leave(thread);
      while (state_.load(std::memory_order_relaxed) == closed) patience.wait();
      thread.reading.exchange(this, std::memory_order_seq_cst);
    } while (state_.load(std::memory_order_seq_cst) == closed);
    return true;
  }

  std::atomic<std::uint32_t> state_{free};
  const AllThreads* threads_ = &all_threads;
};

/// Holds a shard closed, or only locked, for as long as it lives.
class Closed {
 public:
  explicit Closed(ShardLock& lock) noexcept : lock_{lock} { lock_.close(); }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;
  ~Closed() { lock_.open(); }

 private:
  ShardLock& lock_;
};
class Locked {
 public:
  explicit Locked(ShardLock& lock) noexcept : lock_{lock} { lock_.lock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
  ~Locked() { lock_.open(); }

 private:
  ShardLock& lock_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
