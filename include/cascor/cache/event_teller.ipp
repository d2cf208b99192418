#pragma once

#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

#include "cascor/cache/event_teller.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
EventTeller<CascorWhenUsed>::~EventTeller() {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// No session's id is ever in an event.
template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::evicted(std::size_t first, std::string_view key, std::size_t bytes) noexcept {
  const Prefix prefix = keys_->prefix_of(key);
  std::string text;
  try {
    text = prefix == Prefix::session ? keys_->text(prefix) + "***" : std::string{key};
  } catch (...) {  // no memory: it is told by its prefix
    const std::lock_guard lock{mutex_};
    if (over_) return;
    Sum& sum = sums_[first + static_cast<std::size_t>(prefix)];
    ++sum.count;
    sum.amount += bytes;
    summed_ = true;
    return;
  }
  happened(first + static_cast<std::size_t>(prefix), std::move(text), bytes);
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::happened(std::size_t of, std::string&& text, std::uint64_t amount) noexcept {
  {
    const std::lock_guard lock{mutex_};
    if (over_) return;
    bool waits = false;
    if (of == state_change || waiting_.size() - states_ < most_waiting) {
      try {
        waiting_.push_back({of, std::move(text), 1, amount});
        waits = true;
        if (of == state_change && ++states_ > most_states) drop_oldest_state();
      } catch (...) {  // no memory
      }
    }
    if (!waits && of == state_change) return;  // which the log tells, too
    if (!waits) {
      ++sums_[of].count;
      sums_[of].amount += amount;
      summed_ = true;
    }
    if (!start()) return;
  }
  wake_.notify_one();
}

// Under the lock. The next one tells of it by its count.
template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::drop_oldest_state() noexcept {
  const auto is_state = [](const Event& event) { return event.of == state_change; };
  const auto oldest = std::find_if(waiting_.begin(), waiting_.end(), is_state);
  std::find_if(std::next(oldest), waiting_.end(), is_state)->count += oldest->count;
  waiting_.erase(oldest);
  --states_;
}

// Under the lock. Without a thread to be had, the next event tries again.
template <class CascorWhenUsed>
bool EventTeller<CascorWhenUsed>::start() noexcept {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread{[this] { run(); }};
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::run() noexcept {
  std::unique_lock lock{mutex_};
  while (true) {
    wake_.wait(lock, [this] { return over_ || summed_ || !waiting_.empty(); });
    if (over_) return;
    tell_waiting(lock);
  }
}

// Under the lock, which it lets go of while the application's code runs.
template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::tell_waiting(std::unique_lock<std::mutex>& lock) noexcept {
  Event event;
  while (true) {
    if (over_ || !next(event)) break;
    telling_ = true;
    lock.unlock();
    tell(event);
    lock.lock();
    telling_ = false;
  }
  idle_.notify_all();
}

// Under the lock. What was added up comes after what came before it.
template <class CascorWhenUsed>
bool EventTeller<CascorWhenUsed>::next(Event& event) noexcept {
  if (!waiting_.empty()) {
    event = std::move(waiting_.front());
    waiting_.pop_front();
    if (event.of == state_change) --states_;
    return true;
  }
  for (std::size_t of = 0; summed_ && of < sums_.size(); ++of) {
    if (sums_[of].count == 0) continue;
    const Sum sum = std::exchange(sums_[of], {});
    event.of = of;
    event.text.clear();
    event.count = sum.count;
    event.amount = sum.amount;
    return true;
  }
  return summed_ = false;
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::tell(const Event& event) noexcept {
  bool threw = false;
  try {
    const char* const kind = event.of == state_change ? "state" : event.of < flushes ? "eviction" : "flush";
    const CacheEvent told{kind, detail_of(event), event.count};
    teller_ = std::this_thread::get_id();
    handler_(told);
  } catch (...) {
    threw = true;
  }
  teller_ = std::thread::id{};
  if (threw && !threw_) log_.error("CacheConfig::on_event threw; the cache goes on");
  threw_ = threw;
}

template <class CascorWhenUsed>
std::string EventTeller<CascorWhenUsed>::detail_of(const Event& event) const {
  if (event.of == state_change) return event.text;
  if (event.of == clears) {
    return "clear_all_cache: " + std::to_string(event.amount) + (event.amount == 1 ? " entry" : " entries");
  }
  if (event.of >= flushes) {
    const auto why = static_cast<FlushReason>(event.of - flushes);
    const std::string name{to_string(why)};
    switch (why) {
      case FlushReason::link_up: return name + ": what was near may have changed before the server began to tell";
      case FlushReason::server: return name + ": everything in Redis was removed, and so is what was near";
      case FlushReason::returned: return name + ": Redis is back, and what was here in its place is let go of";
      case FlushReason::command: return name + ": a command may have changed anything, and what was near is let go of";
      case FlushReason::refused: break;
    }
    return name + ": the server will not tell of changes, and nothing is near any more";
  }
  const std::string where = event.of < near_evictions ? "memory: " : "near cache: ";
  const std::string bytes = ", " + std::to_string(event.amount) + " bytes";
  if (!event.text.empty()) return where + printable(event.text) + bytes;
  const std::string& prefix = keys_->text(static_cast<Prefix>(event.of % prefix_count));
  return where + std::to_string(event.count) + (event.count == 1 ? " entry" : " entries") + " under " +
         printable(prefix) + bytes;
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::settle(std::chrono::steady_clock::time_point by) noexcept {
  std::unique_lock lock{mutex_};
  (void)idle_.wait_until(lock, by, [this] { return !telling_ && !summed_ && waiting_.empty(); });
  over_ = true;
  std::uint64_t untold = 0;
  for (Event event; next(event);) untold += event.count;
  idle_.wait(lock, [this] { return !telling_; });
  lock.unlock();
  if (untold == 0) return;
  try {
    log_.warning(std::to_string(untold) + (untold == 1 ? " event was" : " events were") +
                 " not told to CacheConfig::on_event, which was busy as the cache ended");
  } catch (...) {  // no memory for the line
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class EventTeller<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
