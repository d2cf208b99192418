// Keeps the end of a cache within its time, whatever the threads that end are waiting for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Calls `abandon()`, which must not throw, once the time is up, unless it is destroyed before. The mutex guards the
/// flag; nothing is called under it.
template <class Abandon>
class EndGuard {
 public:
  EndGuard(std::chrono::steady_clock::time_point by, Abandon abandon) : abandon_{std::move(abandon)} {
    try {
      thread_ = std::thread{[this, by] {
        std::unique_lock lock{mutex_};
        if (over_.wait_until(lock, by, [this] { return is_over_; })) return;
        lock.unlock();
        abandon_();
      }};
    } catch (const std::system_error&) {  // no thread to be had: then each thread ends in its own time
    }
  }
  EndGuard(const EndGuard&) = delete;
  EndGuard& operator=(const EndGuard&) = delete;
  ~EndGuard() {
    {
      const std::lock_guard lock{mutex_};
      is_over_ = true;
    }
    over_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

 private:
  Abandon abandon_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
