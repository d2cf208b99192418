// One server, as every command to it goes: a pool of connections, shared batches, retries, the circuit breaker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "cascor/core/errors.hpp"
#include "cascor/core/random.hpp"
#include "cascor/core/store.hpp"
#include "cascor/redis/batch.hpp"
#include "cascor/redis/breaker_guard.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/pipeline.hpp"
#include "cascor/redis/pool.hpp"
#include "cascor/redis/retry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// What may be done with a batch.
struct Terms {
  Repeat repeat = Repeat::safe;
  bool may_share = true;
  bool past_breaker = false;  ///< asked even while other calls fail at once
  /// Set, and true by then: what failed is not tried again.
  const std::atomic<bool>* given_up = nullptr;
};

/// Dials at the first call. Calls that are made at once share batches; see pipeline.hpp. Must outlive every call on it:
/// stop() ends those under way. Holds no lock of its own; safe from any thread.
template <class CascorWhenUsed = void>
class Node {
 public:
  explicit Node(RedisOptions options)
      : options_{std::move(options)},
        random_{options_.random},
        pool_{options_, random_},
        pipeline_{options_, pool_},
        breaker_{options_, random_} {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() = default;

  using Lease = typename ConnectionPool<CascorWhenUsed>::Lease;

  /// How a batch went: `error` is null when every command was answered.
  struct Outcome {
    std::shared_ptr<const CacheError> error;
    bool may_have_run = false;  ///< some byte of it was handed to the system, the last time it was tried
  };
  /// Has every command of the batch answered, trying again as RetryPolicy says; error replies are answers.
  Outcome try_run(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, const Terms& terms, Deadline by);
  /// The same; throws what went wrong.
  void run(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, const Terms& terms, Deadline by) {
    if (const Outcome outcome = try_run(batch, replies, terms, by); outcome.error) outcome.error->raise();
  }

  /// A batch under way on a connection of its own, so that several servers work on theirs at the same time. Lands
  /// before the node ends.
  struct Flight {
    Lease lease;
    Outcome outcome;
  };
  /// Sends the batch, once; what went wrong is in `outcome`.
  Flight launch(const Batch<CascorWhenUsed>& batch, Deadline by);
  /// Reads the answers of a batch that was launched.
  Outcome land(Flight flight, const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, Deadline by);

  /// Holds so many connections at the most from now on, one at least; those in use beyond that end with their calls.
  void set_most(std::size_t most) {
    if (pool_.state().max == most) return;
    pool_.set_most(most);
    pipeline_.set_most(most);
  }
  /// Closes every connection, those in use too: calls on them are tried again where that is safe. For a server that is
  /// another one from now on.
  void drop_connections() noexcept {
    pool_.close_unused_since(TimePoint::max());
    pool_.stopper().interrupt();
  }
  /// Did the last that was heard of the server say that it is away?
  bool seems_away() const noexcept { return !breaker_.at_rest(); }
  /// What failed last; empty where nothing has since it was answered last.
  std::string last_failure() const { return breaker_.last_failure(); }
  /// Closes those that nobody is using.
  void close_idle() noexcept { pool_.close_unused_since(TimePoint::max()); }

  const Endpoint& endpoint() const noexcept { return options_.endpoint; }
  PoolState pool() const;
  RemoteStats stats() const;
  void stop() noexcept { pipeline_.stop(); }
  bool has_stopped() noexcept { return pool_.stopper().stopped(); }

 private:
  void note(const CacheError& error, const Lease& lease);
  void tell_of_rights(std::span<const Reply> replies) const noexcept;

  const RedisOptions options_;
  cascor::detail::Random random_;
  ConnectionPool<CascorWhenUsed> pool_;
  Pipeline<CascorWhenUsed> pipeline_;
  BreakerGuard<CascorWhenUsed> breaker_;
  std::atomic<std::uint64_t> retries_{0};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/node.ipp"
#endif
