// The boundary below published messages: bytes under a channel's name, sent to whoever listens at that moment.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// What one may listen to: the channel of that name, or all whose names match a glob.
enum class TopicKind : unsigned char { channel, pattern };
struct Topic {
  TopicKind kind = TopicKind::channel;
  std::string name;
  bool operator==(const Topic&) const = default;
};

/// Who hears what a bus receives. Called on the bus's own thread, which others wait for: must not block.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;

  /// A message that came because of the topic `kind`, `name`: once for each topic that its channel is under. The views
  /// end with the call.
  virtual void message(TopicKind kind, std::string_view name, std::string_view channel, std::string_view payload) = 0;
  /// Messages under this topic may have been missed; it is listened to (again) from here on.
  virtual void gap(TopicKind kind, std::string_view name) = 0;
  /// Hands a message to every listener of this process; how many there were. From any thread.
  virtual std::size_t publish_here(std::string_view channel, std::string_view payload) = 0;
};

/// Published messages of a remote engine. At most once: nothing is kept for who does not listen. Safe from any thread.
class EventBus {
 public:
  EventBus() = default;
  EventBus(const EventBus&) = delete;
  EventBus& operator=(const EventBus&) = delete;
  virtual ~EventBus() = default;

  /// How many receivers it reached, by the server's count. Never sent twice. Throws as KeyValueStore's calls do.
  virtual std::size_t publish(std::string_view channel, std::string_view payload, Deadline by) = 0;

  /// Listens to one more topic, which is none of those listened to. Does not wait: what cannot be now is tried again
  /// and again. `sink` is the same at each call, and outlives stop().
  virtual void listen(EventSink& sink, const Topic& topic) = 0;
  /// Listens to it no more. Messages that are on their way may still come.
  virtual void unlisten(const Topic& topic) = 0;
  /// Waits until the server has confirmed every one of the topics, which are listened to. Throws what kept it from
  /// that: TimeoutError at the deadline, ConnectionError, the server's refusal as its type. A topic that is confirmed
  /// later tells its sink of a gap.
  virtual void await(std::span<const Topic> topics, Deadline by) = 0;
  /// Ends every listening and the thread; the sink is not called after it returns. Not from the sink.
  virtual void stop() noexcept = 0;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
