#pragma once

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "cascor/redis/pipeline.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {
namespace detail {

// The bound of a batch: what one caller waits for at most because of the others in it.
inline constexpr std::size_t most_commands_of_a_batch = 256;
inline constexpr std::size_t most_bytes_of_a_batch = 64 * 1024;
// What is more than this has a connection of its own.
inline constexpr std::size_t most_commands_to_share = 16;
inline constexpr std::size_t most_bytes_to_share = 16 * 1024;
// So many bytes of others' answers keep nobody waiting whose own answers are in.
inline constexpr std::size_t most_bytes_in_silence = 64 * 1024;
// A batch that no connection has come back for in this time has one more: the link is slow, or the server.
inline constexpr milliseconds patience_of_a_batch{2};
inline constexpr std::size_t most_permits = 16;

// Measured: up to so many callers a plain pool has the best latencies; beyond, two connections carry the most on two
// processors, and more of them only cost wakes.
inline constexpr std::size_t few_callers = 8;
CASCOR_CACHE_FN std::size_t suitable_permits() noexcept {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 2, 4);
}

// Null where there is no memory for a copy.
CASCOR_CACHE_FN std::shared_ptr<const CacheError> shared_or_null(const CacheError& error) noexcept {
  try {
    return error.share();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace detail

template <class CascorWhenUsed>
Pipeline<CascorWhenUsed>::Pipeline(const RedisOptions& options, ConnectionPool<CascorWhenUsed>& pool)
    : options_{options}, pool_{pool} {
  set_most(std::max<std::size_t>(options.max_connections, 1));
}

template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::set_most(std::size_t most) {
  const std::lock_guard lock{mutex_};
  const std::size_t asked = options_.shared_connections;
  permits_for_few_ = std::min(asked == 0 ? detail::few_callers : asked, most);
  permits_for_many_ = std::min(asked == 0 ? detail::suitable_permits() : asked, most);
  most_permits_ = std::min(std::max(detail::most_permits, asked), most);
}

template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Attempt Pipeline<CascorWhenUsed>::attempt(const Batch<CascorWhenUsed>& batch,
                                                                             std::span<Reply> replies, bool may_share,
                                                                             Deadline by) {
  if (by.passed()) {
    return {std::make_shared<TimeoutError>("The deadline of the call had passed before it was made",
                                           "Give it a later one."),
            false, false, true};
  }
  if (!may_share || batch.commands() > detail::most_commands_to_share ||
      batch.bytes().size() > detail::most_bytes_to_share) {
    Lease lease;
    return go_alone(lease, batch, replies, by);
  }
  const Caller counted{callers_};
  std::unique_lock lock{mutex_};
  const bool free = taken_ < permits();
  if (free && waiting_.empty()) {
    ++taken_;
    lock.unlock();
    Turn turn{*this, {}};
    return go_alone(turn.lease, batch, replies, by);
  }
  // Under the lock: either stop() was here before, or it will find this caller.
  if (pool_.stopper().stopped()) return {pool_.stopper().error().share()};
  const Seat seat = board(batch);
  std::shared_ptr<Shared> next;
  if (free) {
    ++taken_;
    next = call_next();
  }
  lock.unlock();
  if (next) next->event.notify_one();
  return ride(seat, replies, by);
}

// Under the lock. What callers may take: with few of them, a connection each.
template <class CascorWhenUsed>
std::size_t Pipeline<CascorWhenUsed>::permits() const noexcept {
  const bool few = callers_.load(std::memory_order_relaxed) <= permits_for_few_;
  return (few ? permits_for_few_ : permits_for_many_) + extra_permits_;
}

// Under the lock, with a permit taken: the batch that has waited longest, which has it from now on.
template <class CascorWhenUsed>
std::shared_ptr<typename Pipeline<CascorWhenUsed>::Shared> Pipeline<CascorWhenUsed>::call_next() noexcept {
  std::shared_ptr<Shared> next = std::move(waiting_.front());
  waiting_.pop_front();
  next->wants_leader.store(true, std::memory_order_relaxed);
  return next;
}

template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Attempt Pipeline<CascorWhenUsed>::go_alone(Lease& lease,
                                                                              const Batch<CascorWhenUsed>& batch,
                                                                              std::span<Reply> replies, Deadline by) {
  Attempt attempt;
  try {
    lease = pool_.acquire(by, &attempt.second_hand);
    count(batch.commands());
    lease->execute(batch, replies, by);
  } catch (const CacheError& error) {
    attempt.error = error.share();
    if (!lease) return attempt;
    attempt.anything_sent = lease->had_sent();
    attempt.idle_connection = lease->had_served();
    if (attempt.idle_connection) pool_.close_unused_since(lease->last_used());
  }
  return attempt;
}

// Under the lock.
template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Seat Pipeline<CascorWhenUsed>::board(const Batch<CascorWhenUsed>& batch) {
  std::shared_ptr<Shared> shared;
  if (!waiting_.empty() && waiting_.back()->expected.size() + batch.commands() <= detail::most_commands_of_a_batch &&
      waiting_.back()->bytes.size() + batch.bytes().size() <= detail::most_bytes_of_a_batch) {
    shared = waiting_.back();
  } else {
    shared = std::make_shared<Shared>();
    shared->bytes.reserve(4096);
  }
  const auto make_room = [](auto& list, std::size_t more) {
    if (list.capacity() - list.size() < more) list.reserve(std::max<std::size_t>(2 * list.capacity(), 32) + more);
  };
  make_room(shared->bytes, batch.bytes().size());
  make_room(shared->parts, 1);
  make_room(shared->expected, batch.commands());
  if (shared->aboard == 0) waiting_.push_back(shared);
  // From here on nothing throws.
  const TimePoint now = std::chrono::steady_clock::now();
  if (shared->aboard == 0) shared->began = now;
  Seat seat{shared, now, shared->parts.size(), shared->expected.size(), shared->expected.size() + batch.commands()};
  shared->parts.push_back({shared->bytes.size(), batch.bytes().size(), false});
  shared->bytes.append(batch.bytes());
  for (std::size_t i = 0; i < batch.commands(); ++i) shared->expected.push_back({batch.answer(i), seat.part});
  ++shared->aboard;
  return seat;
}

template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Attempt Pipeline<CascorWhenUsed>::ride(const Seat& seat, std::span<Reply> replies,
                                                                          Deadline by) {
  Shared& shared = *seat.shared;
  const TimePoint until = seat.since + std::min(by.remaining(), milliseconds{std::chrono::hours{24}});
  // Whoever began the batch watches how long it waits.
  TimePoint look_at = seat.part == 0 ? std::min(until, seat.since + detail::patience_of_a_batch) : until;
  bool led = false;
  while (!led) {
    const std::uint32_t seen = shared.event.seen();
    if (shared.over.load(std::memory_order_acquire)) break;
    if (shared.answered.load(std::memory_order_acquire) >= seat.end) {
      get_off(seat, false);
      break;
    }
    if (shared.wants_leader.load(std::memory_order_relaxed) && take_lead(shared)) {
      led = true;
      if (auto left = lead(seat, by)) return *std::move(left);
      continue;
    }
    if (shared.event.wait(seen, look_at)) continue;
    if (look_at < until) {
      look_at = until;
      if (!take_extra_permit(seat.shared)) continue;
      led = true;
      if (auto left = lead(seat, by)) return *std::move(left);
      continue;
    }
    if (get_off(seat, false)) return time_is_up(seat);
    break;  // off it, with a result
  }
  return result_of(seat, replies, led);
}

template <class CascorWhenUsed>
bool Pipeline<CascorWhenUsed>::take_lead(Shared& shared) {
  const std::lock_guard lock{mutex_};
  return shared.wants_leader.exchange(false, std::memory_order_relaxed);
}

// For a batch that still waits: true makes the caller its leader.
template <class CascorWhenUsed>
bool Pipeline<CascorWhenUsed>::take_extra_permit(const std::shared_ptr<Shared>& shared) {
  const std::lock_guard lock{mutex_};
  const auto found = std::find(waiting_.begin(), waiting_.end(), shared);
  if (found == waiting_.end() || taken_ >= most_permits_) return false;
  ++extra_permits_;
  ++taken_;
  waiting_.erase(found);
  return true;
}

// By the one leader. Returns what the leader gets off with if its time is up first.
template <class CascorWhenUsed>
std::optional<typename Pipeline<CascorWhenUsed>::Attempt> Pipeline<CascorWhenUsed>::lead(const Seat& seat,
                                                                                         Deadline by) {
  Shared& shared = *seat.shared;
  if (by.passed()) return get_off(seat, true) ? std::optional{time_is_up(seat)} : std::nullopt;
  Attempt attempt;
  try {
    if (!shared.lease) shared.lease = pool_.acquire(by, &attempt.second_hand);
    settle_what_is_sent(shared);
    shared.lease->send(shared.bytes, shared.sent, by);
    if (read_answers(seat, by)) finish(shared, nullptr);
  } catch (const TimeoutError& error) {
    attempt.error = detail::shared_or_null(error);
    attempt.anything_sent = shared.sent > shared.parts[seat.part].first_byte;
    if (!get_off(seat, true)) return std::nullopt;
    if (!attempt.error) throw std::bad_alloc{};
    return attempt;
  } catch (const CacheError& error) {
    finish(shared, detail::shared_or_null(error));
  } catch (...) {
    finish(shared, nullptr);
  }
  return std::nullopt;
}

// The commands of those who got off are not sent; nobody boards any more.
template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::settle_what_is_sent(Shared& shared) {
  if (shared.replies.empty()) shared.replies.resize(shared.expected.size());
  const std::lock_guard lock{mutex_};
  if (shared.sending) return;  // by the leader before this one
  shared.sending = true;
  std::size_t withdrawn = 0;
  for (Part& part : shared.parts) {
    part.first_byte -= withdrawn;
    if (!part.withdrawn) continue;
    shared.bytes.erase(part.first_byte, part.bytes);
    withdrawn += part.bytes;
  }
  count(shared.expected.size());
}

// False where somebody else reads on: the leader has its answers, and others' take long.
template <class CascorWhenUsed>
bool Pipeline<CascorWhenUsed>::read_answers(const Seat& seat, Deadline by) {
  Shared& shared = *seat.shared;
  std::size_t in_silence = 0;
  std::size_t answered = shared.answered.load(std::memory_order_relaxed);
  while (answered < shared.expected.size()) {
    const Expected& expected = shared.expected[answered];
    if (shared.parts[expected.part].withdrawn || shared.lease->next(expected.answer, shared.replies[answered])) {
      shared.answered.store(++answered, std::memory_order_release);
      continue;
    }
    if (in_silence >= detail::most_bytes_in_silence) {
      in_silence = 0;
      shared.event.notify_all();  // those who have their answers get off
      if (answered >= seat.end) {
        get_off(seat, true);
        return false;
      }
    }
    in_silence += shared.lease->receive(by);
  }
  shared.lease->settle();
  return true;
}

// Before the batch is over. False where the caller's answers are in after all, or the batch is over: there is a result.
template <class CascorWhenUsed>
bool Pipeline<CascorWhenUsed>::get_off(const Seat& seat, bool as_leader) noexcept {
  Shared& shared = *seat.shared;
  std::unique_lock lock{mutex_};
  if (shared.over.load(std::memory_order_relaxed)) return false;
  const bool unanswered = shared.answered.load(std::memory_order_acquire) < seat.end;
  if (unanswered) (shared.sending ? shared.tainted : shared.parts[seat.part].withdrawn) = true;
  if (as_leader) shared.wants_leader.store(true, std::memory_order_relaxed);
  --shared.aboard;
  if (shared.wants_leader.load(std::memory_order_relaxed)) {
    const bool last = shared.aboard == 0;
    if (last) shared.wants_leader.store(false, std::memory_order_relaxed);
    lock.unlock();
    if (last) {
      finish(shared, nullptr);
    } else {
      shared.event.notify_one();
    }
  } else if (shared.aboard == 0) {  // nobody leads it either, so it is still waiting
    std::erase(waiting_, seat.shared);
  }
  return unanswered;
}

// By the leader, or the last one aboard.
template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::finish(Shared& shared, const std::shared_ptr<const CacheError>& error) noexcept {
  Lease lease = std::move(shared.lease);
  const bool failed = lease && lease->broken();
  shared.idle_connection = failed && lease->had_served();
  shared.error = error;
  {
    const std::lock_guard lock{mutex_};
    shared.over.store(true, std::memory_order_release);
    if (lease && shared.tainted) lease->give_up();
  }
  if (shared.idle_connection) pool_.close_unused_since(lease->last_used());
  pass_on(std::move(lease));
  if (shared.parts.size() > 1) shared.event.notify_all();
}

// At the end of a turn: the permit, and the connection if it is good, go to the batch that has waited longest.
template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::pass_on(Lease lease) noexcept {
  std::unique_lock lock{mutex_};
  if (waiting_.empty() && lease) {  // so that who takes the permit finds the connection idle
    lock.unlock();
    lease.end();
    lock.lock();
  }
  // An extra permit goes once batches no longer wait long for the others.
  if (extra_permits_ > 0 && (waiting_.empty() || std::chrono::steady_clock::now() - waiting_.front()->began <
                                                     detail::patience_of_a_batch / 2)) {
    --extra_permits_;
  }
  if (waiting_.empty() || taken_ > permits()) {
    --taken_;
    return;
  }
  const std::shared_ptr<Shared> next = call_next();
  // A caller that goes alone may be waiting for a connection longer than this batch.
  if (lease && !pool_.is_short() && pool_.worth_keeping(*lease)) next->lease = std::exchange(lease, Lease{});
  lock.unlock();
  lease.end();
  next->event.notify_one();
}

template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Attempt Pipeline<CascorWhenUsed>::result_of(const Seat& seat,
                                                                               std::span<Reply> replies, bool led) {
  Shared& shared = *seat.shared;
  if (shared.answered.load(std::memory_order_acquire) >= seat.end) {
    std::move(shared.replies.begin() + static_cast<std::ptrdiff_t>(seat.first),
              shared.replies.begin() + static_cast<std::ptrdiff_t>(seat.end), replies.begin());
    return {};
  }
  if (!shared.error) throw std::bad_alloc{};
  return {shared.error, shared.sending && shared.sent > shared.parts[seat.part].first_byte, shared.idle_connection,
          !led};
}

template <class CascorWhenUsed>
typename Pipeline<CascorWhenUsed>::Attempt Pipeline<CascorWhenUsed>::time_is_up(const Seat& seat) const {
  bool sent = false;
  {
    const std::lock_guard lock{mutex_};
    sent = seat.shared->sending;
  }
  const std::string peer = to_string(options_.endpoint);
  if (sent) {
    return {std::make_shared<TimeoutError>(
                "Timeout waiting for Redis on " + peer,
                "See whether the server is busy (SLOWLOG, LATENCY) or the network slow, or raise "
                "connection_pool.timeout."),
            true, false, true};
  }
  const PoolState pool = pool_.state();
  const auto waited = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - seat.since);
  return {std::make_shared<TimeoutError>("Timeout waiting for a connection to Redis on " + peer + ": " +
                                             std::to_string(pool.in_use) + " of " + std::to_string(pool.max) +
                                             " connections in use, " + std::to_string(pool.waiting + waiting()) +
                                             " other callers waiting, waited " + std::to_string(waited.count()) + " ms",
                                         "See whether the server answers, or raise connection_pool.timeout."),
          false, false, true};
}

template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::stop() noexcept {
  pool_.stop();
  std::shared_ptr<const CacheError> error = detail::shared_or_null(pool_.stopper().error());
  const std::lock_guard lock{mutex_};
  while (!waiting_.empty()) {
    const std::shared_ptr<Shared> shared = std::move(waiting_.front());
    waiting_.pop_front();
    shared->error = error;
    shared->over.store(true, std::memory_order_release);
    shared->event.notify_all();
  }
}

template <class CascorWhenUsed>
std::size_t Pipeline<CascorWhenUsed>::waiting() const {
  const std::lock_guard lock{mutex_};
  std::size_t callers = 0;
  for (const auto& shared : waiting_) callers += shared->aboard;
  return callers;
}

template <class CascorWhenUsed>
void Pipeline<CascorWhenUsed>::count(std::size_t commands) noexcept {
  commands_.fetch_add(commands, std::memory_order_relaxed);
  batches_.fetch_add(1, std::memory_order_relaxed);
}

#if defined(CASCOR_CACHE_COMPILED)
template class Pipeline<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
