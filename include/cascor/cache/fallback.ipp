#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "cascor/cache/fallback.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_INLINE bool means_away(const CacheError& error) noexcept {
  const std::string_view what = error.what();
  const auto says = [what](std::string_view words) { return what.find(words) != std::string_view::npos; };
  switch (error.code()) {
    case ErrorCode::connection:
    case ErrorCode::timeout: return true;
    // An account that may not do this one thing is served in all others.
    case ErrorCode::authentication: return !says("NOPERM");
    case ErrorCode::response:
      return says("LOADING ") || says("MASTERDOWN ") || says("CLUSTERDOWN ") || says("max number of clients");
    default: return false;
  }
}

CASCOR_CACHE_INLINE Fallback::Fallback(KeyValueStore& store, FallbackOptions options)
    : store_{store},
      options_{std::move(options)},
      pending_{options_.max_pending_bytes, options_.everything},
      generator_{std::random_device{}()} {}

CASCOR_CACHE_INLINE Fallback::~Fallback() {
  std::size_t lost_writes = 0;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    lost_writes = pending_.writes();
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (lost_writes > 0) {
    options_.log.warning("Redis did not return: " + std::to_string(lost_writes) +
                         " writes that waited for it are lost");
  }
}

CASCOR_CACHE_INLINE void Fallback::event(const std::string& detail) const {
  if (!options_.on_event) return;
  try {
    options_.on_event({"state", detail});
  } catch (...) {
    options_.log.error("CacheConfig::on_event threw; the cache goes on");
  }
}

CASCOR_CACHE_INLINE std::uint64_t Fallback::random() { return options_.random ? options_.random() : generator_(); }

CASCOR_CACHE_INLINE void Fallback::lost(const CacheError& error) {
  {
    const std::lock_guard lock{mutex_};
    last_error_ = error.share();
    if (!live_.load(std::memory_order_relaxed) || stopping_) return;
    live_.store(false, std::memory_order_release);
    attempts_ = 0;
    if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
  }
  wake_.notify_all();
  options_.log.warning(std::string{"Redis unavailable, using memory cache: "} + error.what());
  event(std::string{"FALLBACK: "} + error.what());
}

CASCOR_CACHE_INLINE bool Fallback::keep_write(std::string_view key, const std::shared_ptr<const std::string>& bytes,
                                              TimePoint expires, const std::function<void()>& store_in_memory) {
  const std::lock_guard lock{mutex_};
  if (live_.load(std::memory_order_relaxed)) return false;
  store_in_memory();
  pending_.write(key, bytes, expires);
  return true;
}

CASCOR_CACHE_INLINE bool Fallback::keep_invalidation(const std::string& pattern,
                                                     const std::function<void()>& erase_in_memory) {
  const std::lock_guard lock{mutex_};
  if (live_.load(std::memory_order_relaxed)) return false;
  erase_in_memory();
  pending_.invalidate(pattern);
  return true;
}

CASCOR_CACHE_INLINE void Fallback::nudge() {
  {
    const std::lock_guard lock{mutex_};
    nudged_ = true;
  }
  wake_.notify_all();
}

CASCOR_CACHE_INLINE Fallback::State Fallback::state() const {
  const std::lock_guard lock{mutex_};
  return {live(), ever_reached_.load(std::memory_order_relaxed), attempts_, pending_.writes(), last_error_};
}

CASCOR_CACHE_INLINE void Fallback::run() {
  // Full jitter (Brooker, AWS 2015), so that many clients do not come back in the same moment.
  constexpr milliseconds first{100};
  constexpr milliseconds most{2000};
  milliseconds bound = first;
  Replayed replayed;
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    if (live_.load(std::memory_order_relaxed)) {
      bound = first;
      replayed = {};
      wake_.wait(lock, [this] { return stopping_ || !live_.load(std::memory_order_relaxed); });
      continue;
    }
    const milliseconds delay{static_cast<milliseconds::rep>(random() % static_cast<std::uint64_t>(bound.count() + 1))};
    bound = std::min(bound * 2, most);
    wake_.wait_for(lock, delay, [this] { return stopping_ || nudged_; });
    nudged_ = false;
    if (stopping_) break;
    ++attempts_;
    lock.unlock();
    bool returned = false;
    try {
      returned = try_return(replayed);
    } catch (const CacheError& error) {
      lock.lock();
      last_error_ = error.share();
      continue;
    } catch (const std::exception& error) {  // out of memory, or a callback that threw: ask again later
      options_.log.error(std::string{"the return to Redis failed: "} + error.what());
    }
    lock.lock();
    if (!returned) continue;
    const std::uint64_t dropped = pending_.dropped();
    lock.unlock();
    announce_return(replayed, dropped);
    lock.lock();
  }
}

// Replays until nothing is pending, then goes LIVE in the same locked step, so that no change falls in between.
CASCOR_CACHE_INLINE bool Fallback::try_return(Replayed& replayed) {
  // A short question: who destroys the cache waits for it.
  store_.ping(Deadline{*options_.clock, std::min(options_.timeout, milliseconds{1000})});
  reached();
  while (true) {
    PendingChanges::Changes changes;
    {
      const std::lock_guard lock{mutex_};
      if (stopping_) return false;
      if (pending_.empty()) {
        options_.forget_memory();
        live_.store(true, std::memory_order_release);
        return true;
      }
      changes = pending_.take();
    }
    try {
      replay(changes, replayed);
    } catch (...) {
      const std::lock_guard lock{mutex_};
      pending_.put_back(std::move(changes));
      throw;
    }
  }
}

// Takes out of `changes` what Redis has; what is left when it throws is still to be done.
CASCOR_CACHE_INLINE void Fallback::replay(PendingChanges::Changes& changes, Replayed& replayed) {
  while (!changes.invalidations.empty()) {
    (void)store_.erase_matching(changes.invalidations.front(), options_.may_erase);
    changes.invalidations.erase(changes.invalidations.begin());
    ++replayed.invalidations;
  }
  constexpr std::size_t writes_a_batch = 256;
  while (!changes.writes.empty()) {
    const TimePoint now = options_.clock->now();
    std::vector<StoreEntry> entries;
    auto end = changes.writes.begin();
    std::uint64_t expired = 0;
    for (; end != changes.writes.end() && entries.size() < writes_a_batch; ++end) {
      const auto left = time_left(end->expires, now);
      if (left && left->count() == 0) {
        ++expired;
      } else {
        entries.push_back({end->key, *end->bytes, left.value_or(no_expiry)});
      }
    }
    std::uint64_t refused = 0;
    for (const auto& error : store_.set_many(entries, Deadline{*options_.clock, options_.timeout})) {
      if (error && means_away(*error)) error->raise();
      refused += error ? 1 : 0;
    }
    replayed.writes += entries.size() - refused;
    replayed.expired += expired;
    changes.writes.erase(changes.writes.begin(), end);
  }
}

CASCOR_CACHE_INLINE void Fallback::announce_return(const Replayed& replayed, std::uint64_t dropped) const {
  const auto count = [](std::uint64_t number, const std::string& noun) {
    return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
  };
  options_.log.info("Redis connection restored: " + options_.server + " (replayed " + count(replayed.writes, "write") +
                    ", " + count(replayed.invalidations, "invalidation") + ")");
  if (dropped > 0) {
    options_.log.warning(count(dropped, "write") + " in all were dropped while Redis was away: memory was short");
  }
  event("LIVE: " + options_.server);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
