// A bounded pool of connections: lent to one caller at a time, waited for in the order of asking.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "cascor/core/store.hpp"
#include "cascor/redis/connection.hpp"
#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The mutex guards the idle list, the count and the queue of waiters; nothing is dialled, sent or closed under it.
/// Safe from any thread; every lease must end before the pool does.
class ConnectionPool {
 public:
  explicit ConnectionPool(const RedisOptions& options) : options_{options} {
    idle_.reserve(options.max_connections);  // taking one back must not fail
  }
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool() = default;

  /// A connection for the time that the lease lives; a broken one is not taken back.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection) noexcept
        : pool_{&pool}, connection_{std::move(connection)} {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_->give_back(std::move(connection_)); }
    Connection* operator->() const noexcept { return connection_.get(); }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// An idle connection, a new one, or, with max_connections lent, the next to come back. Throws what dialling throws,
  /// and TimeoutError "pool exhausted …" with the figures when the deadline passes first.
  CASCOR_CACHE_FN Lease acquire(Deadline by);
  /// Closes what is idle.
  CASCOR_CACHE_FN void close_idle();
  CASCOR_CACHE_FN PoolState state() const;

 private:
  // One caller in the queue. `connection` or `may_dial` is set before it is woken, by whoever took it off the queue.
  struct Waiter {
    std::condition_variable woken;
    std::unique_ptr<Connection> connection;
    bool may_dial = false;
  };

  CASCOR_CACHE_FN std::unique_ptr<Connection> dial(Deadline by);
  CASCOR_CACHE_FN std::unique_ptr<Connection> wait_for_one(std::unique_lock<std::mutex>& lock, Deadline by);
  CASCOR_CACHE_FN void give_back(std::unique_ptr<Connection> connection);
  CASCOR_CACHE_FN void hand_on_slot(std::unique_lock<std::mutex>& lock);
  CASCOR_CACHE_FN bool worth_lending(Connection& connection) const;

  const RedisOptions& options_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the one used last at the back
  std::deque<Waiter*> waiters_;
  std::size_t size_ = 0;  // lent, idle and being dialled
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/pool.ipp"
#endif
