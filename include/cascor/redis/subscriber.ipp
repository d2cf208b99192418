#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "cascor/redis/pushes.hpp"
#include "cascor/redis/retry.hpp"
#include "cascor/redis/server_error.hpp"
#include "cascor/redis/subscriber.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
Subscriber<CascorWhenUsed>::Subscriber(Options options, KeyValueStore* store)
    : options_{std::move(options)},
      store_{store},
      server_{to_string(options_.redis.endpoint)},
      random_{options_.redis.random},
      wake_{make_event()} {}

template <class CascorWhenUsed>
std::size_t Subscriber<CascorWhenUsed>::publish(std::string_view channel, std::string_view payload, Deadline by) {
  const std::array<std::string_view, 3> words{"PUBLISH", channel, payload};
  const Reply reply = store_->command(words, by);
  if (reply.is_error()) {
    const std::string name = readable(channel);
    if (!reply.text.starts_with("NOPERM")) server_error(reply.text)->raise();
    throw AuthenticationError{readable(reply.text) + " (to publish on " + name + ')',
                              "Grant the account the channel: ACL SETUSER name &" + name + " +publish."};
  }
  // The server is there: a subscription that waits for it need not wait longer.
  if (is_down_.load(std::memory_order_relaxed) && is_down_.exchange(false)) {
    const std::lock_guard lock{mutex_};
    nudged_ = true;
    changed_.notify_all();
  }
  return static_cast<std::size_t>(std::max<std::int64_t>(reply.integer, 0));
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::listen(EventSink& sink, const Topic& topic) {
  const std::lock_guard lock{mutex_};
  ledger_.want(topic, outgoing_);
  nudged_ = true;
  if (!thread_.joinable() && !stopping_) {
    sink_ = &sink;
    thread_ = std::thread{[this] { run(); }};
  }
  raise_event(wake_);
  changed_.notify_all();
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::unlisten(const Topic& topic) {
  const std::lock_guard lock{mutex_};
  ledger_.unwant(topic, outgoing_);
  if (!outgoing_.empty()) raise_event(wake_);
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::await(std::span<const Topic> topics, Deadline by) {
  std::unique_lock lock{mutex_};
  const auto late = [&](const CacheError& why) {
    for (const Topic& topic : topics) ledger_.will_be_late(topic);
    why.raise();
  };
  while (true) {
    if (stopping_) stopper_.raise();
    bool confirmed = true;
    for (const Topic& topic : topics) {
      if (const auto why = ledger_.refusal(topic)) why->raise();
      confirmed = confirmed && ledger_.is_confirmed(topic);
    }
    if (confirmed) return;
    // What failed before this topic was asked for is tried again first.
    if (failed_ && !nudged_) late(*failed_);
    const milliseconds left = by.remaining();
    if (left.count() == 0) {
      late(TimeoutError{"Timeout waiting for Redis on " + server_ + " to confirm a subscription",
                        "See whether the server is busy (SLOWLOG, LATENCY) or the network slow, or raise "
                        "connection_pool.timeout."});
    }
    const bool told =
        changed_.wait_for(lock, std::min(left, milliseconds{std::chrono::hours{24}})) == std::cv_status::no_timeout;
    // The deadline may be told by a clock that stands still.
    if (!told && left >= by.remaining()) by = within(milliseconds{0});
  }
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::stop() noexcept {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_all();
  }
  stopper_.stop();
  raise_event(wake_);
  if (thread_.joinable()) thread_.join();
}

// False: it ends. Waits at most for `pause`, without topics for ever.
template <class CascorWhenUsed>
bool Subscriber<CascorWhenUsed>::wait_for_work(milliseconds pause) {
  std::unique_lock lock{mutex_};
  changed_.wait_for(lock, pause, [this] { return stopping_ || nudged_; });
  changed_.wait(lock, [this] { return stopping_ || ledger_.wants_anything(); });
  nudged_ = false;
  failed_ = nullptr;
  return !stopping_;
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::run() {
  constexpr milliseconds first_bound{100};
  constexpr milliseconds longest_bound{2000};
  Backoff backoff{first_bound, longest_bound};
  milliseconds pause{0};
  while (wait_for_work(pause)) {
    try {
      Link link{options_.redis, within(options_.redis.timeout), &stopper_};
      backoff = Backoff{first_bound, longest_bound};
      {
        const std::lock_guard lock{mutex_};
        outgoing_.clear();
        is_down_ = false;
        ledger_.connected(outgoing_);
      }
      serve(link);
    } catch (const CacheError& error) {
      link_lost(error);
    } catch (const std::exception& error) {  // out of memory: what was read is lost with the connection
      link_lost(ConnectionError{std::string{"the subscriptions failed within this process: "} + error.what()});
    }
    pause = backoff.next([this] { return random_(); });
  }
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::link_lost(const CacheError& error) {
  bool tell = false;
  {
    const std::lock_guard lock{mutex_};
    ledger_.disconnected();
    outgoing_.clear();
    failed_ = error.share();
    is_down_ = true;
    tell = !stopping_ && ledger_.wants_anything() && !std::exchange(told_lost_, true);
    changed_.notify_all();
  }
  if (tell) options_.log.info(std::string{"Subscriptions wait for Redis: "} + error.what());
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::serve(Link& link) {
  bool asked = false;
  while (true) {
    send_commands(link);
    switch (link.await_input(within(options_.ask_after), wake_.fd())) {
      case Input::there:
        link.receive(within(options_.redis.timeout));
        take_pushes(
            link,
            [this](TopicKind kind, std::string_view topic, std::string_view channel, std::string_view payload) {
              sink_->message(kind, topic, channel, payload);
            },
            [this](const Reply& reply) { take_answer(reply); });
        asked = false;
        break;
      case Input::woken: break;
      case Input::none: {
        const std::lock_guard lock{mutex_};
        if (std::exchange(asked, true)) {
          throw TimeoutError{"Timeout waiting for Redis on " + server_ + ": the subscription connection is silent",
                             "See whether the server hangs, or something on the way forgets connections."};
        }
        ledger_.ask_refused(outgoing_);
        ledger_.ping(outgoing_);
      }
    }
  }
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::send_commands(Link& link) {
  std::string commands;
  {
    const std::lock_guard lock{mutex_};
    lower_event(wake_);
    if (stopping_) stopper_.raise();
    commands.swap(outgoing_);
  }
  std::size_t sent = 0;
  if (!commands.empty()) link.send(commands, sent, within(options_.redis.timeout));
}

template <class CascorWhenUsed>
void Subscriber<CascorWhenUsed>::take_answer(const Reply& reply) {
  Heard heard;
  bool restored = false;
  {
    const std::lock_guard lock{mutex_};
    heard = ledger_.answer(reply);
    restored = !ledger_.awaits_answers() && std::exchange(told_lost_, false);
    changed_.notify_all();
  }
  if (heard.kind == Heard::again) sink_->gap(heard.topic.kind, heard.topic.name);
  if (heard.kind == Heard::refused) options_.log.warning(heard.why->what());
  if (restored) options_.log.info("Subscriptions to Redis restored: " + server_);
}

#if defined(CASCOR_CACHE_COMPILED)
template class Subscriber<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
