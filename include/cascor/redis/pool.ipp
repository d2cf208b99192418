#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/pool.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
typename ConnectionPool<CascorWhenUsed>::Lease ConnectionPool<CascorWhenUsed>::acquire(Deadline by, bool* exhausted) {
  const TimePoint now = options_.clock->now();
  while (true) {
    std::unique_lock lock{mutex_};
    if (stopper_.stopped()) stopper_.raise();
    std::unique_ptr<Connection<CascorWhenUsed>> connection;
    if (!idle_.empty()) {
      // Those that nobody has needed for long go one by one, before the one used last is lent.
      const bool too_long =
          options_.max_idle > milliseconds{0} && now - idle_.front()->last_used() >= options_.max_idle;
      const auto chosen = too_long ? idle_.begin() : idle_.end() - 1;
      connection = std::move(*chosen);
      idle_.erase(chosen);
      lock.unlock();
      if (!too_long && worth_lending(*connection, now)) return {*this, std::move(connection)};
      close(std::move(connection));
      continue;
    }
    if (size_ < most_) {
      ++size_;
    } else {
      connection = wait_for_one(lock, by, exhausted);
    }
    lock.unlock();
    return {*this, connection ? std::move(connection) : dial(by)};
  }
}

// With the slot counted in size_ already.
template <class CascorWhenUsed>
std::unique_ptr<Connection<CascorWhenUsed>> ConnectionPool<CascorWhenUsed>::dial(Deadline by) {
  try {
    auto connection = std::make_unique<Connection<CascorWhenUsed>>(options_, by, &stopper_);
    dialled_.fetch_add(1, std::memory_order_relaxed);
    if (options_.max_lifetime > milliseconds{0}) {
      // Those that were dialled together shall not all go together.
      const auto most_jitter = static_cast<std::uint64_t>(options_.max_lifetime.count()) / 8;
      const milliseconds jitter{static_cast<milliseconds::rep>(random_() % (most_jitter + 1))};
      connection->retire_at(Deadline{*options_.clock, options_.max_lifetime - jitter}.at());
    }
    return connection;
  } catch (...) {
    release_slot();
    throw;
  }
}

// Under the lock. A connection, or null for the right to dial one.
template <class CascorWhenUsed>
std::unique_ptr<Connection<CascorWhenUsed>> ConnectionPool<CascorWhenUsed>::wait_for_one(
    std::unique_lock<std::mutex>& lock, Deadline by, bool* exhausted) {
  Waiter self;
  const milliseconds patience = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  waiters_.push_back(&self);
  short_.store(true, std::memory_order_relaxed);
  if (self.woken.wait_for(lock, patience, [&self] { return self.connection || self.woken_to_dial; })) {
    if (stopper_.stopped() && !self.connection) {
      --size_;
      stopper_.raise();
    }
    return std::move(self.connection);
  }
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &self));
  short_.store(!waiters_.empty(), std::memory_order_relaxed);
  if (exhausted != nullptr) *exhausted = true;
  throw TimeoutError{"Redis connection pool exhausted: " + std::to_string(size_ - idle_.size()) + " of " +
                         std::to_string(most_) + " connections in use, " + std::to_string(waiters_.size()) +
                         " other callers waiting, waited " + std::to_string(patience.count()) + " ms",
                     "Raise connection_pool.max_connections or connection_pool.timeout, or make fewer calls at once."};
}

template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::give_back(std::unique_ptr<Connection<CascorWhenUsed>> connection) noexcept {
  if (!worth_keeping(*connection)) return close(std::move(connection));
  std::unique_lock lock{mutex_};
  if (size_ > most_) {
    lock.unlock();
    return close(std::move(connection));
  }
  Waiter* const next = take_waiter();
  if (next == nullptr) return idle_.push_back(std::move(connection));
  next->connection = std::move(connection);
  next->woken.notify_one();
}

// Closes the socket outside the lock, and only then lets somebody dial in its place: the bound holds at the server too.
template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::close(std::unique_ptr<Connection<CascorWhenUsed>> connection) noexcept {
  connection.reset();
  release_slot();
}

template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::release_slot() noexcept {
  const std::lock_guard lock{mutex_};
  Waiter* const next = size_ > most_ ? nullptr : take_waiter();
  if (next == nullptr) {
    --size_;
    return;
  }
  next->woken_to_dial = true;
  next->woken.notify_one();
}

// Under the lock: whoever waits longest, or null.
template <class CascorWhenUsed>
typename ConnectionPool<CascorWhenUsed>::Waiter* ConnectionPool<CascorWhenUsed>::take_waiter() noexcept {
  if (waiters_.empty()) return nullptr;
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  short_.store(!waiters_.empty(), std::memory_order_relaxed);
  return next;
}

template <class CascorWhenUsed>
bool ConnectionPool<CascorWhenUsed>::worth_lending(Connection<CascorWhenUsed>& connection,
                                                   TimePoint now) const noexcept {
  if (now >= connection.retires()) return false;
  return now - connection.last_used() < options_.check_after_idle || connection.still_good();
}

template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::close_unused_since(TimePoint when) {
  while (true) {
    std::unique_ptr<Connection<CascorWhenUsed>> connection;
    {
      const std::lock_guard lock{mutex_};
      if (idle_.empty() || idle_.front()->last_used() >= when) return;
      connection = std::move(idle_.front());
      idle_.erase(idle_.begin());
    }
    close(std::move(connection));
  }
}

template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::set_most(std::size_t most) {
  while (true) {
    std::unique_ptr<Connection<CascorWhenUsed>> connection;
    {
      const std::lock_guard lock{mutex_};
      idle_.reserve(most);
      most_ = most;
      while (size_ < most_ && !waiters_.empty()) {
        Waiter* const next = take_waiter();
        ++size_;
        next->woken_to_dial = true;
        next->woken.notify_one();
      }
      if (size_ <= most_ || idle_.empty()) return;
      connection = std::move(idle_.front());
      idle_.erase(idle_.begin());
    }
    close(std::move(connection));
  }
}

template <class CascorWhenUsed>
void ConnectionPool<CascorWhenUsed>::stop() noexcept {
  stopper_.stop();
  const std::lock_guard lock{mutex_};
  while (Waiter* const next = take_waiter()) {
    ++size_;  // the slot that it would have been given; it gives it back at once
    next->woken_to_dial = true;
    next->woken.notify_one();
  }
}

template <class CascorWhenUsed>
PoolState ConnectionPool<CascorWhenUsed>::state() const {
  const std::lock_guard lock{mutex_};
  return {size_, size_ - idle_.size(), waiters_.size(), most_};
}

#if defined(CASCOR_CACHE_COMPILED)
template class ConnectionPool<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
