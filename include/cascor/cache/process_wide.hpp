// The one cache of a process.
#pragma once

#include "cascor/cache/cache_manager.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// The process-wide cache, made at its first use as `CacheManager{}` is. One object for the whole process, also across
/// shared libraries (compiled by clang, those that are loaded with RTLD_LOCAL have their own). Thread-safe. Throws
/// ConfigError when it cannot be made; the next call tries again.
CASCOR_CACHE_FN __attribute__((visibility("default"))) CacheManager& get_cache_manager();

/// Destroys the process-wide cache, if there is one: drains what is pending and joins its threads. References to it end
/// here; the next get_cache_manager() makes a new one. Call it before main() returns to have an orderly end; without it
/// the cache lives until the process is gone, so that no other static object can find it destroyed.
CASCOR_CACHE_FN __attribute__((visibility("default"))) void shutdown_cache_manager();

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/process_wide.ipp"
#endif
