// A cache in this process, bounded in bytes: shards behind one budget.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/eviction.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/core/weight.hpp"
#include "cascor/memory/entry.hpp"
#include "cascor/memory/shard.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

struct MemoryCacheOptions {
  std::size_t max_bytes = std::size_t{100} << 20;  ///< bound on bytes(): keys, values by weight_of, and overhead
  milliseconds default_ttl = no_expiry;            ///< for set() without a TTL; 0: no expiry
  Eviction eviction = Eviction::lru;               ///< who leaves when it is full
  std::shared_ptr<const Clock> clock = nullptr;    ///< null: the system's
  std::size_t shards = 0;                          ///< a power of two; 0: one for each 16 MiB, at most 16
};

/// Counted since the cache was made.
struct MemoryCacheStats {
  std::uint64_t evictions = 0;    ///< entries that room was needed for
  std::uint64_t expirations = 0;  ///< entries found expired
  std::uint64_t refusals = 0;     ///< values larger than the whole cache
};

/// What MemoryCache tells an observer that is not there.
struct NoObserver {
  static void inserted(std::string_view /*key*/, std::size_t /*charge*/) noexcept {}
  static void removed(std::string_view /*key*/, std::size_t /*charge*/, detail::Removal /*why*/) noexcept {}
};

/// Values by key with a TTL, bounded in bytes; least recently used out first. Every member may be called from any
/// thread at once. Values are immutable once stored and shared with their readers; their destructors run outside locks.
///
/// Value: any movable type. It weighs what weight_of says, asked once, when it is stored.
/// Observer: is told of each entry that comes and goes, outside locks, from the thread that caused it.
template <class Value, class Observer = NoObserver>
class MemoryCache {
 public:
  using Handle = CacheHandle<Value>;

  explicit MemoryCache(MemoryCacheOptions options = {}, Observer observer = {})
      : options_{std::move(options)}, observer_{std::move(observer)} {
    if (!options_.clock) options_.clock = SystemClock::shared();
    const std::size_t wanted = options_.shards != 0 ? options_.shards : options_.max_bytes / (std::size_t{16} << 20);
    const std::size_t count = std::bit_floor(wanted < 1 ? 1 : (wanted > 16 ? 16 : wanted));
    shards_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) shards_.push_back(std::make_unique<Shard>(options_.eviction));
  }
  MemoryCache(const MemoryCache&) = delete;
  MemoryCache& operator=(const MemoryCache&) = delete;
  ~MemoryCache() = default;

  /// Stores `value` under `key` in place of what was there; false, and nothing under the key, where it is larger than
  /// the whole cache. Throws DataError for a TTL that is negative or past the clock, what moving or weighing the value
  /// throws, or std::bad_alloc; the cache is then as it was. O(1) plus the entries that make room; one allocation.
  bool set(std::string_view key, Value value, Ttl ttl = {}) {
    const TimePoint now = options_.clock->now();
    const milliseconds lives = ttl.resolve(options_.default_ttl, now);
    return put(key, std::move(value), now, expiry_after(now, lives), nullptr) == Stored::yes;
  }

  /// The value under `key`; an empty handle where there is none, or it has expired: exact to the clock. O(1), no
  /// allocation.
  Handle get(std::string_view key) {
    Now now{*options_.clock};
    return get(key, now);
  }
  /// The same for a caller that wants to know the time too: the clock is read once for both, if at all.
  Handle get(std::string_view key, Now& now) {
    const std::size_t hash = hash_of(key);
    RemovedList removed;
    Handle handle = Handle::adopt(shard(hash).get(hash, key, now, removed));
    settle(removed);
    return handle;
  }

  /// Like get(), without counting as a use.
  bool contains(std::string_view key) {
    Now now{*options_.clock};
    const std::size_t hash = hash_of(key);
    RemovedList removed;
    const bool there = shard(hash).contains(hash, key, now, removed);
    settle(removed);
    return there;
  }

  /// Removes the entry; was there a live one? O(1).
  bool erase(std::string_view key) {
    Now now{*options_.clock};
    const std::size_t hash = hash_of(key);
    RemovedList removed;
    const bool erased = shard(hash).erase(hash, key, now, removed);
    settle(removed);
    return erased;
  }

  /// Removes every entry whose key matches the Redis glob, or for whose key `matches` is true (it is called under a
  /// lock, must not throw and must not use the cache); how many live ones went. O(entries).
  std::size_t erase_matching(std::string_view pattern) {
    return erase_if([pattern](std::string_view key) noexcept { return glob_match(pattern, key); });
  }
  template <class Matches>
  std::size_t erase_if(Matches&& matches) {
    Now now{*options_.clock};
    std::size_t alive = 0;
    for (auto& one : shards_) {
      RemovedList removed;
      alive += one->erase_if(now, removed, matches);
      settle(removed);
    }
    return alive;
  }

  /// Removes everything. Handles keep their values.
  void clear() {
    for (auto& one : shards_) {
      RemovedList removed;
      one->clear(removed);
      settle(removed);
    }
  }

  /// Stores `value` in place of the very entry that `expected` holds, with its times; false where it is there no more.
  bool replace(std::string_view key, const Handle& expected, Value value) {
    return put(key, std::move(value), expected.stored_at(), expected.expires_at(), &expected) == Stored::yes;
  }

  /// Entries held, those included that have expired and were not looked at since.
  std::size_t size() const {
    std::size_t entries = 0;
    for (const auto& one : shards_) entries += one->size();
    return entries;
  }
  /// Bytes charged; never more than max_bytes().
  std::size_t bytes() const noexcept { return used_.load(std::memory_order_relaxed); }
  std::size_t max_bytes() const noexcept { return options_.max_bytes; }
  const Clock& clock() const noexcept { return *options_.clock; }
  MemoryCacheStats stats() const noexcept {
    return {evictions_.load(std::memory_order_relaxed), expirations_.load(std::memory_order_relaxed),
            refusals_.load(std::memory_order_relaxed)};
  }

 private:
  using Node = detail::Entry<Value>;
  using Shard = detail::Shard<Value>;
  using RemovedList = detail::Removed<Value>;
  enum class Stored : unsigned char { yes, too_large, not_expected };

  // The spread over shards takes the hash's upper half, the table its lower bits.
  static std::size_t hash_of(std::string_view key) noexcept { return std::hash<std::string_view>{}(key); }
  Shard& shard(std::size_t hash) noexcept { return *shards_[(hash >> 40) & (shards_.size() - 1)]; }

  // What an entry costs beside its value: its block, and its part of a table three quarters full at most, half on
  // average after growth.
  static std::size_t charge_of(std::string_view key, const Value& value) {
    constexpr std::size_t slot = 16 * 2;
    const std::size_t block = heap_block(sizeof(Node) + key.size());
    return block + slot + weigh(value) - sizeof(Value);
  }
  static std::size_t weigh(const Value& value) {
    using cascor::weight_of;
    return weight_of(value);
  }

  Stored put(std::string_view key, Value&& value, TimePoint now, TimePoint expires, const Handle* expected) {
    const std::size_t charge = charge_of(key, value);
    if (charge > options_.max_bytes) {
      refusals_.fetch_add(1, std::memory_order_relaxed);
      if (expected == nullptr) erase(key);  // the value there is no longer the newest: better none than an old one
      return Stored::too_large;
    }
    Node* const entry = Node::make(key, std::move(value), now, expires);
    Handle mine = Handle::adopt(entry);  // lets go of the entry if it is not put in
    entry->hash = hash_of(key);
    entry->charge = charge;
    Shard& home = shard(entry->hash);
    while (true) {
      RemovedList removed;
      entry->retain();  // the table's reference
      const auto done = put_or_drop(home, *entry, expected, removed);
      settle(removed);
      if (done == Shard::Put::not_expected) return Stored::not_expected;
      if (done == Shard::Put::done) break;
      make_room(home);
    }
    observer_.inserted(key, charge);
    return Stored::yes;
  }
  typename Shard::Put put_or_drop(Shard& home, Node& entry, const Handle* expected, RemovedList& removed) {
    const Node* const old = expected != nullptr ? expected->node() : nullptr;
    Now now{*options_.clock};
    try {
      const auto done = home.put(entry, old, now, removed, [this](std::ptrdiff_t more) { return reserve(more); });
      if (done != Shard::Put::done) Node::release(&entry);
      return done;
    } catch (...) {
      Node::release(&entry);
      throw;
    }
  }
  // Bytes are taken before an entry goes in, so that bytes() never passes the limit, whoever else stores at once.
  bool reserve(std::ptrdiff_t more) noexcept {
    if (more <= 0) {
      used_.fetch_sub(static_cast<std::size_t>(-more), std::memory_order_relaxed);
      return true;
    }
    const auto wanted = static_cast<std::size_t>(more);
    std::size_t used = used_.load(std::memory_order_relaxed);
    while (used + wanted <= options_.max_bytes) {
      if (used_.compare_exchange_weak(used, used + wanted, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  // Evicts one entry, of the shard that needs the room or, where that is empty, of another: a large value may take more
  // than a shard's share.
  void make_room(Shard& home) {
    Now now{*options_.clock};
    RemovedList removed;
    bool evicted = home.evict_one(now, removed);
    for (std::size_t i = 0; !evicted && i < shards_.size(); ++i) evicted = shards_[i]->evict_one(now, removed);
    settle(removed);
    if (!evicted) std::this_thread::yield();  // the room is promised to entries that other threads are putting in
  }
  // Gives back the bytes of what left, unless its successor took them over, and tells the observer.
  void settle(const RemovedList& removed) {
    std::size_t freed = 0;
    removed.each([this, &freed](const Node& entry) {
      const bool expired = entry.removal == detail::Removal::expired;
      if (!entry.charge_passed_on) freed += entry.charge;
      if (expired) expirations_.fetch_add(1, std::memory_order_relaxed);
      if (entry.removal == detail::Removal::evicted) evictions_.fetch_add(1, std::memory_order_relaxed);
      observer_.removed(entry.key(), entry.charge, entry.removal);
    });
    if (freed != 0) used_.fetch_sub(freed, std::memory_order_relaxed);
  }

  MemoryCacheOptions options_;
  Observer observer_;
  std::vector<std::unique_ptr<Shard>> shards_;
  alignas(64) std::atomic<std::size_t> used_{0};
  std::atomic<std::uint64_t> evictions_{0};
  std::atomic<std::uint64_t> expirations_{0};
  std::atomic<std::uint64_t> refusals_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
