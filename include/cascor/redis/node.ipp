#pragma once

#include <algorithm>

#include "cascor/redis/node.hpp"
#include "cascor/redis/rights.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// How the replies of a batch go on; what was run is not run again unless that is safe.
CASCOR_CACHE_FN AfterReply after_replies(std::span<const Reply> replies, Repeat repeat) noexcept {
  AfterReply most = AfterReply::report;
  bool nothing_was_run = true;
  for (const Reply& reply : replies) {
    const AfterReply after = reply.is_error() ? after_reply(reply.text) : AfterReply::report;
    if (after == AfterReply::report) nothing_was_run = false;
    most = std::max(most, after);
  }
  return nothing_was_run || repeat == Repeat::safe ? most : AfterReply::report;
}

}  // namespace detail

template <class CascorWhenUsed>
auto Node<CascorWhenUsed>::try_run(const Batch<CascorWhenUsed>& batch, std::span<Reply> replies, const Terms& terms,
                                   Deadline by) -> Outcome {
  if (!terms.past_breaker) {
    try {
      breaker_.admit(by);
    } catch (const CacheError& error) {
      return {error.share()};
    }
  }
  RetryPolicy policy{terms.repeat, options_.retry};
  while (true) {
    const auto attempt = pipeline_.attempt(batch, replies, terms.may_share, by);
    FailedAttempt failed{attempt.anything_sent, attempt.idle_connection};
    if (!attempt.error) {
      breaker_.succeeded();
      tell_of_rights(replies);
      const AfterReply after = detail::after_replies(replies, terms.repeat);
      if (after == AfterReply::report) return {};
      if (after == AfterReply::again_elsewhere) pool_.close_unused_since(TimePoint::max());
      failed = {};
    } else {
      if (pool_.stopper().stopped()) return {pool_.stopper().error().share(), attempt.anything_sent};
      const ErrorCode code = attempt.error->code();
      // A connection that had served may have been closed for itself: dialling the next one tells.
      const bool no_server = !attempt.second_hand && (code == ErrorCode::timeout ||
                                                      (code == ErrorCode::connection && !attempt.idle_connection));
      if (no_server) breaker_.failed(*attempt.error);
      if (code != ErrorCode::connection) return {attempt.error, attempt.anything_sent};
    }
    if (terms.given_up != nullptr && *terms.given_up) return {attempt.error, attempt.anything_sent};
    const auto delay = policy.after(failed, by.remaining(), [this] { return random_(); });
    if (!delay) return {attempt.error, attempt.anything_sent};
    retries_.fetch_add(1, std::memory_order_relaxed);
    try {
      pool_.stopper().pause(*delay);  // ends before the deadline
    } catch (const CacheError& error) {
      return {error.share(), attempt.anything_sent};
    }
  }
}

template <class CascorWhenUsed>
auto Node<CascorWhenUsed>::launch(const Batch<CascorWhenUsed>& batch, Deadline by) -> Flight {
  Flight flight;
  try {
    breaker_.admit(by);
  } catch (const CacheError& error) {
    flight.outcome = {error.share()};
    return flight;
  }
  const bool in_time = !by.passed();  // else it tells nothing of the server
  bool exhausted = false;
  std::size_t sent = 0;
  try {
    flight.lease = pool_.acquire(by, &exhausted);
    pipeline_.count(batch.commands());
    flight.lease->send(batch.bytes(), sent, by);
  } catch (const CacheError& error) {
    flight.outcome = {error.share(), sent > 0};
    if (in_time && !exhausted) note(error, flight.lease);
  }
  return flight;
}

// A connection that had served may have been closed for itself, and others with it: dialling the next one tells.
template <class CascorWhenUsed>
void Node<CascorWhenUsed>::note(const CacheError& error, const Lease& lease) {
  if (pool_.stopper().stopped()) return;
  const bool had_served = lease && lease->had_served();
  if (error.code() == ErrorCode::timeout || (error.code() == ErrorCode::connection && !had_served)) {
    breaker_.failed(error);
  } else if (had_served) {
    pool_.close_unused_since(lease->last_used());
  }
}

template <class CascorWhenUsed>
auto Node<CascorWhenUsed>::land(Flight flight, const Batch<CascorWhenUsed>& batch, std::span<Reply> replies,
                                Deadline by) -> Outcome {
  if (flight.outcome.error) return flight.outcome;
  const bool in_time = !by.passed();  // else another server took it
  try {
    for (std::size_t i = 0; i < batch.commands(); ++i) {
      while (!flight.lease->next(batch.answer(i), replies[i])) flight.lease->receive(by);
    }
    flight.lease->settle();
  } catch (const CacheError& error) {
    if (in_time) note(error, flight.lease);
    return {error.share(), true};
  }
  breaker_.succeeded();
  tell_of_rights(replies);
  return {};
}

template <class CascorWhenUsed>
void Node<CascorWhenUsed>::tell_of_rights(std::span<const Reply> replies) const noexcept {
  for (const Reply& reply : replies) {
    if (!reply.is_error() || !options_.on_no_right || !lacks_right(reply.text)) continue;
    try {
      options_.on_no_right(reply.text);
    } catch (...) {  // what only listens must not break the call
    }
  }
}

template <class CascorWhenUsed>
PoolState Node<CascorWhenUsed>::pool() const {
  PoolState state = pool_.state();
  state.waiting += pipeline_.waiting();
  return state;
}

template <class CascorWhenUsed>
RemoteStats Node<CascorWhenUsed>::stats() const {
  RemoteStats stats;
  stats.commands = pipeline_.commands();
  stats.batches = pipeline_.batches();
  stats.retries = retries_.load(std::memory_order_relaxed);
  stats.reconnects = std::max<std::uint64_t>(pool_.dialled(), 1) - 1;
  stats.breaker = to_string(breaker_.state());
  return stats;
}

#if defined(CASCOR_CACHE_COMPILED)
template class Node<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
