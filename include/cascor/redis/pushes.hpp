// What comes on a subscription connection, told apart: messages, and the answers to commands.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cascor/core/events.hpp"
#include "cascor/core/reply.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Takes everything whole that `reader` has: calls `on_message(kind, topic, channel, payload)` for each message, with
/// views that end with the call, and `on_answer(reply)` for the rest, in the order in which they came. `reader` offers
/// next_words() and next(reply) as ReplyReader does. Messages, which are what comes by the thousand, are taken from
/// where they were received.
template <class Reader, class OnMessage, class OnAnswer>
void take_pushes(Reader&& reader, const OnMessage& on_message, const OnAnswer& on_answer) {
  const auto is_message = [&on_message](std::size_t count, const auto& word) {
    if (count == 3 && word(0) == "message") {
      on_message(TopicKind::channel, word(1), word(1), word(2));
    } else if (count == 4 && word(0) == "pmessage") {
      on_message(TopicKind::pattern, word(1), word(2), word(3));
    } else {
      return false;
    }
    return true;
  };
  std::array<std::string_view, 4> words;
  Reply reply;
  while (true) {
    const std::size_t count = reader.next_words(words);
    if (count > 0) {
      if (is_message(count, [&words](std::size_t i) { return words[i]; })) continue;
      reply = {};
      reply.kind = Reply::Kind::array;
      for (const std::string_view text : std::span{words}.first(count)) {
        Reply& element = reply.elements.emplace_back();
        element.kind = Reply::Kind::string;
        element.text = text;
      }
    } else if (!reader.next(reply)) {
      return;
    } else if (is_message(reply.elements.size(),
                          [&reply](std::size_t i) { return std::string_view{reply.elements[i].text}; })) {
      continue;
    }
    on_answer(reply);
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
