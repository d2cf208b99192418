// Publish and subscribe, as a cache offers it: the bodies of BasicCacheView's members, which only declares them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/cache_view.hpp"
#include "cascor/core/events.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/subscription.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

/// The names of any range of texts.
template <class Names>
std::vector<std::string> names_in(const Names& names) {
  std::vector<std::string> all;
  for (const auto& name : names) all.emplace_back(std::string_view{name});
  return all;
}
/// Makes a subscription on the engine's hub, to channels or to patterns.
CASCOR_CACHE_FN Subscription subscribe(Engine& engine, TopicKind kind, std::vector<std::string> names,
                                       std::function<void(const Message&)> handler, std::function<void()> on_gap,
                                       TimePoint until);
CASCOR_CACHE_FN std::size_t publish(Engine& engine, std::string_view channel, std::string_view payload,
                                    TimePoint until);
CASCOR_CACHE_FN std::size_t publish_event(Engine& engine, std::string_view channel, std::string_view type,
                                          const json& data, TimePoint until);
/// The channel's name in the engine's namespace.
CASCOR_CACHE_FN std::string name_of(const Engine& engine, Channel channel);

}  // namespace detail

template <Codec C>
std::size_t BasicCacheView<C>::publish(std::string_view channel, const json& message) {
  return detail::publish(engine(), channel, detail::encode_message(message), until_);
}
template <Codec C>
std::size_t BasicCacheView<C>::publish_event(Channel channel, std::string_view type, const json& data) {
  return detail::publish_event(engine(), detail::name_of(engine(), channel), type, data, until_);
}
template <Codec C>
std::size_t BasicCacheView<C>::publish_event(std::string_view channel, std::string_view type, const json& data) {
  return detail::publish_event(engine(), channel, type, data, until_);
}
template <Codec C>
template <class Handler>
Subscription BasicCacheView<C>::subscribe(std::initializer_list<std::string_view> channels, Handler handler,
                                          const Later<SubscribeOptions>& options) {
  return detail::subscribe(engine(), TopicKind::channel, detail::names_in(channels), std::move(handler), options.on_gap,
                           until_);
}
template <Codec C>
template <detail::KeyRange Names, class Handler>
Subscription BasicCacheView<C>::subscribe(const Names& channels, Handler handler,
                                          const Later<SubscribeOptions>& options) {
  return detail::subscribe(engine(), TopicKind::channel, detail::names_in(channels), std::move(handler), options.on_gap,
                           until_);
}
template <Codec C>
template <class Handler>
Subscription BasicCacheView<C>::subscribe_pattern(std::initializer_list<std::string_view> patterns, Handler handler,
                                                  const Later<SubscribeOptions>& options) {
  return detail::subscribe(engine(), TopicKind::pattern, detail::names_in(patterns), std::move(handler), options.on_gap,
                           until_);
}
template <Codec C>
template <detail::KeyRange Names, class Handler>
Subscription BasicCacheView<C>::subscribe_pattern(const Names& patterns, Handler handler,
                                                  const Later<SubscribeOptions>& options) {
  return detail::subscribe(engine(), TopicKind::pattern, detail::names_in(patterns), std::move(handler), options.on_gap,
                           until_);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/pubsub.ipp"
#endif
