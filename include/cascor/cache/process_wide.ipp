#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "cascor/cache/process_wide.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

// The mutex guards the pointer, also while the cache is made: whoever asks meanwhile waits for that one.
struct ProcessWide {
  std::mutex mutex;
  std::atomic<std::thread::id> maker{};  // who is making it, under the mutex
  std::shared_ptr<void> manager;         // a CacheManager: erased, so that including this makes nothing of it
};

__attribute__((visibility("default"))) inline ProcessWide& process_wide() {
  static ProcessWide* const only = new ProcessWide;
  return *only;
}

}  // namespace detail

CASCOR_CACHE_DEF CacheManager& get_cache_manager() {
  auto& process = detail::process_wide();
  const auto self = std::this_thread::get_id();
  if (process.maker.load(std::memory_order_relaxed) == self) {
    throw ConfigError{"get_cache_manager() called while it makes the cache, by a log sink or an event handler",
                      "Use the cache from there once it is made."};
  }
  const std::lock_guard lock{process.mutex};
  if (!process.manager) {
    struct Making {
      std::atomic<std::thread::id>& maker;
      ~Making() { maker.store({}, std::memory_order_relaxed); }
    } const making{process.maker};
    process.maker.store(self, std::memory_order_relaxed);
    process.manager = std::make_shared<CacheManager>();
  }
  return *static_cast<CacheManager*>(process.manager.get());
}

CASCOR_CACHE_DEF void shutdown_cache_manager() {
  auto& process = detail::process_wide();
  std::shared_ptr<void> ending;
  const std::lock_guard lock{process.mutex};
  ending.swap(process.manager);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
