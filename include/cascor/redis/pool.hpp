// A bounded pool of connections: lent to one caller at a time, waited for in the order of asking.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cascor/core/random.hpp"
#include "cascor/core/store.hpp"
#include "cascor/redis/connection.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/stopper.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// The mutex guards the idle list, the count and the queue of waiters; nothing is dialled, sent or closed under it.
/// Safe from any thread; every lease must end before the pool does.
template <class CascorWhenUsed = void>
class ConnectionPool {
 public:
  ConnectionPool(const RedisOptions& options, cascor::detail::Random& random)
      : options_{options}, random_{random}, most_{options.max_connections} {
    idle_.reserve(most_);  // taking one back must not fail
  }
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool() = default;

  /// A connection for the time that the lease lives; a broken one, or one past its lifetime, is not taken back.
  class Lease {
   public:
    Lease() = default;
    Lease(ConnectionPool& pool, std::unique_ptr<Connection<CascorWhenUsed>> connection) noexcept
        : pool_{&pool}, connection_{std::move(connection)} {}
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&& other) noexcept {
      end();
      pool_ = other.pool_;
      connection_ = std::move(other.connection_);
      return *this;
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { end(); }
    void end() noexcept {
      if (connection_) pool_->give_back(std::move(connection_));
    }
    Connection<CascorWhenUsed>* operator->() const noexcept { return connection_.get(); }
    Connection<CascorWhenUsed>& operator*() const noexcept { return *connection_; }
    explicit operator bool() const noexcept { return connection_ != nullptr; }

   private:
    ConnectionPool* pool_ = nullptr;
    std::unique_ptr<Connection<CascorWhenUsed>> connection_;
  };

  /// An idle connection, a new one, or, with as many lent as may be, the next to come back. Throws what dialling
  /// throws, and TimeoutError "pool exhausted …" with the figures when the deadline passes first; `exhausted` is true
  /// then.
  Lease acquire(Deadline by, bool* exhausted = nullptr);
  /// Would it be taken back?
  static bool worth_keeping(const Connection<CascorWhenUsed>& connection) noexcept {
    return !connection.broken() && connection.last_used() < connection.retires();
  }
  /// Is somebody waiting for a connection to come back?
  bool is_short() const noexcept { return short_.load(std::memory_order_relaxed); }
  /// Closes what is idle, and has not been in use since `when`: whatever closed or forgot one idle connection has
  /// likely done so to all.
  void close_unused_since(TimePoint when);
  /// Holds so many connections at the most from now on, one at least. Of too many those that are lent are closed when
  /// they come back.
  void set_most(std::size_t most);
  /// Ends what is done on every connection, and all waiting; acquire() throws from then on.
  void stop() noexcept;

  Stopper<CascorWhenUsed>& stopper() noexcept { return stopper_; }
  PoolState state() const;
  /// How many connections were dialled with success.
  std::uint64_t dialled() const noexcept { return dialled_.load(std::memory_order_relaxed); }

 private:
  // One caller in the queue. `connection`, or `woken_to_dial`, is set before it is woken, by whoever took it off the
  // queue.
  struct Waiter {
    std::condition_variable woken;
    std::unique_ptr<Connection<CascorWhenUsed>> connection;
    bool woken_to_dial = false;
  };

  std::unique_ptr<Connection<CascorWhenUsed>> dial(Deadline by);
  std::unique_ptr<Connection<CascorWhenUsed>> wait_for_one(std::unique_lock<std::mutex>& lock, Deadline by,
                                                           bool* exhausted);
  void give_back(std::unique_ptr<Connection<CascorWhenUsed>> connection) noexcept;
  void close(std::unique_ptr<Connection<CascorWhenUsed>> connection) noexcept;
  void release_slot() noexcept;
  Waiter* take_waiter() noexcept;
  bool worth_lending(Connection<CascorWhenUsed>& connection, TimePoint now) const noexcept;

  const RedisOptions& options_;
  cascor::detail::Random& random_;
  Stopper<CascorWhenUsed> stopper_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Connection<CascorWhenUsed>>> idle_;  // the one used last at the back
  std::deque<Waiter*> waiters_;
  std::size_t most_;
  std::size_t size_ = 0;            // lent, idle, being dialled and being closed
  std::atomic<bool> short_{false};  // there are waiters
  std::atomic<std::uint64_t> dialled_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/pool.ipp"
#endif
