// Watching keys: the bodies of BasicCacheView's on_change, and the way from a change to a handler.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "cascor/cache/cache_view.hpp"
#include "cascor/training/message.hpp"
#include "cascor/training/subscription.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {
/// A subscription to changes; what is delivered is a message whose channel is the key.
CASCOR_CACHE_FN Subscription watch(Engine& engine, std::string_view pattern,
                                   std::function<void(const Message&)> handler, std::function<void()> on_gap);
}  // namespace detail

template <Codec C>
template <class Handler>
Subscription BasicCacheView<C>::on_change(std::string_view pattern, Handler handler,
                                          const Later<SubscribeOptions>& options) {
  return detail::watch(
      engine(), pattern, [handler = std::move(handler)](const Message& change) mutable { handler(change.channel); },
      options.on_gap);
}

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/changes.ipp"
#endif
