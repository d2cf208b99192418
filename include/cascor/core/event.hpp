// What `CacheConfig::on_event` is told.
#pragma once

#include <string>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Something that happened inside a cache, for an application that wants to count or show it: "state", Redis lost or
/// back; "eviction", a key for which memory had no room (of sessions the prefix alone); "flush", the near cache gave up
/// whatever it held. Evictions and flushes are told by a thread for them, and counted where the application is slower.
struct CacheEvent {
  std::string kind{};    ///< What happened, in a word: "state", "eviction", "flush".
  std::string detail{};  ///< The particulars, for a person to read. Never holds a password.
};

namespace detail {
inline constexpr const char* destroyed_inside =
    "a cache was destroyed from inside one of its own handlers, which is not allowed: hand it to another thread, or "
    "destroy it once the handler has returned";
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI
