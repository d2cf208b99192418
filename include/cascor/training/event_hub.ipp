#pragma once

#include <algorithm>
#include <utility>

#include "cascor/cache/fallback.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/training/event_hub.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

// ---- one subscription

template <class CascorWhenUsed>
bool EventDelivery<CascorWhenUsed>::takes(TopicKind kind, std::string_view name,
                                          std::string_view channel) const noexcept {
  if (kind == TopicKind::channel || topics_.size() == 1) return true;
  const auto first = std::find_if(topics_.begin(), topics_.end(),
                                  [channel](const Topic& topic) { return glob_match(topic.name, channel); });
  return first == topics_.end() || first->name == name;
}

template <class CascorWhenUsed>
void EventDelivery<CascorWhenUsed>::push(typename Queue::Shared message) {
  std::unique_lock lock{mutex_};
  queue_.push(std::move(message));
  const bool wake = std::exchange(waits_, false);
  lock.unlock();
  if (wake) wake_.notify_one();
}

template <class CascorWhenUsed>
void EventDelivery<CascorWhenUsed>::gap() {
  const std::lock_guard lock{mutex_};
  queue_.gap();
  waits_ = false;
  wake_.notify_one();
}

template <class CascorWhenUsed>
void EventDelivery<CascorWhenUsed>::deliver() {
  while (true) {
    typename Queue::Next next;
    {
      std::unique_lock lock{mutex_};
      while (queue_.empty() && !this->closing()) {
        waits_ = true;
        wake_.wait(lock);
      }
      if (this->closing()) break;
      next = queue_.pop();
    }
    if (next.after_gap && on_gap_) this->call_handler(on_gap_);
    if (next.message) this->call_handler([&] { handler_(*next.message); });
  }
  // What they hold goes with them, and may be the very Subscription.
  handler_ = nullptr;
  on_gap_ = nullptr;
}

template <class CascorWhenUsed>
void EventDelivery<CascorWhenUsed>::on_close() noexcept {
  table_->remove(*this);
  const std::lock_guard lock{mutex_};
  wake_.notify_one();
}

// ---- all of them by topic

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::add(const std::shared_ptr<One>& delivery) {
  const std::lock_guard lock{mutex_};
  for (const Topic& topic : delivery->topics()) {
    Listeners& listeners = names(topic.kind)[topic.name];
    listeners.push_back(delivery);
    if (listeners.size() == 1 && bus_ != nullptr) bus_->listen(*this, topic);
  }
}

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::remove(const One& delivery) noexcept {
  Listeners removed;  // what ends with them ends outside the lock
  const std::lock_guard lock{mutex_};
  for (const Topic& topic : delivery.topics()) {
    const auto at = names(topic.kind).find(topic.name);
    if (at == names(topic.kind).end()) continue;
    const auto one = std::find_if(at->second.begin(), at->second.end(),
                                  [&delivery](const auto& listener) { return listener.get() == &delivery; });
    if (one == at->second.end()) continue;
    at->second.erase(one);
    if (!at->second.empty()) continue;
    names(topic.kind).erase(at);
    if (bus_ != nullptr) bus_->unlisten(topic);
  }
}

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::forget_bus() noexcept {
  const std::lock_guard lock{mutex_};
  bus_ = nullptr;
}

template <class CascorWhenUsed>
std::size_t EventTable<CascorWhenUsed>::hand_out(const Listeners& to, TopicKind kind, std::string_view name,
                                                 std::string_view channel, std::string_view payload, Shared& message) {
  std::size_t reached = 0;
  for (const auto& listener : to) {
    if (!listener->takes(kind, name, channel)) continue;
    if (!message) {
      message = std::make_shared<const Dependent<Message, CascorWhenUsed>>(
          Message{std::string{channel}, std::string{payload}});
    }
    listener->push(message);
    ++reached;
  }
  return reached;
}

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::message(TopicKind kind, std::string_view name, std::string_view channel,
                                         std::string_view payload) {
  const std::lock_guard lock{mutex_};
  const auto at = names(kind).find(name);
  if (at == names(kind).end()) return;
  Shared message;
  (void)hand_out(at->second, kind, name, channel, payload, message);
}

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::gap(TopicKind kind, std::string_view name) {
  const std::lock_guard lock{mutex_};
  const auto at = names(kind).find(name);
  if (at == names(kind).end()) return;
  for (const auto& listener : at->second) listener->gap();
}

template <class CascorWhenUsed>
void EventTable<CascorWhenUsed>::gap_everywhere() noexcept {
  const std::lock_guard lock{mutex_};
  for (const Names* const names : {&channels_, &patterns_}) {
    for (const auto& [name, listeners] : *names) {
      for (const auto& listener : listeners) listener->gap();
    }
  }
}

template <class CascorWhenUsed>
std::size_t EventTable<CascorWhenUsed>::publish_here(std::string_view channel, std::string_view payload) {
  const std::lock_guard lock{mutex_};
  Shared message;
  std::size_t reached = 0;
  if (const auto at = channels_.find(channel); at != channels_.end()) {
    reached += hand_out(at->second, TopicKind::channel, channel, channel, payload, message);
  }
  for (const auto& [pattern, listeners] : patterns_) {
    if (!glob_match(pattern, channel)) continue;
    reached += hand_out(listeners, TopicKind::pattern, pattern, channel, payload, message);
  }
  return reached;
}

// ---- the hub

// Its deliveries were made before it, and have ended by now.
template <class CascorWhenUsed>
void EventHub<CascorWhenUsed>::end() noexcept {
  table_->forget_bus();
  if (EventBus* const bus = engine_.events()) bus->stop();
}

template <class CascorWhenUsed>
auto EventHub<CascorWhenUsed>::topics_of(TopicKind kind, std::vector<std::string> names) -> typename One::Topics {
  typename One::Topics topics;
  if (names.empty()) {
    throw DataError{"a subscription to nothing", "Name a channel, or a pattern such as \"cascor:*\"."};
  }
  for (std::string& name : names) {
    if (name.empty()) {
      throw DataError{kind == TopicKind::channel ? "an empty channel name" : "an empty pattern for channels",
                      "Name a channel such as \"cascor:training\", or a pattern such as \"cascor:*\"."};
    }
    Topic topic{kind, std::move(name)};
    if (std::find(topics.begin(), topics.end(), topic) == topics.end()) topics.push_back(std::move(topic));
  }
  return topics;
}

template <class CascorWhenUsed>
Subscription EventHub<CascorWhenUsed>::subscribe(TopicKind kind, std::vector<std::string> names,
                                                 typename One::Handler handler, typename One::OnGap on_gap,
                                                 TimePoint until) {
  auto topics = topics_of(kind, std::move(names));
  if (!handler) throw DataError{"a subscription without a handler", "Hand over what is to be called."};
  std::string what = "a subscription to " + printable(topics.front().name);
  if (topics.size() > 1) what += " and " + std::to_string(topics.size() - 1) + " more";
  const auto delivery = std::make_shared<One>(engine_.log(), std::move(what), std::move(topics), std::move(handler),
                                              std::move(on_gap), table_);
  deliveries_.start(delivery);
  Subscription subscription{delivery};  // closes it where this throws
  table_->add(delivery);
  EventBus* const bus = engine_.events();
  if (bus == nullptr) return subscription;
  try {
    bus->await(delivery->topics(), engine_.deadline(until));
  } catch (const CacheError& error) {
    if (engine_.config().strict || !means_away(error)) throw;
  }
  return subscription;
}

template <class CascorWhenUsed>
std::size_t EventHub<CascorWhenUsed>::publish(std::string_view channel, std::string_view payload, TimePoint until) {
  if (channel.empty()) {
    throw DataError{"an empty channel name", "Name a channel such as \"cascor:training\"."};
  }
  return engine_.publish(channel, payload, *table_, until);
}

#if defined(CASCOR_CACHE_COMPILED)
template class EventDelivery<>;
template class EventTable<>;
template class EventHub<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
