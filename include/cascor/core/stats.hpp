// What a cache has counted, as plain structs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Of one memory hit in 64 and of every other call, in microseconds; zero where nothing was measured. Taken from
/// buckets an eighth of an octave wide, so a figure from 16 ns to a minute is right to within 13 %.
struct Latency {
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
};

/// What has been counted since the manager was made: of one prefix, or of all.
struct PrefixStats {
  std::uint64_t hits = 0;         ///< reads that gave a fresh value
  std::uint64_t memory_hits = 0;  ///< of these, those that memory answered
  std::uint64_t redis_hits = 0;   ///< and those that asked Redis
  std::uint64_t misses = 0;       ///< reads that found none
  std::uint64_t stale = 0;        ///< reads that gave a value past its time
  std::uint64_t errors = 0;       ///< calls that failed: reads, writes, and what is neither
  double hit_rate = 0;            ///< hits / (hits + misses + stale + errors of reads), 0 to 1; 0 before the first read
  std::uint64_t sets = 0;         ///< writes that were accepted
  std::uint64_t evictions = 0;    ///< entries that memory had no room for
  std::uint64_t expirations = 0;  ///< entries found expired in memory
  std::uint64_t entries = 0;      ///< entries in memory now
  std::uint64_t bytes = 0;        ///< bytes charged for them
  Latency get;
  Latency set;
};

/// What a remote engine has counted since it was made, for stats().
struct RemoteStats {
  std::uint64_t commands = 0;      ///< sent, each command of a batch by itself
  std::uint64_t batches = 0;       ///< writes to a socket that carried them
  std::uint64_t retries = 0;       ///< batches that were sent again
  std::uint64_t reconnects = 0;    ///< connections dialled after the first
  std::string breaker = "closed";  ///< "closed", "open", or "half-open": one call is finding out
};

/// What became of the writes that were queued to be sent in the background, since the manager was made.
struct WriteBehindStats {
  std::uint64_t pending = 0;    ///< keys queued now
  std::uint64_t queued = 0;     ///< writes that were accepted
  std::uint64_t conflated = 0;  ///< of them those that a newer one of the same key took the place of
  std::uint64_t sent = 0;       ///< held by Redis
  std::uint64_t kept = 0;       ///< kept in memory for the return of a Redis that is away
  std::uint64_t refused = 0;    ///< refused by Redis (OOM, NOPERM); each kind is logged once
  std::uint64_t waits = 0;      ///< writes that found the queue full
};

/// What was kept in this process while Redis was away, and what became of it on return, since the manager was made.
struct FallbackStats {
  std::uint64_t losses = 0;         ///< how often Redis was lost, for a moment of doubt or longer
  std::uint64_t pending = 0;        ///< writes that wait for its return now
  std::uint64_t replayed = 0;       ///< writes that were stored there
  std::uint64_t invalidations = 0;  ///< removals that were made there: keys, patterns, tags
  std::uint64_t expired = 0;        ///< writes whose time was over by then
  std::uint64_t widened = 0;        ///< removals that became those of whole prefixes for want of room
  struct Dropped {
    std::uint64_t changed = 0;  ///< somebody else had written meanwhile: that stays
    std::uint64_t unknown = 0;  ///< this process did not remember what it had seen there: that goes
    std::uint64_t no_room = 0;  ///< while Redis was away memory had none: what was there goes
    std::uint64_t refused = 0;  ///< by Redis (OOM, NOPERM), or only_if does not hold there
  } dropped;                    ///< writes that are nowhere; each return tells of its own by a WARNING
};

/// How a connection pool stands.
struct PoolState {
  std::size_t size = 0;
  std::size_t in_use = 0;
  std::size_t waiting = 0;
  std::size_t max = 0;
};

/// One server of a cluster, or of those that Sentinels watch over, for health().
struct NodeState {
  std::string role;              ///< "master", "replica" or "sentinel"
  std::string address;           ///< "10.0.0.7:6379"
  std::string state{"unknown"};  ///< "up" or "down", as it was met last or as others say of it; "unknown": nobody says
  PoolState pool;                ///< connections of this process to it; none to replicas and Sentinels
  std::string last_error;        ///< of a call to it; empty: none since it was answered last
};

/// What get_or_compute has counted, whatever the prefix.
struct ComputeStats {
  std::uint64_t loads = 0;          ///< computations that were run
  std::uint64_t load_failures = 0;  ///< of these, those that threw
  std::uint64_t refreshes = 0;      ///< handed to the background near the end of a TTL
  std::uint64_t waits = 0;          ///< calls that waited for the computation of another call
  std::uint64_t coalesced = 0;      ///< of these, those that got what it gave, a value or its exception
  std::uint64_t lock_waits = 0;     ///< computations that waited for one in another process
  std::uint64_t not_stored = 0;     ///< values that were overtaken, or that the backend did not take
};

/// The near cache, for stats(); all zero where there is none.
struct NearStats {
  std::string link = "OFF";         ///< "OFF": no near cache; "UNOPENED": nothing was read yet that it would keep;
                                    ///< "CONNECTING", "UP"; "REFUSED": the server or the account cannot track
  std::uint64_t entries = 0;        ///< held now, those included that are only there to be served stale
  std::uint64_t bytes = 0;          ///< charged for them
  std::uint64_t evictions = 0;      ///< entries that there was no room for
  std::uint64_t invalidations = 0;  ///< keys that the server said had changed
  std::uint64_t demotions = 0;      ///< entries that became stale by one
  std::uint64_t overtaken = 0;      ///< values not kept, as their key changed while they were being read
  struct Flushes {
    std::uint64_t link_up = 0;   ///< the link came up: what changed before was not told
    std::uint64_t server = 0;    ///< FLUSHALL, FLUSHDB
    std::uint64_t returned = 0;  ///< Redis came back
    std::uint64_t command = 0;   ///< a command of this cache may have changed anything
    std::uint64_t refused = 0;   ///< the server or the account cannot track, or cannot any longer
  } flushes;
};

/// The whole, and by prefix under the names "metrics", "topology", "session", "history", "control" and "other".
template <class CascorWhenUsed = void>
struct BasicStats : PrefixStats {
  std::map<detail::Dependent<std::string, CascorWhenUsed>, PrefixStats, std::less<>> prefixes;
  ComputeStats compute;
  RemoteStats redis;  ///< all zero where memory is the backend
  FallbackStats fallback;
  WriteBehindStats write_behind;
  NearStats near_cache;
};
using Stats = BasicStats<>;

}  // namespace cascor::inline CASCOR_CACHE_ABI
