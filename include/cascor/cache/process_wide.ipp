#pragma once

#include <memory>
#include <mutex>

#include "cascor/cache/process_wide.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

// The mutex guards the pointer, also while the cache is made: whoever asks meanwhile waits for that one.
struct ProcessWide {
  std::mutex mutex;
  std::unique_ptr<CacheManager> manager;
};

__attribute__((visibility("default"))) CASCOR_CACHE_INLINE ProcessWide& process_wide() {
  static ProcessWide* const only = new ProcessWide;
  return *only;
}

}  // namespace detail

CASCOR_CACHE_INLINE CacheManager& get_cache_manager() {
  auto& process = detail::process_wide();
  const std::lock_guard lock{process.mutex};
  if (!process.manager) process.manager = std::make_unique<CacheManager>();
  return *process.manager;
}

CASCOR_CACHE_INLINE void shutdown_cache_manager() {
  auto& process = detail::process_wide();
  std::unique_ptr<CacheManager> ending;
  const std::lock_guard lock{process.mutex};
  ending.swap(process.manager);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
