// Values read from Redis that stay decoded in this process until the server says that they changed.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/change_signal.hpp"
#include "cascor/cache/event_teller.hpp"
#include "cascor/cache/near_value.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/eviction.hpp"
#include "cascor/core/invalidations.hpp"
#include "cascor/core/key.hpp"
#include "cascor/core/stats.hpp"
#include "cascor/core/ttl.hpp"
#include "cascor/memory/memory_backend.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What holds at all times:
///  - A value is a hit only in the epoch in which its load began, while the link is up, undemoted, and before its end.
///    The epoch ends when the link comes up (what changed before was not told), when everything may have changed
///    (flush), and when Redis returns. A value of another epoch is never served again, as what it may be.
///  - A load is announced before its question is sent. A change of its key that is told or made here in between
///    overtakes it: what it finds is not kept. And whatever a load finds, nothing older stays behind it.
///  - A key that the server says has changed, and everything while the link is down, is demoted: it can only be had as
///    stale, until `stale_for` past its end or its demotion. What was changed or removed here is not kept at all.
///
/// The mutex guards changes of the epoch and of the link's state; they are read by one load. Safe from any thread.
template <class CascorWhenUsed = void>
class NearCache final : public InvalidationSink {
 public:
  using Memory = MemoryCache<NearValue, MemoryObserver<CascorWhenUsed>>;
  using Handle = CacheHandle<NearValue>;

  /// A server says nothing of SWAPDB, nor can it of what a proxy in between lost: so long a value is trusted at most.
  static constexpr milliseconds most_trusted{60'000};

  struct Options {
    std::shared_ptr<const KeySpace> keys;
    std::vector<std::string> prefixes;
    std::size_t max_bytes = 0;
    Eviction eviction = Eviction::lru;
    milliseconds stale_for{0};
    std::shared_ptr<const Clock> clock;
    std::function<void(const CacheError& why)> on_refused;
    const std::atomic<ChangeListener*>* listener = nullptr;
    ChangeSignal* changed = nullptr;                ///< rung when the server says that a key has changed
    EventTeller<CascorWhenUsed>* events = nullptr;  ///< null: nobody wants to hear of evictions and flushes
  };

  explicit NearCache(Options options);

  /// Are keys of this prefix kept?
  bool covers(Prefix prefix) const noexcept {
    return (covered_.load(std::memory_order_relaxed) >> static_cast<unsigned>(prefix) & 1U) != 0;
  }
  bool link_is_up() const noexcept { return fresh_epoch_.load(std::memory_order_acquire) != 0; }

  /// A value that is a hit; empty otherwise. O(1), no allocation.
  Handle fresh(std::string_view key, Now& now) {
    const std::uint64_t epoch = fresh_epoch_.load(std::memory_order_acquire);
    if (epoch == 0) return {};
    Handle held = memory_.get(key, now);
    if (!held || held->epoch != epoch || held->demoted_at != TimePoint::max() || now.has_passed(held->fresh_until)) {
      return {};
    }
    return held;
  }
  /// A value that may be served as stale; empty where there is none.
  Handle stale(std::string_view key, Now& now);

  /// One load, from before its question is sent. For one thread.
  class Loading {
   public:
    Loading(NearCache& near, std::string_view key)
        : load_{near.memory_, key},
          epoch_{near.fresh_epoch_.load(std::memory_order_acquire)},
          began_{near.options_.clock->now()} {}

   private:
    friend class NearCache;
    typename Memory::Load load_;
    std::uint64_t epoch_;  // 0: what it finds cannot be kept
    TimePoint began_;
  };
  /// What a load has found: null bytes where there is no entry, no TTL where that is not known. Kept if nothing has
  /// overtaken it and the link has been up all along; then the handle holds it. Whatever was kept before is gone.
  Handle finish(const Loading& loading, const std::shared_ptr<const std::string>& bytes,
                std::optional<milliseconds> ttl);
  /// Puts the same value with more forms in its place, if it is there still.
  void remember(std::string_view key, const Handle& held, StoredValue value) {
    NearValue more = *held;
    more.value = std::move(value);
    (void)memory_.replace(key, held, std::move(more));
  }

  /// Of what is changed here: it is gone, loads of it are overtaken.
  void forget(std::string_view key) { (void)memory_.erase(key); }
  void forget_matching(std::string_view pattern) { (void)memory_.erase_matching(pattern); }
  /// Nothing that is held is served any more. O(1): memory is given back later; no value's destructor runs.
  void outdate(FlushReason why) noexcept;
  /// The same, and memory is given back.
  void flush(FlushReason why) noexcept {
    outdate(why);
    memory_.clear();
  }

  void on_up() noexcept override;
  void on_key(std::string_view key) noexcept override;
  void on_flush() noexcept override { flush(FlushReason::server); }
  void on_down(const CacheError& why) noexcept override;
  void on_refused(const CacheError& why) noexcept override;

  void add_to(NearStats& stats) const;

 private:
  using Count = std::atomic<std::uint64_t>;
  static TimePoint later(TimePoint from, milliseconds by) noexcept {
    const bool too_far = by >= std::chrono::floor<milliseconds>(TimePoint::max() - from);
    return too_far ? TimePoint::max() : from + by;
  }
  static unsigned covered_by(const Options& options);
  static MemoryCacheOptions memory_options(const Options& options);
  bool demote(std::string_view key);
  void tell_any(FlushReason why) const noexcept;

  const Options options_;
  std::atomic<unsigned> covered_;  // a bit a prefix
  Memory memory_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<std::uint64_t> fresh_epoch_{0};  // epoch_ while the link is up, else 0
  std::atomic<TimePoint::rep> down_since_{0};
  Count invalidations_{0};
  Count demotions_{0};
  Count overtaken_{0};
  std::array<Count, flush_reasons> flushes_{};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/near_cache.ipp"
#endif
