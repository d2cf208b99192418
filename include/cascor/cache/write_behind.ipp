#pragma once

#include <algorithm>
#include <chrono>
#include <exception>
#include <system_error>
#include <utility>

#include "cascor/cache/write_behind.hpp"
#include "cascor/core/glob.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
WriteBehind<CascorWhenUsed>::WriteBehind(Parts& parts)
    : parts_{parts}, max_bytes_{parts.memory.max_bytes() / 4}, random_{parts.config.random} {}

template <class CascorWhenUsed>
WriteBehind<CascorWhenUsed>::~WriteBehind() {
  {
    std::unique_lock lock{mutex_};
    stopping_ = true;
    wake_.notify_one();
    if (thread_.joinable() && !moved_.wait_until(lock, parts_.end_by, [this] { return ended_; })) {
      abandoned_ = true;
      wake_.notify_one();
      lock.unlock();
      parts_.abandon();
    }
  }
  if (thread_.joinable()) thread_.join();
  if (queue_.empty()) return;
  parts_.log.warning(std::to_string(queue_.size()) + (queue_.size() == 1 ? " queued write" : " queued writes") +
                     " could not be sent to Redis on " + parts_.remote.server + " within shutdown_timeout (" +
                     Parts::ttl_text(parts_.config.shutdown_timeout) + "), lost");
}

// ---- callers

template <class CascorWhenUsed>
std::optional<Dependent<StoreResult, CascorWhenUsed>> WriteBehind<CascorWhenUsed>::put(const Write& write,
                                                                                       TimePoint now, milliseconds ttl,
                                                                                       Deadline by) {
  Entry entry;
  entry.key = write.key;
  entry.bytes = write.value.bytes();
  entry.expires = expiry_after(now, ttl);
  entry.queued = now;
  entry.prefix = write.prefix;
  entry.tags = write.value.tags();
  std::unique_lock lock{mutex_};
  if (!start()) return std::nullopt;
  if (!has_room_for(write.key) && !wait_for_room(lock, write.key, by)) {
    const auto why = std::make_shared<const TimeoutError>(
        "Timeout while " + std::to_string(queue_.size()) + " queued writes wait for Redis on " + parts_.remote.server,
        "The queue is full: give Redis time, give the call more, or raise write_behind.max_pending.");
    if (!parts_.config.strict) return StoreResult{why};
    parts_.counters.add(write.prefix, Count::write_error);
    why->raise();
  }
  if (queue_.put(entry)) ++counts_.conflated;
  ++counts_.queued;
  size_.store(queue_.size(), std::memory_order_relaxed);
  const bool asleep = std::exchange(resting_, false);
  lock.unlock();
  if (asleep) wake_.notify_one();
  return StoreResult{CacheTier::memory};
}

template <class CascorWhenUsed>
std::optional<Dependent<Found, CascorWhenUsed>> WriteBehind<CascorWhenUsed>::find(std::string_view key) {
  Found found;
  TimePoint queued;
  TimePoint expires;
  {
    const std::lock_guard lock{mutex_};
    const Entry* const entry = queue_.find(key);
    if (entry == nullptr) return std::nullopt;
    found.bytes = entry->bytes;
    queued = entry->queued;
    expires = entry->expires;
  }
  if (!found.bytes) return found;
  const TimePoint now = parts_.clock->now();
  if (expires <= now) return Found{};
  found.facts.status = CacheStatus::hit;
  found.facts.tier = CacheTier::memory;
  found.facts.age = std::chrono::floor<milliseconds>(now - queued);
  found.facts.ttl = time_left(expires, now);
  return found;
}

template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::is_settled(std::string_view key, TimePoint& until) {
  if (!any()) return true;
  const Deadline by = parts_.deadline(until);
  until = by.at();
  std::unique_lock lock{mutex_};
  return wait_until_left(lock, queue_.generation_of(key), by);
}
template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::settle_all(TimePoint until) {
  if (!any()) return true;
  const Deadline by = parts_.deadline(until);
  std::unique_lock lock{mutex_};
  return wait_until_left(lock, queue_.newest(), by);
}
template <class CascorWhenUsed>
std::shared_ptr<const CacheError> WriteBehind<CascorWhenUsed>::too_long(Prefix prefix) {
  parts_.counters.add(prefix, Count::write_error);
  auto why = parts_.out_of_time();
  if (parts_.config.strict) why->raise();
  return why;
}

template <class CascorWhenUsed>
template <class Match>
std::size_t WriteBehind<CascorWhenUsed>::remove_if(const Match& match) {
  const std::lock_guard lock{mutex_};
  const std::size_t gone = queue_.remove_if(match, parts_.clock->now());
  size_.store(queue_.size(), std::memory_order_relaxed);
  return gone;
}
template <class CascorWhenUsed>
std::size_t WriteBehind<CascorWhenUsed>::remove(std::string_view key) {
  return remove_if([key](const Entry& queued) { return queued.key == key; });
}
template <class CascorWhenUsed>
std::size_t WriteBehind<CascorWhenUsed>::remove_matching(const std::string& pattern) {
  return remove_if(
      [&](const Entry& queued) { return parts_.keys->is_cached(queued.key) && glob_match(pattern, queued.key); });
}
template <class CascorWhenUsed>
std::size_t WriteBehind<CascorWhenUsed>::remove_tagged(const std::string& tag) {
  return remove_if([&](const Entry& queued) {
    if (!queued.tags) return false;
    const auto& names = queued.tags->names;
    return std::find(names.begin(), names.end(), tag) != names.end();
  });
}

template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::flush(Deadline by) {
  std::unique_lock lock{mutex_};
  if (!wait_until_left(lock, queue_.newest(), by)) return false;
  return std::exchange(refused_when_flushed_, counts_.refused) == counts_.refused;
}

template <class CascorWhenUsed>
WriteBehindStats WriteBehind<CascorWhenUsed>::stats() const {
  const std::lock_guard lock{mutex_};
  WriteBehindStats stats = counts_;
  stats.pending = queue_.size();
  return stats;
}

// Under the lock.
template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::has_room_for(std::string_view key) const {
  if (queue_.bytes() >= max_bytes_) return false;
  return queue_.size() < parts_.config.write_behind.max_pending || queue_.find(key) != nullptr;
}

// Under the lock, which it lets go of while it waits.
template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::wait_for_room(std::unique_lock<std::mutex>& lock, std::string_view key, Deadline by) {
  ++counts_.waits;
  ++waiting_;
  wake_.notify_one();
  const bool room = moved_.wait_for(lock, patience(by), [&] { return has_room_for(key); });
  --waiting_;
  return room;
}

template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::wait_until_left(std::unique_lock<std::mutex>& lock, std::uint64_t generation,
                                                  Deadline by) {
  if (queue_.left() >= generation) return true;
  ++waiting_;
  wake_.notify_one();
  const bool gone = moved_.wait_for(lock, patience(by), [&] { return queue_.left() >= generation; });
  --waiting_;
  return gone;
}

// Under the lock.
template <class CascorWhenUsed>
bool WriteBehind<CascorWhenUsed>::start() {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

// ---- the thread

template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::run() {
  constexpr std::size_t most_entries = 512;
  constexpr std::size_t most_bytes = std::size_t{1} << 20;
  constexpr milliseconds first_bound{100};
  milliseconds bound = first_bound;
  Chunk chunk;
  std::unique_lock lock{mutex_};
  while (!abandoned_) {
    chunk.clear();
    const TimePoint now = parts_.clock->now();
    queue_.next(chunk, now, most_entries, most_bytes);
    if (chunk.empty()) {
      if (stopping_) break;
      rest(lock);
      continue;
    }
    idle_turns_ = 0;
    lock.unlock();
    const Sent sent = send(chunk, now);
    lock.lock();
    if (sent == Sent::abandoned) break;
    if (sent == Sent::not_now) {
      pause(lock, bound);
      continue;
    }
    bound = first_bound;
    auto spent = queue_.settle(chunk.size());
    size_.store(queue_.size(), std::memory_order_relaxed);
    if (waiting_ > 0) moved_.notify_all();
    if (spent.order.empty()) continue;
    lock.unlock();
    spent.index.clear();
    spent.order.clear();
    lock.lock();
    queue_.reuse(std::move(spent));
    if (queue_.size() < parts_.config.write_behind.max_pending / 2) rest(lock);
  }
  ended_ = true;
  moved_.notify_all();
}

// Waking a thread costs its waker more than queueing does. So after a write it looks again by itself, each millisecond
// for a while, and a burst of writes or a loop that writes now and then wakes nobody; only then does it sleep until it
// is woken. What is queued meanwhile leaves together.
template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::rest(std::unique_lock<std::mutex>& lock) {
  constexpr milliseconds a_turn{1};
  constexpr unsigned most_idle_turns = 20;
  const auto is_called = [this] { return stopping_ || (waiting_ > 0 && !queue_.empty()); };
  if (idle_turns_ < most_idle_turns) {
    ++idle_turns_;
    wake_.wait_for(lock, a_turn, is_called);
    return;
  }
  resting_ = true;
  wake_.wait(lock, [&] { return !resting_ || is_called(); });
  resting_ = false;
}

// Full jitter (Brooker, AWS 2015).
template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::pause(std::unique_lock<std::mutex>& lock, milliseconds& bound) {
  constexpr milliseconds most{2000};
  lock.unlock();
  const milliseconds delay{static_cast<milliseconds::rep>(random_() % static_cast<std::uint64_t>(bound.count() + 1))};
  lock.lock();
  bound = std::min(bound * 2, most);
  const bool was_stopping = stopping_;
  wake_.wait_for(lock, delay, [&] { return abandoned_ || stopping_ != was_stopping; });
  if (stopping_) bound = milliseconds{100};
}

template <class CascorWhenUsed>
auto WriteBehind<CascorWhenUsed>::send(const Chunk& chunk, TimePoint now) -> Sent {
  // Before they leave the queue, which has answered for them so far.
  const AtEnd forget{[&] {
    for (const Entry* entry : chunk) parts_.forget_near(entry->prefix, entry->key);
  }};
  try {
    if (chunk.front()->is_removal_at(now)) {
      send_removals(chunk);
    } else {
      send_writes(chunk, now);
    }
    return Sent::all;
  } catch (const Abandoned&) {
    return Sent::abandoned;
  } catch (const CacheError&) {  // strict, or no fallback: the engine has told of it
  } catch (const std::exception&) {
    parts_.log.error("queued writes could not be sent for want of memory; it is tried again");
  }
  return Sent::not_now;
}

// A call that ends because the cache does must not be taken for a lost server.
template <class CascorWhenUsed>
template <class Call>
auto WriteBehind<CascorWhenUsed>::unless_abandoned(const Call& call) {
  try {
    if (abandoned_) throw Abandoned{};
    return call();
  } catch (const CacheError&) {
    if (abandoned_) throw Abandoned{};
    throw;
  }
}

template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::send_writes(const Chunk& chunk, TimePoint now) {
  std::vector<Dependent<Write, CascorWhenUsed>> writes;
  std::vector<Dependent<milliseconds, CascorWhenUsed>> ttls;
  for (const Entry* entry : chunk) {
    Write& write = writes.emplace_back();
    write.key = entry->key;
    write.prefix = entry->prefix;
    write.value = StoredValue{entry->bytes}.tagged(entry->tags);
    ttls.push_back(time_left(entry->expires, now).value_or(no_expiry));
  }
  const Results results = parts_.template served<Results>(
      whenever,
      [&](Deadline by) {
        return unless_abandoned([&] {
          Results sent = parts_.write_remotely(writes, ttls, by);
          // A value that was refused still took the place of the one before it, for whoever read it here.
          std::vector<std::string_view> gone;
          for (std::size_t i = 0; i < sent.size(); ++i) {
            if (!sent[i]) gone.push_back(chunk[i]->key);
          }
          erase_unless_refused(gone, by);
          return sent;
        });
      },
      [&](const CacheError*) { return parts_.write_in_fallback(writes, ttls); },
      [](const CacheError& error) {
        error.raise();
        return Results{};
      });
  note_outcomes(chunk, results);
}

template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::send_removals(const Chunk& chunk) {
  std::vector<std::string_view> keys;
  for (const Entry* entry : chunk) keys.push_back(entry->key);
  (void)parts_.template served<std::size_t>(
      whenever,
      [&](Deadline by) {
        return unless_abandoned([&] {
          erase_unless_refused(keys, by);
          return keys.size();
        });
      },
      [&](const CacheError*) -> std::optional<std::size_t> {
        const bool kept = parts_.fallback->keep([&](typename Parts::Pending& pending) {
          for (const std::string_view key : keys) {
            (void)parts_.memory.erase(key);
            pending.erase(key);
          }
        });
        return kept ? std::optional{keys.size()} : std::nullopt;
      },
      [](const CacheError& error) {
        error.raise();
        return std::size_t{0};
      });
}

// A server that will not remove says so at each attempt.
template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::erase_unless_refused(const std::vector<std::string_view>& keys, Deadline by) {
  if (keys.empty()) return;
  try {
    (void)parts_.remote.store->erase_many(keys, by);
  } catch (const CacheError& error) {
    if (means_away(error)) throw;
    tell_once("A queued removal was refused: ", error);
  }
}

template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::note_outcomes(const Chunk& chunk, const Results& results) {
  std::uint64_t kept = 0;
  std::uint64_t refused = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]) continue;
    if (results[i].tier() == CacheTier::memory) {
      ++kept;
      continue;
    }
    ++refused;
    parts_.counters.add(chunk[i]->prefix, Count::write_error);
    tell_once("A queued write was refused: ", *results[i].error());
  }
  const std::lock_guard lock{mutex_};
  counts_.sent += results.size() - kept - refused;
  counts_.kept += kept;
  counts_.refused += refused;
}

// Each kind of refusal by its first word: OOM, NOPERM.
template <class CascorWhenUsed>
void WriteBehind<CascorWhenUsed>::tell_once(const std::string& line, const CacheError& error) {
  const std::string what = error.what();
  const std::string kind = line + what.substr(0, what.find(' ')) + '\n';
  if (told_.find(kind) != std::string::npos) return;
  told_ += kind;
  parts_.log.warning(line + what + " (told once; stats() counts)");
}

#if defined(CASCOR_CACHE_COMPILED)
template class WriteBehind<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
