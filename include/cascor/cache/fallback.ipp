#pragma once

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include "cascor/cache/fallback.hpp"
#include "cascor/cache/write_replay.hpp"
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

template <class CascorWhenUsed>
Fallback<CascorWhenUsed>::Fallback(KeyValueStore& store, Options options)
    : store_{store},
      options_{std::move(options)},
      seen_{options_.max_seen_bytes},
      pending_{options_.max_pending_bytes, options_.everything, options_.wider, options_.wider_context},
      random_{options_.random} {
  if (options_.max_seen_bytes > 0) store_.tell_values(&seen_);
}

template <class CascorWhenUsed>
Fallback<CascorWhenUsed>::~Fallback() {
  if (announcer_.load() == std::this_thread::get_id()) {
    options_.log.error(destroyed_inside);
    std::terminate();
  }
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    if (stop_by_ == std::chrono::steady_clock::time_point{})
      stop_by_ = std::chrono::steady_clock::now() + options_.shutdown_timeout;
    wake_.notify_all();
    if (thread_.joinable() && !decided_.wait_until(lock, stop_by_, [this] { return ended_; })) {
      lock.unlock();
      store_.stop();
    }
  }
  if (thread_.joinable()) thread_.join();
  if (const auto lost = pending_.writes(); lost > 0) {
    // Who never reached Redis was warned of that, and has lost nothing that was ever to be had.
    const auto level = ever_reached_.load(std::memory_order_relaxed) ? LogLevel::warning : LogLevel::info;
    options_.log.write(level,
                       "Redis did not return: " + std::to_string(lost) +
                           (lost == 1 ? " write that waited for it is lost" : " writes that waited for it are lost"));
  }
}

template <class CascorWhenUsed>
bool Fallback<CascorWhenUsed>::lost(const CacheError& error, Now seen, bool certain) {
  std::unique_lock lock{mutex_};
  const Now is = now();
  if (is.losses != seen.losses) return true;
  last_error_ = error.share();
  if (is.serving == Serving::memory) return true;
  const bool doubtful = error.code() == ErrorCode::timeout && !certain;
  if (is.serving == Serving::undecided && doubtful) return true;
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread{[this] { run(); }};
    } catch (const std::system_error&) {  // without the thread there would be no return
      return false;
    }
  }
  // A loss begins with doubt, or without it.
  const std::uint64_t losses = is.serving == Serving::redis ? is.losses + 1 : is.losses;
  if (is.serving == Serving::redis) attempts_ = 0;
  if (doubtful) {
    doubt_ = last_error_;
    become(Serving::undecided, losses);
  } else {
    become(Serving::memory, losses);
    announce_loss(error);
    decided_.notify_all();
  }
  wake_.notify_all();
  announce(lock);
  return true;
}

// Under the lock.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::announce_loss(const CacheError& error) {
  const std::string what = error.what();
  announcements_.push_back({LogLevel::warning, "Redis unavailable, using memory cache: " + what});
  if (options_.events != nullptr) options_.events->state("FALLBACK: " + what);
}

template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::await_decision(Deadline by) const {
  std::unique_lock lock{mutex_};
  const milliseconds patience = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  decided_.wait_for(lock, patience, [this] { return now().serving != Serving::undecided; });
}

template <class CascorWhenUsed>
bool Fallback<CascorWhenUsed>::await_return(Deadline by) {
  if (live()) return true;
  nudge();
  std::unique_lock lock{mutex_};
  const milliseconds patience = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  return decided_.wait_for(lock, patience, [this] { return live(); });
}

// Under the lock, which it lets go of while the application's code runs. One thread at a time, so that lines come in
// the order of the changes; another one, or a sink that calls the cache, leaves its own to that thread.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::announce(std::unique_lock<std::mutex>& lock) {
  if (announcing_) return;
  announcing_ = true;
  while (!announcements_.empty()) {
    const Announcement next = std::move(announcements_.front());
    announcements_.pop_front();
    lock.unlock();
    announcer_ = std::this_thread::get_id();
    options_.log.write(next.level, next.line);
    announcer_ = std::thread::id{};
    lock.lock();
  }
  announcing_ = false;
}

template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::nudge() {
  const std::lock_guard lock{mutex_};
  nudged_ = true;
  wake_.notify_all();
}

template <class CascorWhenUsed>
auto Fallback<CascorWhenUsed>::state() const -> State {
  const std::lock_guard lock{mutex_};
  return {live(), ever_reached_.load(std::memory_order_relaxed), attempts_, pending_.writes(), last_error_};
}

template <class CascorWhenUsed>
FallbackStats Fallback<CascorWhenUsed>::stats() const {
  const std::lock_guard lock{mutex_};
  FallbackStats stats = totals_;
  stats.losses = now().losses;
  stats.pending = pending_.writes();
  return stats;
}

template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::run() {
  constexpr milliseconds first_bound{100};
  milliseconds bound = first_bound;
  Replayed replayed;
  std::unique_lock lock{mutex_};
  while (true) {
    if (live()) {
      bound = first_bound;
      replayed = {};
      wake_.wait(lock, [this] { return stopping_ || !live(); });
      if (live()) break;
    }
    if (!wait_for_next_attempt(lock, bound)) break;
    const bool last = stopping_;
    ++attempts_;
    lock.unlock();
    std::shared_ptr<const CacheError> error;
    bool returned = false;
    try {
      try_return(replayed);
      returned = true;
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
    if (!returned && now().serving == Serving::undecided) {
      become(Serving::memory, now().losses);
      if (doubt_) announce_loss(*doubt_);
      decided_.notify_all();
    }
    if (returned) {  // before the lock is let go of: it may be lost again meanwhile
      bound = first_bound;
      replayed = {};
    }
    announce(lock);
    if (last) break;
  }
  ended_ = true;
  decided_.notify_all();
}

// Full jitter (Brooker, AWS 2015), so that many clients do not come back in the same moment. False: no more attempts.
template <class CascorWhenUsed>
bool Fallback<CascorWhenUsed>::wait_for_next_attempt(std::unique_lock<std::mutex>& lock, milliseconds& bound) {
  constexpr milliseconds most{2000};
  if (now().serving == Serving::memory) {
    lock.unlock();
    const milliseconds delay{static_cast<milliseconds::rep>(random_() % static_cast<std::uint64_t>(bound.count() + 1))};
    lock.lock();
    bound = std::min(bound * 2, most);
    wake_.wait_for(lock, delay, [this] { return stopping_ || nudged_; });
  }
  nudged_ = false;
  return !stopping_ || (!pending_.empty() && std::chrono::steady_clock::now() < stop_by_);
}

// Replays until nothing is pending, then goes LIVE in the same locked step, so that no change falls in between.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::try_return(Replayed& replayed) {
  // In doubt callers are waiting for the answer: a second is enough for it. A return may take its time.
  constexpr milliseconds soon{1000};
  const Deadline by = round_trip();
  store_.ping(now().serving == Serving::undecided ? Deadline::sooner(by, Deadline{*options_.clock, soon}) : by);
  reached();
  while (true) {
    Changes changes;
    {
      const std::lock_guard lock{mutex_};
      if (pending_.empty()) return go_live(replayed);
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

// Under the lock. What was never announced as lost is not announced as restored.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::go_live(const Replayed& replayed) {
  const Now was = now();
  options_.forget_memory();
  for (const auto& sight : replayed.stay)
    seen_.then_saw(sight);  // it is the truth now; no sooner, as writes may return
  become(Serving::redis, was.losses);
  decided_.notify_all();
  const auto count = [](std::uint64_t number, const std::string& noun) {
    return std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s");
  };
  if (was.serving == Serving::memory) {
    announcements_.push_back({LogLevel::info, "Redis connection restored: " + options_.server + " (replayed " +
                                                  count(replayed.writes, "write") + ", " +
                                                  count(replayed.invalidations, "invalidation") + ")"});
    if (options_.events != nullptr) options_.events->state("LIVE: " + options_.server);
  }
  add_up(replayed);
}

// Under the lock. What is not as it was asked is told.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::add_up(const Replayed& replayed) {
  const auto warn = [this](std::uint64_t number, const char* noun, const std::string& what) {
    if (number == 0) return;
    announcements_.push_back(
        {LogLevel::warning, std::to_string(number) + ' ' + noun + (number == 1 ? "" : "s") + what});
  };
  const auto dropped = pending_.take_dropped();
  const auto widened = pending_.take_widened();
  warn(dropped, "write", " dropped while Redis was away: memory was short");
  warn(widened, "removal", " made while Redis was away became the removal of whole prefixes: memory was short");
  warn(replayed.changed, "write", " dropped on Redis's return: other clients had written the keys meanwhile");
  warn(replayed.unknown, "write",
       " dropped on Redis's return, and what was there removed: it is not remembered which was newer");
  warn(replayed.refused, "change", " that waited for Redis refused: " + replayed.why);
  totals_.replayed += replayed.writes;
  totals_.invalidations += replayed.invalidations;
  totals_.expired += replayed.expired;
  totals_.widened += widened;
  totals_.dropped.changed += replayed.changed;
  totals_.dropped.unknown += replayed.unknown;
  totals_.dropped.no_room += dropped;
  totals_.dropped.refused += replayed.refused;
}

// Takes out of `changes` what Redis has; what is left when it throws is still to be done.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::replay(Changes& changes, Replayed& replayed) {
  replay_removals(changes, replayed);
  WriteReplay<CascorWhenUsed> writes{store_, seen_, *options_.clock, replayed};
  while (!changes.writes.empty()) writes.replay_some(changes.writes, [this] { return round_trip(); });
  replay_increments(changes, replayed);
}

template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::replay_removals(Changes& changes, Replayed& replayed) {
  while (!changes.patterns.empty()) {
    unless_refused(replayed, 1, [&] {
      (void)store_.erase_matching(changes.patterns.back(), options_.may_erase, [this] { return round_trip(); });
      ++replayed.invalidations;
    });
    changes.patterns.pop_back();
  }
  while (!changes.tags.empty()) {
    unless_refused(replayed, 1, [&] {
      (void)store_.erase_tagged(changes.tags.back(), options_.may_erase, [this] { return round_trip(); });
      ++replayed.invalidations;
    });
    changes.tags.pop_back();
  }
  constexpr std::size_t keys_a_round_trip = 512;
  while (!changes.erased.empty()) {
    std::vector<std::string_view> keys;
    auto end = changes.erased.begin();
    for (; end != changes.erased.end() && keys.size() < keys_a_round_trip; ++end) keys.push_back(*end);
    unless_refused(replayed, keys.size(), [&] {
      (void)store_.erase_many(keys, round_trip());
      replayed.invalidations += keys.size();
    });
    changes.erased.erase(changes.erased.begin(), end);
  }
}

// One by one, each taken out before it is sent: what may have been counted is never counted again.
template <class CascorWhenUsed>
void Fallback<CascorWhenUsed>::replay_increments(Changes& changes, Replayed& replayed) {
  while (!changes.increments.empty()) {
    auto one = changes.increments.extract(changes.increments.begin());
    const auto left = time_left(one.mapped().expires, options_.clock->now());
    if (left && left->count() == 0) {
      ++replayed.expired;
      continue;
    }
    try {
      unless_refused(replayed, 1, [&] {
        (void)store_.increment(one.key(), one.mapped().by, left.value_or(no_expiry), round_trip());
        ++replayed.writes;
      });
    } catch (const CacheError& error) {
      if (std::string_view{error.what()}.starts_with("Error connecting to Redis")) {  // nothing was sent
        changes.increments.insert(std::move(one));
        throw;
      }
      ++replayed.refused;
      replayed.why = std::string{"it is not known whether it was counted: "} + error.what();
      throw;
    }
  }
}

// What the server refuses for itself must not keep everything else from coming back.
template <class CascorWhenUsed>
template <class Call>
void Fallback<CascorWhenUsed>::unless_refused(Replayed& replayed, std::uint64_t changes, const Call& call) {
  try {
    call();
  } catch (const CacheError& error) {
    if (means_away(error)) throw;
    replayed.refused += changes;
    replayed.why = error.what();
  }
}

// Who destroys the cache waits for no longer than it says.
template <class CascorWhenUsed>
Deadline Fallback<CascorWhenUsed>::round_trip() const {
  milliseconds limit = options_.timeout;
  const std::lock_guard lock{mutex_};
  if (stopping_) {
    const auto left = std::chrono::ceil<milliseconds>(stop_by_ - std::chrono::steady_clock::now());
    limit = std::clamp(left, milliseconds{0}, limit);
  }
  return Deadline{*options_.clock, limit};
}

#if defined(CASCOR_CACHE_COMPILED)
template class Fallback<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
