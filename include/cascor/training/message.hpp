// What is published: a message, and the names of the channels that everybody knows.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cascor/codec/json.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// A message as it came: bytes that somebody published under a channel's name.
struct Message {
  std::string channel;
  std::string payload;

  /// The payload, parsed: O(its size). Throws DataError where it is no JSON text. Safe from any thread.
  CASCOR_CACHE_FN cascor::json json() const;
};

/// The channels of a training: `<namespace>training` and so on, with the default namespace "cascor:training". Redis's
/// channels are the same in all of its databases: only the namespace keeps two applications apart.
enum class Channel : unsigned char { training, control, topology, events };

/// "training", "control", "topology", "events".
constexpr std::string_view to_string(Channel channel) noexcept {
  switch (channel) {
    case Channel::training: return "training";
    case Channel::control: return "control";
    case Channel::topology: return "topology";
    case Channel::events: break;
  }
  return "events";
}

/// How a subscription is made. All of it may be left out.
struct SubscribeOptions {
  /// Called where messages may have been missed, on the handler's thread and in its place among the messages: after the
  /// connection was lost and is there again, and before the first message that is left of a queue that ran over.
  std::function<void()> on_gap{};
};

namespace detail {
/// A message's text. Throws DataError for what has none, such as a string that is not UTF-8.
CASCOR_CACHE_FN std::string encode_message(const json& message);
/// The text of an event: {type, timestamp, data}. Throws as encode_message().
CASCOR_CACHE_FN std::string encode_event(std::string_view type, std::string_view timestamp, const json& data);
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/training/message.ipp"
#endif
