#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/pool.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

CASCOR_CACHE_DEF ConnectionPool::Lease ConnectionPool::acquire(Deadline by) {
  while (true) {
    std::unique_lock lock{mutex_};
    std::unique_ptr<Connection> connection;
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    } else if (size_ < options_.max_connections) {
      ++size_;
    } else {
      connection = wait_for_one(lock, by);
    }
    lock.unlock();
    if (!connection) return {*this, dial(by)};
    if (worth_lending(*connection)) return {*this, std::move(connection)};
    // Closed by the server while it was idle: let go of it, and look again.
    connection.reset();
    lock.lock();
    hand_on_slot(lock);
  }
}

// With the slot counted in size_ already.
CASCOR_CACHE_DEF std::unique_ptr<Connection> ConnectionPool::dial(Deadline by) {
  try {
    return std::make_unique<Connection>(options_, by);
  } catch (...) {
    std::unique_lock lock{mutex_};
    hand_on_slot(lock);
    throw;
  }
}

// Under the lock. A connection, or null for the right to dial one.
CASCOR_CACHE_DEF std::unique_ptr<Connection> ConnectionPool::wait_for_one(std::unique_lock<std::mutex>& lock,
                                                                          Deadline by) {
  Waiter self;
  const milliseconds patience = std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  waiters_.push_back(&self);
  if (self.woken.wait_for(lock, patience, [&self] { return self.connection || self.may_dial; })) {
    return std::move(self.connection);
  }
  waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &self));
  throw TimeoutError{"Redis connection pool exhausted: " + std::to_string(size_) + " of " +
                         std::to_string(options_.max_connections) + " connections in use, " +
                         std::to_string(waiters_.size()) + " other callers waiting, waited " +
                         std::to_string(patience.count()) + " ms",
                     "Raise connection_pool.max_connections or connection_pool.timeout, or make fewer calls at once."};
}

CASCOR_CACHE_DEF void ConnectionPool::give_back(std::unique_ptr<Connection> connection) {
  if (connection->broken()) {
    connection.reset();  // closes the socket, outside the lock
    std::unique_lock lock{mutex_};
    return hand_on_slot(lock);
  }
  const std::lock_guard lock{mutex_};
  if (waiters_.empty()) return idle_.push_back(std::move(connection));
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  next->connection = std::move(connection);
  next->woken.notify_one();
}

// Under the lock: a connection is gone; whoever waits longest may dial in its place.
CASCOR_CACHE_DEF void ConnectionPool::hand_on_slot(std::unique_lock<std::mutex>& /*lock*/) {
  if (waiters_.empty()) {
    --size_;
    return;
  }
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  next->may_dial = true;
  next->woken.notify_one();
}

CASCOR_CACHE_DEF bool ConnectionPool::worth_lending(Connection& connection) const {
  if (options_.clock->now() - connection.last_used() < options_.check_after_idle) return true;
  return connection.still_good();
}

CASCOR_CACHE_DEF void ConnectionPool::close_idle() {
  std::vector<std::unique_ptr<Connection>> closing;
  const std::lock_guard lock{mutex_};
  closing.swap(idle_);
  size_ -= closing.size();
}

CASCOR_CACHE_DEF PoolState ConnectionPool::state() const {
  const std::lock_guard lock{mutex_};
  return {size_, size_ - idle_.size(), waiters_.size(), options_.max_connections};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
