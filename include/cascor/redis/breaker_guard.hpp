// The circuit breaker as threads use it: cheap while all is well, and its changes told one after the other.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "cascor/core/errors.hpp"
#include "cascor/core/random.hpp"
#include "cascor/redis/circuit_breaker.hpp"
#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Safe from any thread. The mutex guards all but `at_rest_`, and is not held while the application is told.
template <class CascorWhenUsed = void>
class BreakerGuard {
 public:
  BreakerGuard(const RedisOptions& options, cascor::detail::Random& random) : options_{options}, random_{random} {}

  /// Throws ConnectionError if calls are to fail at once: it begins with what the last failure said.
  void admit(Deadline by);
  void succeeded();
  void failed(const CacheError& error);
  BreakerState state() const;
  /// What failed last; empty where nothing has since the last success.
  std::string last_failure() const {
    const std::lock_guard lock{mutex_};
    return at_rest() ? std::string{} : last_failure_;
  }
  /// Has nothing failed since the last success?
  bool at_rest() const noexcept { return at_rest_.load(std::memory_order_acquire); }

 private:
  struct Change {
    BreakerState state = BreakerState::closed;
    std::string reason;
  };
  void changed(std::unique_lock<std::mutex>& lock, BreakerState before, const std::string& reason);

  const RedisOptions& options_;
  cascor::detail::Random& random_;
  std::atomic<bool> at_rest_{true};  // nothing has failed since the last success
  mutable std::mutex mutex_;
  CircuitBreaker breaker_;
  std::string last_failure_;
  std::string hint_;
  std::deque<Change> to_tell_;
  bool telling_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/breaker_guard.ipp"
#endif
