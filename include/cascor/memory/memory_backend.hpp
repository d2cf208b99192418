// The memory tier: stored values of any type under full keys, with its share of the statistics by prefix.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "cascor/core/key.hpp"
#include "cascor/core/stats.hpp"
#include "cascor/memory/memory_cache.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What a key begins with under which the tiers above keep something beside the entry of the rest of it. No caller can
/// name such a key: full keys begin with the namespace, which is text. No invalidation reaches it.
inline constexpr char kept_aside_mark = '\x01';
inline bool is_kept_aside(std::string_view key) noexcept { return key.starts_with(kept_aside_mark); }

/// Hears of each entry that there was no room for. Called by whoever needed the room, under whatever locks that one
/// holds.
class EvictionListener {
 public:
  EvictionListener() = default;
  EvictionListener(const EvictionListener&) = delete;
  EvictionListener& operator=(const EvictionListener&) = delete;
  virtual ~EvictionListener() = default;
  virtual void evicted(std::string_view key, std::size_t bytes) noexcept = 0;
};

/// Entries, bytes, evictions and expirations by prefix; of what is kept aside the bytes. Safe from any thread.
template <class CascorWhenUsed = void>
class MemoryCounts {
 public:
  explicit MemoryCounts(std::shared_ptr<const KeySpace> keys, EvictionListener* listener = nullptr)
      : keys_{std::move(keys)}, listener_{listener} {}

  void inserted(std::string_view key, std::size_t charge) noexcept {
    auto& one = of(key);
    if (!is_kept_aside(key)) one.entries.fetch_add(1, std::memory_order_relaxed);
    one.bytes.fetch_add(static_cast<std::int64_t>(charge), std::memory_order_relaxed);
  }
  void removed(std::string_view key, std::size_t charge, Removal why) noexcept {
    auto& one = of(key);
    one.bytes.fetch_sub(static_cast<std::int64_t>(charge), std::memory_order_relaxed);
    if (is_kept_aside(key)) return;
    if (why != Removal::invalidated) one.entries.fetch_sub(1, std::memory_order_relaxed);
    if (why == Removal::evicted) {
      one.evictions.fetch_add(1, std::memory_order_relaxed);
      if (listener_ != nullptr) listener_->evicted(key, charge);
    }
    if (why == Removal::expired) one.expirations.fetch_add(1, std::memory_order_relaxed);
  }
  /// Entries that are gone all at once, by group; their bytes follow, one by one.
  void invalidated(const GroupSizes& sizes) noexcept {
    for (std::size_t group = 0; group < most_groups; ++group) {
      if (sizes[group] == 0) continue;
      of_group(group).entries.fetch_sub(static_cast<std::int64_t>(sizes[group]), std::memory_order_relaxed);
    }
  }
  /// A key's group is its prefix; what is no cache has one of its own, which no invalidation reaches.
  std::size_t group_of(std::string_view key) const noexcept {
    static_assert(prefix_count < most_groups);
    return keys_->is_cached(key) ? static_cast<std::size_t>(keys_->prefix_of(key)) : kept;
  }
  /// The groups of all keys that begin so: those that begin with it themselves, and that of the longest prefix in it.
  GroupsUnder groups_under(std::string_view begin) const noexcept {
    GroupsUnder under{.kept = GroupSet{1} << kept};
    for (std::size_t p = 0; p < prefix_count; ++p) {
      if (std::string_view{keys_->text(static_cast<Prefix>(p))}.starts_with(begin)) under.whole |= GroupSet{1} << p;
    }
    under.part = GroupSet{1} << static_cast<std::size_t>(keys_->prefix_of(begin)) & ~under.whole;
    return under;
  }
  void add_to(BasicStats<CascorWhenUsed>& stats) const {
    for (std::size_t p = 0; p < prefix_count; ++p) {
      const auto& one = counts_[p];
      auto& named = stats.prefixes[std::string{to_string(static_cast<Prefix>(p))}];
      for (PrefixStats* to : {static_cast<PrefixStats*>(&stats), &named}) {
        to->entries += at_least_none(one.entries);
        to->bytes += at_least_none(one.bytes);
        to->evictions += one.evictions.load(std::memory_order_relaxed);
        to->expirations += one.expirations.load(std::memory_order_relaxed);
      }
    }
  }

 private:
  static constexpr std::size_t kept = prefix_count;

  struct alignas(64) Counts {
    std::atomic<std::int64_t> entries{
        0};  // below zero for a moment where an entry's removal is told before its insertion
    std::atomic<std::int64_t> bytes{0};
    std::atomic<std::uint64_t> evictions{0};
    std::atomic<std::uint64_t> expirations{0};
  };
  static std::uint64_t at_least_none(const std::atomic<std::int64_t>& count) noexcept {
    return static_cast<std::uint64_t>(std::max(std::int64_t{0}, count.load(std::memory_order_relaxed)));
  }
  Counts& of_group(std::size_t group) noexcept {
    return counts_[std::min(group, static_cast<std::size_t>(Prefix::other))];
  }
  Counts& of(std::string_view key) noexcept { return of_group(group_of(key)); }

  std::shared_ptr<const Dependent<KeySpace, CascorWhenUsed>> keys_;
  EvictionListener* const listener_;
  std::array<Counts, prefix_count> counts_;
};

/// A MemoryCache observer that reports to MemoryCounts. Of the keys that the memory tier holds, erase_matching()
/// reaches those alone that KeySpace::is_cached().
template <class CascorWhenUsed = void>
struct MemoryObserver {
  std::shared_ptr<MemoryCounts<CascorWhenUsed>> counts;
  void inserted(std::string_view key, std::size_t charge) const noexcept { counts->inserted(key, charge); }
  void removed(std::string_view key, std::size_t charge, Removal why) const noexcept {
    counts->removed(key, charge, why);
  }
  std::size_t group_of(std::string_view key) const noexcept { return counts->group_of(key); }
  GroupsUnder groups_under(std::string_view prefix) const noexcept { return counts->groups_under(prefix); }
  void invalidated(const GroupSizes& sizes) const noexcept { counts->invalidated(sizes); }
};

/// The memory tier's store.
template <class CascorWhenUsed = void>
using MemoryBackend = MemoryCache<StoredValue, MemoryObserver<CascorWhenUsed>>;
using StoredHandle = CacheHandle<StoredValue>;

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
