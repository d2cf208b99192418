#pragma once

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "cascor/core/errors.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/redis/tracking.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::open() noexcept {
  if (state() == LinkState::unopened) start();
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::start() noexcept {
  const std::lock_guard lock{mutex_};
  if (closing_ || thread_.joinable()) return;
  try {
    thread_ = std::thread{[this] { run(); }};
    state_ = LinkState::connecting;
  } catch (const std::system_error&) {  // no thread to be had: the next read asks again
  }
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::nudge() noexcept {
  const std::lock_guard lock{mutex_};
  nudged_ = true;
  wake_.notify_all();
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::renew() noexcept {
  const std::lock_guard lock{mutex_};
  if (stopper_) stopper_->stop();
  nudged_ = true;
  wake_.notify_all();
}

// Null once it is closing.
template <class CascorWhenUsed>
Stopper<CascorWhenUsed>* TrackingLink<CascorWhenUsed>::next_stopper() {
  auto fresh = std::make_unique<Stopper<CascorWhenUsed>>();
  const std::lock_guard lock{mutex_};
  if (closing_) return nullptr;
  stopper_ = std::move(fresh);
  return stopper_.get();
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::close() noexcept {
  {
    const std::lock_guard lock{mutex_};
    closing_ = true;
    wake_.notify_all();
    if (stopper_) stopper_->stop();
  }
  if (thread_.joinable()) thread_.join();
}

// Full jitter (Brooker, AWS 2015) between two attempts. While there is no server to dial, a nudge tells that there is
// one; now and then it is looked all the same.
template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::run() noexcept {
  constexpr milliseconds first_bound{100};
  constexpr milliseconds most{2000};
  milliseconds bound = first_bound;
  while (state() != LinkState::refused) {
    if (!options_.may_dial || options_.may_dial()) {
      if (serve_until_lost()) bound = first_bound;
    }
    if (!pause(
            milliseconds{static_cast<milliseconds::rep>(random_() % static_cast<std::uint64_t>(bound.count() + 1))})) {
      return;
    }
    bound = std::min(bound * 2, most);
  }
}

// False once it is closing.
template <class CascorWhenUsed>
bool TrackingLink<CascorWhenUsed>::pause(milliseconds most) {
  std::unique_lock lock{mutex_};
  wake_.wait_for(lock, most, [this] { return closing_ || nudged_; });
  nudged_ = false;
  return !closing_;
}

// Dials, tells what it hears, and returns when there is nothing more to hear. Was it ever up?
template <class CascorWhenUsed>
bool TrackingLink<CascorWhenUsed>::serve_until_lost() {
  bool was_up = false;
  try {
    Stopper<CascorWhenUsed>* const stopper = next_stopper();
    if (stopper == nullptr) return false;
    Connection<CascorWhenUsed> connection{options_.redis, within(options_.redis.timeout), stopper};
    if (!start_tracking(connection)) return false;
    was_up = true;
    state_ = LinkState::up;
    told_.on_up();
    listen(connection);
  } catch (const CacheError& error) {
    state_ = LinkState::connecting;
    told_.on_down(error);
  } catch (const std::exception&) {  // out of memory
    state_ = LinkState::connecting;
    told_.on_down(ConnectionError{"Lost the invalidation link: out of memory", "Give the process more memory."});
  }
  return was_up;
}

// False: refused, for good. By Redis's own channel, else by the other one.
template <class CascorWhenUsed>
bool TrackingLink<CascorWhenUsed>::start_tracking(Connection<CascorWhenUsed>& connection) {
  using Rules = TrackingRules<CascorWhenUsed>;
  const Deadline by = within(options_.redis.timeout);
  Batch<CascorWhenUsed> who;
  who.add({Answer::integer}, "CLIENT", "ID");
  const Reply id = connection.execute(who, by).front();
  std::shared_ptr<const CacheError> why;
  if (id.is_error()) {
    why = server_error(id.text);
  } else {
    const Batch<CascorWhenUsed> start = Rules::start(id.integer, options_.prefixes, Rules::channel);
    const std::vector<Reply> replies = connection.execute(start, by);
    if (replies[0].is_error()) {
      why = server_error(replies[0].text);
    } else if (!replies[1].is_error()) {
      return true;
    } else {
      why = server_error(replies[1].text);
      if (why->code() == ErrorCode::authentication && !options_.other_channel.empty()) {
        Batch<CascorWhenUsed> other;
        other.add({Answer::array}, "SUBSCRIBE", options_.other_channel);
        if (!connection.execute(other, by).front().is_error()) return true;
      }
    }
  }
  // What says that the server as a whole cannot serve now is no last word.
  if (says_unavailable(why->what())) why->raise();
  refuse(*why);
  return false;
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::refuse(const CacheError& why) noexcept {
  state_ = LinkState::refused;
  told_.on_refused(why);
}

// Until it is lost, which is thrown.
template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::listen(Connection<CascorWhenUsed>& connection) {
  Batch<CascorWhenUsed> ping;
  ping.add({Answer::any}, "PING");
  SilenceWatch watch{options_.ask_after, options_.patience, real_now()};
  Reply reply;
  while (true) {
    while (connection.next({Answer::any}, reply)) tell(reply);
    try {
      (void)connection.receive(within(watch.patience_left(real_now())));
      watch.heard(real_now());
      continue;
    } catch (const TimeoutError&) {
      if (watch.todo(real_now()) == SilenceWatch::Todo::give_up) throw;
    }
    if (watch.todo(real_now()) != SilenceWatch::Todo::ask) continue;
    std::size_t sent = 0;
    watch.asked(real_now());
    connection.send(ping.bytes(), sent, within(options_.patience));
  }
}

template <class CascorWhenUsed>
void TrackingLink<CascorWhenUsed>::tell(const Reply& reply) {
  switch (TrackingRules<CascorWhenUsed>::heard(reply)) {
    case Heard::keys:
      for (const Reply& key : reply.elements[2].elements) told_.on_key(key.text);
      return;
    case Heard::flush: return told_.on_flush();
    case Heard::subscribed:
    case Heard::nothing: return;
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class TrackingLink<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
