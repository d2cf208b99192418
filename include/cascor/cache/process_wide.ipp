#pragma once

#include <pthread.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "cascor/cache/process_wide.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

// The mutex guards the pointer, also while the cache is made: whoever asks meanwhile waits for that one. A child that
// was forked in that moment begins with a mutex of its own; the pointer is atomic so that it is whole there.
struct ProcessWide {
  std::mutex mutex;
  std::atomic<std::thread::id> maker{};  // who is making it, under the mutex
  std::atomic<void*> manager{nullptr};   // a CacheManager: erased, so that including this makes nothing of it
};

__attribute__((visibility("default"))) inline ProcessWide& process_wide() {
  static ProcessWide* const only = [] {
    (void)::pthread_atfork(nullptr, nullptr, [] {
      auto& process = process_wide();
      ::new (&process.mutex) std::mutex;
      process.maker.store({}, std::memory_order_relaxed);
    });
    return new ProcessWide;
  }();
  return *only;
}

}  // namespace detail

CASCOR_CACHE_DEF CacheManager& get_cache_manager() {
  using Manager = detail::Dependent<CacheManager, CascorWhenUsed>;
  auto& process = detail::process_wide();
  const auto self = std::this_thread::get_id();
  if (process.maker.load(std::memory_order_relaxed) == self) {
    throw ConfigError{"get_cache_manager() called while it makes the cache, by a log sink or an event handler",
                      "Use the cache from there once it is made."};
  }
  const std::lock_guard lock{process.mutex};
  if (process.manager.load(std::memory_order_relaxed) == nullptr) {
    struct Making {
      std::atomic<std::thread::id>& maker;
      ~Making() { maker.store({}, std::memory_order_relaxed); }
    } const making{process.maker};
    process.maker.store(self, std::memory_order_relaxed);
    process.manager.store(new Manager, std::memory_order_relaxed);
  }
  return *static_cast<Manager*>(process.manager.load(std::memory_order_relaxed));
}

CASCOR_CACHE_DEF void shutdown_cache_manager() {
  auto& process = detail::process_wide();
  using Manager = detail::Dependent<CacheManager, CascorWhenUsed>;
  std::unique_ptr<Manager> ending;  // outside the lock: its last words may go to a sink that asks for a cache
  {
    const std::lock_guard lock{process.mutex};
    ending.reset(static_cast<Manager*>(process.manager.exchange(nullptr, std::memory_order_relaxed)));
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
