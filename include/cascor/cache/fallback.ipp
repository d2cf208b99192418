#pragma once

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include "cascor/cache/fallback.hpp"
#include "cascor/redis/server_error.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF bool means_away(const CacheError& error) noexcept {
  const std::string_view what = error.what();
  if (what.starts_with("Error connecting to Redis")) return true;  // whatever the reason
  switch (error.code()) {
    case ErrorCode::connection:
    case ErrorCode::timeout: return true;
    // An account that may not do this one thing is served in all others.
    case ErrorCode::authentication: return !what.starts_with("NOPERM");
    case ErrorCode::response: return redis::says_unavailable(what);
    default: return false;
  }
}

CASCOR_CACHE_DEF Fallback::Fallback(KeyValueStore& store, FallbackOptions options)
    : store_{store},
      options_{std::move(options)},
      pending_{options_.max_pending_bytes, options_.everything},
      random_{options_.random} {}

inline Fallback::~Fallback() {
  if (thread_.get_id() == std::this_thread::get_id()) {
    options_.log.error("a cache was destroyed from inside one of its own handlers, which is not allowed");
    std::terminate();
  }
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    stop_by_ = std::chrono::steady_clock::now() + options_.shutdown_timeout;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (pending_.writes() > 0) {
    options_.log.info("Redis did not return: " + std::to_string(pending_.writes()) +
                      " writes that waited for it are lost");
  }
}

CASCOR_CACHE_DEF bool Fallback::lost(const CacheError& error) {
  std::unique_lock lock{mutex_};
  last_error_ = error.share();
  if (!live_.load(std::memory_order_relaxed)) return true;
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread{[this] { run(); }};
    } catch (const std::system_error&) {  // without the thread there would be no return
      return false;
    }
  }
  live_.store(false, std::memory_order_release);
  attempts_ = 0;
  const std::string what = error.what();
  announcements_.push_back({LogLevel::warning, "Redis unavailable, using memory cache: " + what, "FALLBACK: " + what});
  wake_.notify_all();
  announce(lock);
  return true;
}

// Under the lock, which it lets go of while the application's code runs. One thread at a time, so that lines and events
// come in the order of the changes; another one, or a handler that calls the cache, leaves its own to that thread.
CASCOR_CACHE_DEF void Fallback::announce(std::unique_lock<std::mutex>& lock) {
  if (announcing_) return;
  announcing_ = true;
  while (!announcements_.empty()) {
    const Announcement next = std::move(announcements_.front());
    announcements_.pop_front();
    lock.unlock();
    options_.log.write(next.level, next.line);
    try {
      if (options_.on_event && !next.event.empty()) options_.on_event({"state", next.event});
    } catch (...) {
      options_.log.error("CacheConfig::on_event threw; the cache goes on");
    }
    lock.lock();
  }
  announcing_ = false;
}

template <class Change>
bool Fallback::keep(const Change& change) {
  const std::lock_guard lock{mutex_};
  if (live_.load(std::memory_order_relaxed)) return false;
  change();
  return true;
}

CASCOR_CACHE_DEF bool Fallback::keep_write(std::string_view key, const std::shared_ptr<const std::string>& bytes,
                                           TimePoint expires, const std::function<void()>& store_in_memory) {
  return keep([&] {
    store_in_memory();
    pending_.write(key, bytes, expires);
  });
}

CASCOR_CACHE_DEF bool Fallback::keep_erasure(std::string_view key, const std::function<void()>& erase_in_memory) {
  return keep([&] {
    erase_in_memory();
    pending_.erase(key);
  });
}

CASCOR_CACHE_DEF bool Fallback::keep_invalidation(const std::string& pattern,
                                                  const std::function<void()>& erase_in_memory) {
  return keep([&] {
    erase_in_memory();
    pending_.invalidate(pattern);
  });
}

CASCOR_CACHE_DEF void Fallback::nudge() {
  {
    const std::lock_guard lock{mutex_};
    nudged_ = true;
  }
  wake_.notify_all();
}

CASCOR_CACHE_DEF Fallback::State Fallback::state() const {
  const std::lock_guard lock{mutex_};
  return {live(), ever_reached_.load(std::memory_order_relaxed), attempts_, pending_.writes(), last_error_};
}

CASCOR_CACHE_DEF void Fallback::run() {
  constexpr milliseconds first_bound{100};
  milliseconds bound = first_bound;
  Replayed replayed;
  std::unique_lock lock{mutex_};
  while (true) {
    if (live_.load(std::memory_order_relaxed)) {
      bound = first_bound;
      replayed = {};
      wake_.wait(lock, [this] { return stopping_ || !live_.load(std::memory_order_relaxed); });
      if (live_.load(std::memory_order_relaxed)) return;
    }
    if (!wait_for_next_attempt(lock, bound)) return;
    const bool last = stopping_;
    ++attempts_;
    lock.unlock();
    std::shared_ptr<const CacheError> error;
    try {
      try_return(replayed);
    } catch (const CacheError& failed) {
      try {
        error = failed.share();
      } catch (...) {  // out of memory: the reason is not kept, the attempts go on
      }
    } catch (const std::exception&) {  // out of memory
      options_.log.error("the return to Redis failed within this process; it is tried again");
    }
    lock.lock();
    if (error) last_error_ = std::move(error);
    if (live_.load(std::memory_order_relaxed)) {  // before the lock is let go of: it may be lost again meanwhile
      bound = first_bound;
      replayed = {};
    }
    announce(lock);
    if (last) return;
  }
}

// Full jitter (Brooker, AWS 2015), so that many clients do not come back in the same moment. False: no more attempts.
CASCOR_CACHE_DEF bool Fallback::wait_for_next_attempt(std::unique_lock<std::mutex>& lock, milliseconds& bound) {
  constexpr milliseconds most{2000};
  lock.unlock();
  const milliseconds delay{static_cast<milliseconds::rep>(random_() % static_cast<std::uint64_t>(bound.count() + 1))};
  lock.lock();
  bound = std::min(bound * 2, most);
  wake_.wait_for(lock, delay, [this] { return stopping_ || nudged_; });
  nudged_ = false;
  return !stopping_ || (!pending_.empty() && std::chrono::steady_clock::now() < stop_by_);
}

// Replays until nothing is pending, then goes LIVE in the same locked step, so that no change falls in between.
CASCOR_CACHE_DEF void Fallback::try_return(Replayed& replayed) {
  store_.ping(round_trip(milliseconds{1000}));
  reached();
  while (true) {
    PendingChanges::Changes changes;
    {
      const std::lock_guard lock{mutex_};
      if (pending_.empty()) {
        options_.forget_memory();
        live_.store(true, std::memory_order_release);
        add_return(replayed);
        return;
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
CASCOR_CACHE_DEF void Fallback::replay(PendingChanges::Changes& changes, Replayed& replayed) {
  replay_removals(changes, replayed);
  while (!changes.writes.empty()) replay_some_writes(changes, replayed);
}

CASCOR_CACHE_DEF void Fallback::replay_removals(PendingChanges::Changes& changes, Replayed& replayed) {
  while (!changes.patterns.empty()) {
    unless_refused(replayed, 1, [&] {
      (void)store_.erase_matching(changes.patterns.back(), options_.may_erase, [this] { return round_trip(); });
      ++replayed.invalidations;
    });
    changes.patterns.pop_back();
  }
  if (changes.erased.empty()) return;
  const std::vector<std::string_view> keys{changes.erased.begin(), changes.erased.end()};
  unless_refused(replayed, keys.size(), [&] {
    (void)store_.erase_many(keys, round_trip());
    replayed.invalidations += keys.size();
  });
  changes.erased.clear();
}

// As many as one round trip takes. What has expired meanwhile, or what the server refuses, still took the place of the
// value before it: that one goes.
CASCOR_CACHE_DEF void Fallback::replay_some_writes(PendingChanges::Changes& changes, Replayed& replayed) {
  constexpr std::size_t most_writes = 256;
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  const TimePoint now = options_.clock->now();
  std::vector<StoreEntry> entries;
  std::vector<std::string_view> gone;
  std::size_t bytes = 0;
  auto end = changes.writes.begin();
  for (; end != changes.writes.end() && entries.size() + gone.size() < most_writes; ++end) {
    if (bytes > 0 && bytes + end->bytes->size() > most_bytes) break;
    const auto left = time_left(end->expires, now);
    if (left && left->count() == 0) {
      gone.push_back(end->key);
    } else {
      bytes += end->bytes->size();
      entries.push_back({end->key, *end->bytes, left.value_or(no_expiry)});
    }
  }
  // Only a large value needs the whole time.
  const auto outcomes = store_.set_many(entries, bytes > most_bytes ? round_trip(options_.timeout) : round_trip());
  std::uint64_t stored = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].stored) {
      ++stored;
      continue;
    }
    if (means_away(*outcomes[i].error)) outcomes[i].error->raise();
    gone.push_back(entries[i].key);
    ++replayed.refused;
    replayed.why = outcomes[i].error->what();
  }
  unless_refused(replayed, 0, [&] { (void)store_.erase_many(gone, round_trip()); });
  replayed.writes += stored;
  changes.writes.erase(changes.writes.begin(), end);
}

// What the server refuses for itself must not keep everything else from coming back.
template <class Call>
void Fallback::unless_refused(Replayed& replayed, std::uint64_t changes, const Call& call) {
  try {
    call();
  } catch (const CacheError& error) {
    if (means_away(error)) throw;
    replayed.refused += changes;
    replayed.why = error.what();
  }
}

// Who destroys the cache waits for the one under way, and for what then still can be done in time.
CASCOR_CACHE_DEF Deadline Fallback::round_trip(milliseconds most) const {
  milliseconds limit = std::min(most, options_.timeout);
  const std::lock_guard lock{mutex_};
  if (stopping_) {
    const auto left = std::chrono::ceil<milliseconds>(stop_by_ - std::chrono::steady_clock::now());
    limit = std::clamp(left, milliseconds{0}, limit);
  }
  return Deadline{*options_.clock, limit};
}

// Under the lock.
CASCOR_CACHE_DEF void Fallback::add_return(const Replayed& replayed) {
  const auto count = [](std::uint64_t number, const std::string& noun) {
    return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
  };
  announcements_.push_back({LogLevel::info,
                            "Redis connection restored: " + options_.server + " (replayed " +
                                count(replayed.writes, "write") + ", " + count(replayed.invalidations, "invalidation") +
                                ")",
                            "LIVE: " + options_.server});
  if (const auto dropped = pending_.take_dropped(); dropped > 0) {
    announcements_.push_back(
        {LogLevel::warning, count(dropped, "write") + " dropped while Redis was away: memory was short", {}});
  }
  if (replayed.refused > 0) {
    announcements_.push_back(
        {LogLevel::warning, count(replayed.refused, "change") + " that waited for Redis refused: " + replayed.why, {}});
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
