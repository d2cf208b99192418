// A cache in this process, bounded in bytes: shards behind one budget.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/eviction.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/core/only_if.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/core/weight.hpp"
#include "cascor/memory/budget.hpp"
#include "cascor/memory/entry.hpp"
#include "cascor/memory/free_pages.hpp"
#include "cascor/memory/key_hash.hpp"
#include "cascor/memory/load.hpp"
#include "cascor/memory/shard.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

struct MemoryCacheOptions {
  std::size_t max_bytes = std::size_t{100} << 20;  ///< bound on bytes(): keys, values by weight_of, and overhead
  milliseconds default_ttl = no_expiry;            ///< for set() without a TTL; 0: no expiry
  Eviction eviction = Eviction::lru;               ///< who leaves when it is full
  std::shared_ptr<const Clock> clock = nullptr;    ///< null: the system's
  /// Keep the process's resident memory near the bound too: what was evicted goes back to the system, a 64th of
  /// the bound at a time. It costs a set() now and then some milliseconds, half of one thread's time where eight store
  /// at full speed. glibc only.
  bool give_back_pages = false;
  std::size_t shards = 0;  ///< rounded down to a power of two, at most 256; 0: one for each 2 MiB, at most 16
};

/// Counted since the cache was made.
struct MemoryCacheStats {
  std::uint64_t evictions = 0;    ///< entries that room was needed for
  std::uint64_t expirations = 0;  ///< entries found expired
  std::uint64_t refusals = 0;     ///< values larger than the whole cache
};

/// What became of a conditional write.
enum class SetOutcome : unsigned char {
  stored,
  too_large,        ///< larger than the whole cache: refused; with OnlyIf::always nothing is under the key now
  condition_failed  ///< nothing changed
};

/// What MemoryCache tells an observer that is not there.
struct NoObserver {
  static void inserted(std::string_view /*key*/, std::size_t /*charge*/) noexcept {}
  static void removed(std::string_view /*key*/, std::size_t /*charge*/, detail::Removal /*why*/) noexcept {}
};

/// Values by key with a TTL, bounded in bytes; least recently used out first. Every member may be called from any
/// thread at once. Values are immutable once stored and shared with their readers; their destructors run outside locks,
/// and may use the cache.
///
/// Value: any movable type. It weighs what weight_of says, asked once, when it is stored.
/// Observer: is told of each entry that comes and goes, outside locks, from the thread that caused it; must not throw.
/// Of an entry that one thread stores and another removes at once it may hear in either order; of those that go all at
/// once, when their memory does.
template <class Value, class Observer = NoObserver>
class MemoryCache {
  using Node = detail::Entry<Value>;
  using Shard = detail::Shard<Value>;
  using Condition = typename Shard::Condition;

 public:
  using Handle = CacheHandle<Value>;

  /// Throws DataError for a default TTL that is negative or past the clock.
  explicit MemoryCache(MemoryCacheOptions options = {}, Observer observer = {})
      : options_{std::move(options)},
        observer_{std::move(observer)},
        budget_{options_.max_bytes},
        free_pages_{options_.give_back_pages ? options_.max_bytes / 64 : 0} {
    if (!options_.clock) options_.clock = SystemClock::shared();
    (void)Ttl{}.resolve(options_.default_ttl, options_.clock->now());
    const std::size_t count = shard_count(options_);
    (void)detail::slots_of_this_thread();  // so that a hit of this thread allocates nothing, its first one neither
    shards_ = std::vector<Shard>(count);
    for (Shard& one : shards_) one.set_up(options_.eviction, hash_);
  }
  MemoryCache(const MemoryCache&) = delete;
  MemoryCache& operator=(const MemoryCache&) = delete;
  ~MemoryCache() = default;

  /// Stores `value` under `key` in place of what was there; false, and nothing under the key, where it is larger than
  /// the whole cache (or the key than 4 GiB). Throws DataError for a TTL that is negative or past the clock, what
  /// moving or weighing the value throws, or std::bad_alloc; the cache is then as it was. O(1) plus the entries that
  /// make room; one allocation.
  bool set(std::string_view key, Value&& value, Ttl ttl = {}) {
    return put_now(hash_(key), key, std::move(value), ttl, {}) == SetOutcome::stored;
  }
  /// The same of a copy, which allocates nothing where a string or numbers fit into the place of those that are there.
  bool set(std::string_view key, const Value& value, Ttl ttl = {}) requires std::is_copy_constructible_v<Value> {
    const std::uint64_t hash = hash_(key);
    if constexpr (detail::has_buffer<Value>) {
      if (assign(hash, key, value, ttl)) return true;
    }
    return put_now(hash, key, Value(value), ttl, {}) == SetOutcome::stored;
  }
  /// The same where `only_if` holds, decided in the same step.
  SetOutcome set_if(std::string_view key, Value value, Ttl ttl, OnlyIf only_if) {
    return put_now(hash_(key), key, std::move(value), ttl, {.only_if = only_if});
  }

  /// The value under `key`; an empty handle where there is none, or it has expired: exact to the clock. Writes nothing
  /// that other readers write or read. O(1), no allocation but 128 bytes at the first read of a thread.
  Handle get(std::string_view key) {
    Now now{*options_.clock};
    return get(key, now);
  }
  /// The same for a caller that wants to know the time too: the clock is read once for both, if at all.
  Handle get(std::string_view key, Now& now) {
    const std::uint64_t hash = hash_(key);
    Shard& shard = this->shard(hash);
    shard.expect(hash);
    Handle handle = shard.get(hash, key, now);
    if (!handle || detail::is_time_to_tidy(64)) remove_expired_of(shard, now);
    return handle;
  }

  /// Like get(), without counting as a use.
  bool contains(std::string_view key) {
    Now now{*options_.clock};
    return static_cast<bool>(peek(key, now));
  }

  /// What is left of the entry's life: no_expiry where it does not expire, nullopt where there is none. Not a use.
  /// O(1).
  std::optional<milliseconds> ttl(std::string_view key) {
    Now now{*options_.clock};
    const Handle handle = peek(key, now);
    if (!handle) return std::nullopt;
    if (handle.expires_at() == TimePoint::max()) return no_expiry;
    return time_left(handle.expires_at(), now());
  }
  /// Gives the entry a new TTL from now on (no_expiry: none); is there one? Not a use. Throws DataError as set(). O(1),
  /// but for one that was stored without a TTL: its value is copied, and throws what that throws.
  bool touch(std::string_view key, Ttl ttl) {
    while (true) {
      Now now{*options_.clock};
      const TimePoint expires = expiry_after(now(), ttl.resolve(options_.default_ttl, now()));
      const auto touched = touch_in_place(key, expires, now);
      if (touched != Shard::Touched::has_no_times) return touched == Shard::Touched::yes;
      if constexpr (!always_with_times) {
        const Handle held = peek(key, now);
        if (!held) return false;
        const Condition same{.expected = held.node(), .same_value = true};
        if (put(hash_(key), key, Value(*held), held.stored_at(), expires, same) == SetOutcome::stored) return true;
      }
    }
  }

  /// Removes the entry; was there a live one? O(1).
  bool erase(std::string_view key) {
    Now now{*options_.clock};
    const std::uint64_t hash = hash_(key);
    Leaving leaving{*this};
    return shard(hash).erase(hash, key, now, leaving);
  }

  /// Removes every entry whose key matches the Redis glob, but for those of groups that the observer keeps; how many
  /// live ones went. Where that is everything ("*"), or whole groups that the observer tells apart, O(1) and what has
  /// expired lately; their memory is given back as by clear(). Else O(entries of the groups that it may reach).
  std::size_t erase_matching(std::string_view pattern) {
    const GlobPrefix prefix = glob_literal_prefix(pattern);
    const auto matches = [pattern](std::string_view key) noexcept { return glob_match(pattern, key); };
    detail::GroupsUnder under = groups_under(prefix.text);
    if (!prefix.then_anything) under = {.part = under.whole | under.part};
    const bool is_everything = prefix.then_anything && prefix.text.empty();
    Now now{*options_.clock};
    std::size_t alive = 0;
    detail::GroupSizes invalidated{};
    for (auto& one : shards_) {
      Leaving leaving{*this};
      if constexpr (knows_groups) {
        alive += one.invalidate(under, now, leaving, invalidated, matches);
      } else if (is_everything) {
        typename Shard::Emptied emptied;
        alive += one.invalidate_all(now, leaving, invalidated, emptied);
      } else {
        alive += one.erase_if(under.part, now, leaving, matches);
      }
    }
    begin_reclaiming(invalidated);
    return alive;
  }
  /// The same of every entry for whose key `matches` is true: it is called under a lock and must not use the cache;
  /// where it throws, what it was true for is gone. `prefix`: what every key begins with for which it is true. Where
  /// the observer tells groups of keys apart, the cost is O(entries of those that begin so), else O(entries).
  template <class Matches>
  std::size_t erase_if(Matches&& matches, std::string_view prefix = {}) {
    const detail::GroupsUnder under = groups_under(prefix);
    Now now{*options_.clock};
    std::size_t alive = 0;
    for (auto& one : shards_) {
      Leaving leaving{*this};
      alive += one.erase_if(under.whole | under.part | under.kept, now, leaving, matches);
    }
    free_pages_.give_back();
    return alive;
  }

  /// Keys of live entries for which `matches` is true (called under a lock, as in erase_if), `limit` at most, in no
  /// order. Not a use. O(entries).
  template <class Matches>
  std::vector<std::string> keys_matching(Matches&& matches, std::size_t limit) {
    std::vector<std::string> keys;
    Now now{*options_.clock};
    const auto take = [&](const Node& entry) {
      if (keys.size() < limit && matches(entry.key())) keys.emplace_back(entry.key());
      return keys.size() < limit;
    };
    for (auto& one : shards_) {
      if (!one.each_live(now, take)) break;
    }
    return keys;
  }

  /// Removes everything. Handles keep their values. The memory of some hundred entries is given back at once, that of
  /// more by the operations that follow, a few by each and before anything is evicted; bytes() has it until then.
  /// O(1), no allocation.
  void clear() noexcept {
    detail::GroupSizes invalidated{};
    for (auto& one : shards_) {
      typename Shard::Emptied emptied;
      one.clear(invalidated, emptied);
    }
    begin_reclaiming(invalidated);
  }

  /// Stores `value` in place of the very entry that `expected` holds, with its times; false, and nothing changed, where
  /// that one is there no more, has expired, or the value is larger than the whole cache. Throws as set() does.
  bool replace(std::string_view key, const Handle& expected, Value value) {
    if (!expected) return false;
    return put(hash_(key), key, std::move(value), expected.stored_at(), expected.expires_at(),
               {.expected = expected.node(), .same_value = true}) == SetOutcome::stored;
  }
  /// The same for a value that is newer than what `expected` holds: it is stored now, and has a TTL of its own.
  bool replace(std::string_view key, const Handle& expected, Value value, Ttl ttl) {
    return expected &&
           put_now(hash_(key), key, std::move(value), ttl, {.expected = expected.node()}) == SetOutcome::stored;
  }

  /// A load under way: what publish() stores the loaded value with. For one thread; the cache must outlive it.
  class Load : public detail::Load {
   public:
    Load(MemoryCache& cache, std::string_view key) : detail::Load{std::string{key}}, cache_{cache} {
      shard().begin(*this);
    }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;
    ~Load() { shard().end(*this); }

   private:
    Shard& shard() noexcept { return cache_.shard(cache_.hash_(this->key())); }
    MemoryCache& cache_;
  };
  /// Before a value is loaded from elsewhere. From now on, until the load's end, a set(), erase(), clear() or matching
  /// invalidation of its key overtakes it: the value that it finds may be older than that. O(1).
  Load begin_load(std::string_view key) { return Load{*this, key}; }
  /// Stores what was loaded, unless something has overtaken the load, decided in the same step; was it stored? Throws
  /// as set() does.
  bool publish(const Load& load, Value value, Ttl ttl = {}) {
    return put_now(hash_(load.key()), load.key(), std::move(value), ttl, {.load = &load}) == SetOutcome::stored;
  }
  /// The same with times that are known: it counts as stored at `stored` and ends at `expires`, in the future.
  bool publish(const Load& load, Value value, TimePoint stored, TimePoint expires) {
    return put(hash_(load.key()), load.key(), std::move(value), stored, expires, {.load = &load}) == SetOutcome::stored;
  }
  /// Loads of the key that are under way are overtaken; what is there stays. O(1).
  void overtake(std::string_view key) noexcept {
    const std::uint64_t hash = hash_(key);
    shard(hash).overtake(key);
  }

  /// Gives back the memory of entries that have expired or were invalidated, `most` at most, which no other operation
  /// has come to since; how many. Misses and insertions remove a few each, some overwrites and now and then a hit too,
  /// so this is for a cache that is seldom used. O(what it removes).
  std::size_t remove_expired(std::size_t most = std::numeric_limits<std::size_t>::max()) {
    Now now{*options_.clock};
    std::size_t removed = 0;
    for (auto& one : shards_) {
      if (removed == most || !one.is_due(now)) continue;
      Leaving leaving{*this};
      removed += one.remove_expired(most - removed, now, leaving);
    }
    return removed;
  }

  /// Entries held, those included that have expired and were not removed yet, but none that were invalidated.
  std::size_t size() const noexcept {
    std::size_t entries = 0;
    for (auto& one : shards_) entries += one.size();
    return entries;
  }
  /// Bytes charged; never more than max_bytes().
  std::size_t bytes() const noexcept { return budget_.used(); }
  std::size_t max_bytes() const noexcept { return budget_.limit(); }
  const Clock& clock() const noexcept { return *options_.clock; }
  MemoryCacheStats stats() const noexcept {
    MemoryCacheStats stats;
    for (auto& one : shards_) {
      stats.evictions += one.evictions();
      stats.expirations += one.expirations();
    }
    stats.refusals = refusals_.load(std::memory_order_relaxed);
    return stats;
  }

 private:
  // What leaves in one operation. On every way out of it, and outside locks: first its bytes go back, then the observer
  // hears of it, at last the values are let go of. Either of these two may use the cache.
  class Leaving : public detail::Removed<Value> {
   public:
    explicit Leaving(MemoryCache& cache) noexcept : cache_{cache} {}
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    ~Leaving() {
      if (!this->empty()) cache_.account(*this);
    }

   private:
    MemoryCache& cache_;
  };

  static constexpr bool knows_groups = Node::is_grouped && requires(const Observer& observer, std::string_view prefix) {
    observer.groups_under(prefix);
  };
  static constexpr bool hears_of_groups = requires(Observer & observer, const detail::GroupSizes& sizes) {
    observer.invalidated(sizes);
  };
  // How many entries of a shard an operation on others looks after.
  static constexpr std::size_t reclaimed_by_the_way = 8;
  // Of how many entries the call that invalidates them gives back the memory itself.
  static constexpr std::size_t reclaimed_at_once = 256;

  static constexpr std::size_t too_much = std::numeric_limits<std::size_t>::max();

  static std::size_t shard_count(const MemoryCacheOptions& options) noexcept {
    if (options.shards != 0) return std::bit_floor(std::min<std::size_t>(options.shards, 256));
    return std::bit_floor(std::clamp<std::size_t>(options.max_bytes >> 21U, 1, 16));
  }
  // The table takes the hash's upper half and its lowest byte.
  std::size_t shard_of(std::uint64_t hash) const noexcept { return (hash >> 8U) & (shards_.size() - 1); }
  Shard& shard(std::uint64_t hash) noexcept { return shards_[shard_of(hash)]; }

  // Times of its own take 16 bytes, which an entry without a TTL does without, unless its value type is grouped; a
  // value that cannot be copied has them in case that it is given a TTL later.
  static constexpr bool always_with_times = !std::is_copy_constructible_v<Value> || Node::is_grouped;

  Handle peek(std::string_view key, Now& now) {
    const std::uint64_t hash = hash_(key);
    Shard& shard = this->shard(hash);
    Handle handle = shard.peek(hash, key, now);
    if (!handle) remove_expired_of(shard, now);
    return handle;
  }
  // A few of that shard's and of another one's by turns: no shard is forgotten.
  [[gnu::noinline]] void remove_expired_of(Shard& shard, Now& now) {
    remove_some_expired(shard, now);
    if (shards_.size() == 1) return;
    if (detail::ThreadSlots* const thread = detail::slots_of_this_thread()) {
      remove_some_expired(shards_[++thread->turn & (shards_.size() - 1)], now);
    }
  }
  void remove_some_expired(Shard& shard, Now& now) {
    if (!shard.is_due(now)) return;
    Leaving leaving{*this};
    shard.remove_expired(reclaimed_by_the_way, now, leaving);
  }
  typename Shard::Touched touch_in_place(std::string_view key, TimePoint expires, Now& now) {
    const std::uint64_t hash = hash_(key);
    Leaving leaving{*this};
    return shard(hash).touch(hash, key, expires, now, leaving);
  }

  // What an entry costs: its block, what its value owns, and its part of the table, the policy and the expiry index.
  // More than any cache takes, where that is not a number.
  std::size_t charge_of(std::string_view key, const Value& value, bool with_times, bool ends) const {
    using cascor::weight_of;
    const std::size_t weight = weight_of(value);
    const std::size_t heap = weight > sizeof(Value) ? weight - sizeof(Value) : 0;
    if (key.size() > detail::Charge::most / 2 || heap > detail::Charge::most / 2) return too_much;
    return detail::Charge::round_up(heap + heap_block(Node::block_size(key.size(), with_times)) +
                                    detail::HashTable<Value>::bytes_per_entry +
                                    (ends ? detail::ExpiryIndex<>::bytes_per_record : 0) +
                                    (options_.eviction == Eviction::s3fifo ? detail::S3FifoPolicy<>::bytes_per_entry
                                                                           : detail::LruPolicy::bytes_per_entry));
  }

  // The times of what is stored now: of one that never ends, when it was stored need not be exact.
  std::pair<TimePoint, TimePoint> times_of(Ttl ttl, Now& now) const {
    if (!always_with_times && ttl.never_ends(options_.default_ttl)) return {now.roughly(), TimePoint::max()};
    const milliseconds lives = ttl.resolve(options_.default_ttl, now());
    return {now(), expiry_after(now(), lives)};
  }
  [[gnu::noinline]] bool assign(std::uint64_t hash, std::string_view key, const Value& value, Ttl ttl) {
    Shard& shard = this->shard(hash);
    if (!shard.expects_overwrite() || !detail::is_quick_to_copy(value)) return false;
    shard.expect(hash);
    Now now{*options_.clock};
    const auto [stored, expires] = times_of(ttl, now);
    const bool with_times = expires != TimePoint::max() || always_with_times;
    const std::size_t charge = shard.assign(hash, key, value, {stored, expires, 0, with_times}, now);
    if (charge == 0) return false;
    was_overwritten(key, charge, charge, shard, now);
    return true;
  }
  [[gnu::noinline]] SetOutcome put_now(std::uint64_t hash, std::string_view key, Value&& value, Ttl ttl,
                                       const Condition& condition) {
    shard(hash).expect_new(hash);
    Now now{*options_.clock};
    const auto [stored, expires] = times_of(ttl, now);
    return put(hash, key, std::move(value), stored, expires, condition);
  }
  SetOutcome put(std::uint64_t hash, std::string_view key, Value&& value, TimePoint stored, TimePoint expires,
                 const Condition& condition) {
    const bool ends = expires != TimePoint::max();
    const bool with_times = ends || always_with_times;
    const std::size_t charge = charge_of(key, value, with_times, ends);
    if (charge > max_bytes() || charge == too_much) {
      refusals_.fetch_add(1, std::memory_order_relaxed);
      // The value there is no longer the newest: better none than an old one. Under a condition it stays.
      if (condition.holds_always()) erase(key);
      return SetOutcome::too_large;
    }
    detail::Allowance room{budget_};
    if constexpr (std::is_nothrow_swappable_v<Value>) {
      if (condition.holds_always() && overwrite(hash, key, value, {stored, expires, charge, with_times}, room)) {
        return SetOutcome::stored;
      }
    }
    const Handle mine = Handle::adopt(Node::make(key, std::move(value), stored, expires, with_times));
    mine.node()->charge(charge);
    for (std::size_t turn = 0;; ++turn) {
      const auto done = put_once(hash, *mine.node(), condition, room, turn);
      if (done == Shard::Put::not_expected) return SetOutcome::condition_failed;
      if (done == Shard::Put::done) break;
      evict_elsewhere(room);
    }
    observer_.inserted(key, charge);
    Now now{*options_.clock};
    remove_expired_of(shard(hash), now);
    free_pages_.give_back();
    return SetOutcome::stored;
  }
  detail::GroupsUnder groups_under(std::string_view prefix) const noexcept {
    if constexpr (knows_groups) {
      return observer_.groups_under(prefix);
    } else {
      return {.part = detail::all_groups};
    }
  }
  void begin_reclaiming(const detail::GroupSizes& invalidated) noexcept {
    if constexpr (hears_of_groups) observer_.invalidated(invalidated);
    (void)remove_expired(reclaimed_at_once);
    free_pages_.give_back();
  }
  std::size_t group_of(std::string_view key) const noexcept {
    if constexpr (Node::is_grouped && requires { observer_.group_of(key); }) {
      return observer_.group_of(key);
    } else {
      return 0;
    }
  }
  // In place: no allocation, no move in the table or the policy. The old value dies with the caller's argument.
  bool overwrite(std::uint64_t hash, std::string_view key, Value& value, const typename Shard::New& wanted,
                 detail::Allowance& room) {
    Shard& shard = this->shard(hash);
    if (!shard.expects_overwrite()) return false;
    Now now{*options_.clock};
    const std::size_t before = shard.exchange(hash, key, value, wanted, now, room);
    if (before == 0) return false;
    room.give_back();
    was_overwritten(key, before, wanted.charge, shard, now);
    return true;
  }
  void was_overwritten(std::string_view key, std::size_t before, std::size_t charge, Shard& shard, Now& now) {
    if (detail::is_time_to_tidy(4)) remove_expired_of(shard, now);
    observer_.removed(key, before, detail::Removal::replaced);
    observer_.inserted(key, charge);
  }
  typename Shard::Put put_once(std::uint64_t hash, Node& entry, const Condition& condition, detail::Allowance& room,
                               std::size_t turn) {
    // A shard makes its own room unless another one, by turns, has clearly more entries: keys spread evenly, so that
    // one has the older ones. Without this a shard that holds a large value would have no room left for any other.
    const std::size_t home = shard_of(hash);
    const std::size_t other = home ^ std::max<std::size_t>(1, shard_of((hash >> 8U) + (turn << 8U)));
    const std::size_t keep = shards_.size() == 1 ? 0 : shards_[other].rough_size() * 3 / 4;
    Now now{*options_.clock};
    Leaving leaving{*this};
    return shards_[home].put(hash, group_of(entry.key()), entry, condition, now, leaving, room, keep);
  }
  void evict_elsewhere(detail::Allowance& room) {
    const auto fullest = std::max_element(shards_.begin(), shards_.end(),
                                          [](const auto& a, const auto& b) { return a.size() < b.size(); });
    Now now{*options_.clock};
    Leaving leaving{*this};
    if (fullest->evict_one(now, leaving, room)) return;
    // All that is left is in the hands of others, who may be waiting for what is in these.
    room.give_back();
    std::this_thread::yield();
  }
  void account(const Leaving& leaving) noexcept {
    budget_.give_back(leaving.freed());
    leaving.each([this](const Node& entry) {
      const std::size_t charge = entry.charge();
      const detail::Removal why = entry.removal();
      if (why != detail::Removal::replaced) free_pages_.freed(charge);
      const bool is_told_late = why == detail::Removal::invalidated && !hears_of_groups;
      observer_.removed(entry.key(), charge, is_told_late ? detail::Removal::erased : why);
    });
  }

  MemoryCacheOptions options_;
  Observer observer_;
  detail::KeyHash hash_;
  std::vector<Shard> shards_;
  detail::Budget budget_;
  detail::FreePages free_pages_;
  std::atomic<std::uint64_t> refusals_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
