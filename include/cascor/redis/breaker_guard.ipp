#pragma once

#include <utility>

#include "cascor/redis/breaker_guard.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
void BreakerGuard<CascorWhenUsed>::admit(Deadline by) {
  if (at_rest_.load(std::memory_order_acquire)) return;
  std::unique_lock lock{mutex_};
  const BreakerState before = breaker_.state();
  const TimePoint now = options_.clock->now();
  if (breaker_.may_pass(now, by.remaining())) return changed(lock, before, last_failure_);
  throw ConnectionError{last_failure_ + " (not asked now, after " + std::to_string(breaker_.failures()) +
                            " failures in a row; again in " + std::to_string(breaker_.wait(now).count()) + " ms)",
                        hint_};
}

template <class CascorWhenUsed>
void BreakerGuard<CascorWhenUsed>::succeeded() {
  if (at_rest_.load(std::memory_order_acquire)) return;
  std::unique_lock lock{mutex_};
  const BreakerState before = breaker_.state();
  breaker_.succeeded();
  at_rest_.store(true, std::memory_order_release);
  changed(lock, before, "the server answers");
}

template <class CascorWhenUsed>
void BreakerGuard<CascorWhenUsed>::failed(const CacheError& error) {
  const std::uint64_t random = random_();
  std::unique_lock lock{mutex_};
  const BreakerState before = breaker_.state();
  breaker_.failed(options_.clock->now(), random, error.code() == ErrorCode::connection);
  at_rest_.store(false, std::memory_order_release);
  last_failure_ = error.what();
  hint_ = error.hint();
  changed(lock, before, last_failure_);
}

template <class CascorWhenUsed>
BreakerState BreakerGuard<CascorWhenUsed>::state() const {
  const std::lock_guard lock{mutex_};
  return breaker_.state();
}

// Under the lock, which it lets go of. One thread tells at a time, so that changes are told in their order; another
// one, or a callback that makes a call itself, leaves its own to that thread.
template <class CascorWhenUsed>
void BreakerGuard<CascorWhenUsed>::changed(std::unique_lock<std::mutex>& lock, BreakerState before,
                                           const std::string& reason) {
  if (breaker_.state() == before || !options_.on_breaker) return lock.unlock();
  to_tell_.push_back({breaker_.state(), reason});
  if (telling_) return lock.unlock();
  telling_ = true;
  while (!to_tell_.empty()) {
    const Change change = std::move(to_tell_.front());
    to_tell_.pop_front();
    lock.unlock();
    try {
      options_.on_breaker(change.state, change.reason);
    } catch (...) {  // what only listens must not break the call
    }
    lock.lock();
  }
  telling_ = false;
  lock.unlock();
}

#if defined(CASCOR_CACHE_COMPILED)
template class BreakerGuard<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
