// Whether to try again, and when: decisions without sockets, clocks or threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// May a command be sent twice? Reads and writes that set a state may; what adds or publishes may not.
enum class Repeat : unsigned char { safe, unsafe };

/// What an error reply asks for.
enum class AfterReply : unsigned char {
  report,           ///< it is the answer
  again,            ///< it was not run, and may well be in a moment
  again_elsewhere,  ///< it was not run, and will not be on this connection: its server is not the master any more
};

/// By the first of its words: MOVED, ASK, TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN, READONLY, BUSY, OOM, NOSCRIPT and
/// EXECABORT prove that the command was not run, whatever it was. Those of them that pass by themselves are tried
/// again.
constexpr AfterReply after_reply(std::string_view words) noexcept {
  const std::string_view first = words.substr(0, words.find(' '));
  for (const std::string_view passing : {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "BUSY"}) {
    if (first == passing) return AfterReply::again;
  }
  // MOVED and ASK name the node to ask, which takes a cluster's client; the others stay as they are until somebody
  // acts.
  return first == "READONLY" ? AfterReply::again_elsewhere : AfterReply::report;
}

/// How an attempt failed. A reply that proves that nothing was run is as good as nothing sent.
struct FailedAttempt {
  bool anything_sent = false;    ///< some byte of the command was handed to the system
  bool idle_connection = false;  ///< on a connection that had been idle: it may simply have been closed meanwhile
};

/// Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", AWS 2015): each delay is drawn
/// evenly from zero to a bound that doubles. One object a sequence of attempts; for one thread.
class Backoff {
 public:
  Backoff(milliseconds first, milliseconds most) noexcept : bound_{first}, most_{most} {}
  milliseconds next(const std::function<std::uint64_t()>& random) {
    const auto bound = static_cast<std::uint64_t>(bound_.count());
    bound_ = std::min(bound_ * 2, most_);
    return milliseconds{static_cast<milliseconds::rep>(random() % (bound + 1))};
  }

 private:
  milliseconds bound_;
  milliseconds most_;
};

/// One call's retries: nothing sent, anything may be tried again; something sent, only what is safe to repeat and only
/// with `retry_sent`. Three attempts at most.
class RetryPolicy {
 public:
  RetryPolicy(Repeat repeat, bool retry_sent) noexcept : repeat_{repeat}, retry_sent_{retry_sent} {}

  /// How long to wait before the next attempt, or nullopt to give up.
  std::optional<milliseconds> after(const FailedAttempt& failed, milliseconds left,
                                    const std::function<std::uint64_t()>& random) {
    constexpr int max_attempts = 3;
    if (++attempts_ >= max_attempts) return std::nullopt;
    if (failed.anything_sent && (repeat_ == Repeat::unsafe || !retry_sent_)) return std::nullopt;
    const milliseconds delay = failed.idle_connection ? milliseconds{0} : backoff_.next(random);
    return delay < left ? std::optional{delay} : std::nullopt;
  }

 private:
  Repeat repeat_;
  bool retry_sent_;
  int attempts_ = 0;
  Backoff backoff_{milliseconds{10}, milliseconds{200}};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
