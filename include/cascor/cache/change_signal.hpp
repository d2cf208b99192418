// Wakes those who wait for something to change on the server.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The mutex guards the waiting alone. ring() is one load where nobody waits. Safe from any thread.
class ChangeSignal {
 public:
  /// For as long as somebody is about to wait: what rings from now on ends the next wait_for().
  class Listening {
   public:
    explicit Listening(ChangeSignal& signal) noexcept : signal_{signal} { signal_.listening_.fetch_add(1); }
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    ~Listening() { signal_.listening_.fetch_sub(1); }

    /// Waits until it has rung since the last time, or for so long; has it rung?
    bool wait_for(milliseconds time) {
      std::unique_lock lock{signal_.mutex_};
      const bool rung = signal_.rung_.wait_for(lock, time, [this] { return signal_.rings_ != seen_; });
      seen_ = signal_.rings_;
      return rung;
    }

   private:
    ChangeSignal& signal_;
    std::uint64_t seen_ = signal_.rings();
  };

  void ring() noexcept {
    if (listening_.load() == 0) return;
    const std::lock_guard lock{mutex_};
    ++rings_;
    rung_.notify_all();
  }

 private:
  std::uint64_t rings() {
    const std::lock_guard lock{mutex_};
    return rings_;
  }
  std::atomic<unsigned> listening_{0};
  std::mutex mutex_;
  std::condition_variable rung_;
  std::uint64_t rings_ = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
