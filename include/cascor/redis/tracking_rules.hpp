// What a link of CLIENT TRACKING says and hears: decisions without a socket and without a clock.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/reply.hpp"
#include "cascor/redis/batch.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// What a reply on the link is.
enum class Heard : unsigned char {
  keys,        ///< these changed: the elements of its third element
  flush,       ///< everything was removed
  subscribed,  ///< the subscription is confirmed
  nothing      ///< PONG, or a message that somebody published there
};

/// One connection, redirected to itself: Redis 6 pushes invalidations to a RESP2 connection only as messages, to one
/// that is subscribed to any channel (seen on 7.0: to whichever).
template <class CascorWhenUsed = void>
struct TrackingRules {
  static constexpr std::string_view channel = "__redis__:invalidate";

  /// The connection's own number is asked for first; then this, in one round trip.
  static Batch<CascorWhenUsed> start(std::int64_t own_id, const std::vector<std::string>& prefixes,
                                     std::string_view subscribe_to) {
    Batch<CascorWhenUsed> batch;
    const std::string id = std::to_string(own_id);
    std::vector<cascor::detail::Dependent<std::string_view, CascorWhenUsed>> words{"CLIENT",   "TRACKING", "ON",
                                                                                   "REDIRECT", id,         "BCAST"};
    for (const std::string& prefix : prefixes) {
      words.emplace_back("PREFIX");
      words.emplace_back(prefix);
    }
    batch.add_words({Answer::status}, words);
    batch.add({Answer::array}, "SUBSCRIBE", subscribe_to);
    return batch;
  }
  static Heard heard(const Reply& reply) noexcept {
    if (reply.kind != Reply::Kind::array || reply.elements.size() != 3) return Heard::nothing;
    const std::string& what = reply.elements[0].text;
    if (what == "subscribe") return Heard::subscribed;
    if (what != "message") return Heard::nothing;
    // The server's own messages carry an array or nil, which nobody can publish.
    const Reply& payload = reply.elements[2];
    if (payload.kind == Reply::Kind::array) return Heard::keys;
    return payload.kind == Reply::Kind::nil ? Heard::flush : Heard::nothing;
  }
};

/// When a link that says nothing is asked, and when it counts as gone.
class SilenceWatch {
 public:
  enum class Todo : unsigned char { wait, ask, give_up };
  /// Asked after so much silence, gone after so much more.
  SilenceWatch(milliseconds ask_after, milliseconds patience, TimePoint now) noexcept
      : ask_after_{ask_after}, patience_{patience}, since_{now} {}

  void heard(TimePoint now) noexcept {
    since_ = now;
    asked_ = false;
  }
  void asked(TimePoint now) noexcept {
    since_ = now;
    asked_ = true;
  }
  Todo todo(TimePoint now) const noexcept {
    if (now - since_ < limit()) return Todo::wait;
    return asked_ ? Todo::give_up : Todo::ask;
  }
  /// Until there is something to do; at least a millisecond.
  milliseconds patience_left(TimePoint now) const noexcept {
    const auto left = std::chrono::ceil<milliseconds>(since_ + limit() - now);
    return left > milliseconds{1} ? left : milliseconds{1};
  }

 private:
  milliseconds limit() const noexcept { return asked_ ? patience_ : ask_after_; }

  milliseconds ask_after_;
  milliseconds patience_;
  TimePoint since_;
  bool asked_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
