#pragma once

#include <exception>

#include "cascor/redis/sentinel.hpp"
#include "cascor/redis/slot_map.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
Sentinel<CascorWhenUsed>::Sentinel(const RedisOptions& each, std::vector<Endpoint> sentinels, std::string master_name)
    : finder_{each, std::move(sentinels), std::move(master_name)}, server_{[&] {
        RedisOptions master = each;
        master.locate = [this](Deadline by) { return locate(by); };
        master.must_be_master = true;
        return std::make_shared<Node<CascorWhenUsed>>(std::move(master));
      }()} {}

template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::run(const Commands& batch, std::span<Reply> replies, const Terms& terms, Deadline by) {
  const auto outcome = server_->try_run(batch, replies, terms, by);
  if (outcome.error) {
    const ErrorCode code = outcome.error->code();
    if (code == ErrorCode::connection || code == ErrorCode::timeout) finder_.doubt();
    outcome.error->raise();
  }
  if (!watching_.load(std::memory_order_relaxed)) start_watching();
}

// After the first call that was answered, when it is known which Sentinel answers and what it wants.
template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::start_watching() noexcept {
  if (watching_.exchange(true)) return;
  try {
    typename Subscriber<CascorWhenUsed>::Options options;
    options.redis = finder_.next_sentinel();
    options.redis.locate = [this](Deadline) { return finder_.next_sentinel().endpoint; };
    options.redis.timeout = milliseconds{1000};
    options.ask_after = milliseconds{1000};
    options.log = Log{[](LogLevel, std::string_view) {}};  // what it means for the cache is told where that is seen
    auto watch = std::make_unique<Subscriber<CascorWhenUsed>>(std::move(options), nullptr);
    watch->listen(*this, {TopicKind::channel, "+switch-master"});
    const std::lock_guard lock{mutex_};
    watch_ = std::move(watch);
  } catch (const std::exception&) {  // no memory, no thread: the next call tries again
    watching_ = false;
  }
}

// "<name> <old address> <old port> <new address> <new port>".
template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::message(TopicKind /*kind*/, std::string_view /*name*/, std::string_view /*channel*/,
                                       std::string_view payload) {
  if (payload.substr(0, payload.find(' ')) != finder_.master_name()) return;
  {
    const std::lock_guard lock{last_mutex_};
    last_ = {};
  }
  switched();
}

// A switch may have been missed.
template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::gap(TopicKind /*kind*/, std::string_view /*name*/) {
  try {
    (void)locate(Deadline{*SystemClock::shared(), milliseconds{2000}});
  } catch (const CacheError&) {  // nobody answers: who dials next asks again
    server_->close_idle();
  }
}

template <class CascorWhenUsed>
Endpoint Sentinel<CascorWhenUsed>::locate(Deadline by) {
  Endpoint master = finder_.find(by);
  bool another = false;
  {
    const std::lock_guard lock{last_mutex_};
    another = !last_.host.empty() && !SlotMap<CascorWhenUsed>::same(last_, master);
    last_ = master;
  }
  if (another) switched();
  return master;
}

template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::switched() noexcept {
  ++switches_;
  server_->drop_connections();
  tell();
}

template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::tell() noexcept {
  const std::lock_guard lock{mutex_};
  try {
    if (tell_) tell_();
  } catch (...) {  // who is told finds out later
  }
}

template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::when_replaced(std::function<void()> tell) {
  const std::lock_guard lock{mutex_};
  tell_ = std::move(tell);
}

template <class CascorWhenUsed>
std::vector<NodeState> Sentinel<CascorWhenUsed>::nodes(Deadline by) {
  NodeList<CascorWhenUsed> list;
  finder_.look_around(list, by);
  Endpoint master;
  {
    const std::lock_guard lock{last_mutex_};
    master = last_;
  }
  if (!master.host.empty()) {
    NodeState& node = list.at("master", master);
    node.pool = server_->pool();
    node.last_error = server_->last_failure();
    if (server_->seems_away()) node.state = "down";
  }
  return std::move(list).take();
}

template <class CascorWhenUsed>
void Sentinel<CascorWhenUsed>::stop() noexcept {
  finder_.stop();
  server_->stop();
}

#if defined(CASCOR_CACHE_COMPILED)
template class Sentinel<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
