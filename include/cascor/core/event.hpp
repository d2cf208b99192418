// What `CacheConfig::on_event` is told.
#pragma once

#include <cstdint>
#include <string>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Something that happened inside a cache, for an application that wants to count or show it:
///  - "state": "FALLBACK: <the error>", "LIVE: <the server>".
///  - "eviction": an entry that there was no room for, as `evictions` of stats() and stats().near_cache count it:
///    "memory: <key>, <n> bytes", "near cache: <key>, <n> bytes". What has expired or was replaced is none.
///  - "flush": everything was let go of: "clear_all_cache: <n> entries" (also by invalidate_cache("*")), or, of what is
///    near or stands in for Redis, "<reason>: …" with the reasons that stats().near_cache.flushes counts by. Where
///    there was nothing, nothing is told.
///
/// The handler is called by a thread of the cache's own, which the first event starts: for one event at a time, in the
/// order in which they happened, outside locks. No call of the cache waits for it, and it may use the cache. What it
/// throws is an ERROR line of the log, the first time in a row. Of a handler that is slower than what happens 1,024
/// events wait; evictions and flushes past that are told as one event for each prefix or reason, with their count. Of
/// changes of state the newest 64 wait, beside the others: the oldest of them counts those that it left no room for.
/// The end of the cache first waits until what has happened is told, `shutdown_timeout` at most and a call under way in
/// any case; then the handler is called no more. It must never destroy the cache: that ends the program, with a line
/// that says so.
struct CacheEvent {
  std::string kind{};       ///< What happened, in a word: "state", "eviction", "flush".
  std::string detail{};     ///< The particulars, for a person to read. No password, and `***` for a session's id.
  std::uint64_t count = 1;  ///< How many of them it stands for.
};

namespace detail {
inline constexpr const char* destroyed_inside =
    "a cache was destroyed from inside one of its own handlers, which is not allowed: hand it to another thread, or "
    "destroy it once the handler has returned";
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI
