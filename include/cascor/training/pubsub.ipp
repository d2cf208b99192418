#pragma once

#include "cascor/cache/report.hpp"
#include "cascor/training/event_hub.hpp"
#include "cascor/training/pubsub.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF Subscription subscribe(Engine& engine, TopicKind kind, std::vector<std::string> names,
                                        std::function<void(const Message&)> handler, std::function<void()> on_gap,
                                        TimePoint until) {
  return events_of<CascorWhenUsed>(engine).subscribe(kind, std::move(names), std::move(handler), std::move(on_gap),
                                                     until);
}

CASCOR_CACHE_DEF std::size_t publish(Engine& engine, std::string_view channel, std::string_view payload,
                                     TimePoint until) {
  return events_of<CascorWhenUsed>(engine).publish(channel, payload, until);
}

CASCOR_CACHE_DEF std::size_t publish_event(Engine& engine, std::string_view channel, std::string_view type,
                                           const json& data, TimePoint until) {
  return publish(engine, channel, encode_event(type, iso8601(engine.clock().wall()), data), until);
}

CASCOR_CACHE_DEF std::string name_of(const Engine& engine, Channel channel) {
  return engine.key_space().key_namespace() + std::string{to_string(channel)};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
