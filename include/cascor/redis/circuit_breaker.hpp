// Whether to ask a server at all: a decision without a socket, a clock or a thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cascor/core/clock.hpp"
#include "cascor/redis/options.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Keeps a dead server from costing each call its timeout (Nygard, "Release It!", 2007): after several failures in a
/// row it opens, and calls fail at once; after a while, longer each time, one call is let through to find out
/// (half-open), and its success closes it. For one thread at a time.
class CircuitBreaker {
 public:
  static constexpr int failures_to_open = 5;
  static constexpr milliseconds first_wait{100};
  static constexpr milliseconds longest_wait{2000};
  static constexpr milliseconds longest_wait_where_cheap{200};

  BreakerState state() const noexcept { return state_; }
  int failures() const noexcept { return failures_; }
  /// Nothing has failed since the last success: there is nothing to tell it.
  bool at_rest() const noexcept { return state_ == BreakerState::closed && failures_ == 0; }
  /// What is left at `now` until a call is let through.
  milliseconds wait(TimePoint now) const noexcept {
    return std::max(std::chrono::ceil<milliseconds>(next_ - now), milliseconds{0});
  }

  /// May a call be made at `now`? When its turn has come, one may, to find out; if nothing is heard of it within
  /// `patience`, another one may.
  bool may_pass(TimePoint now, milliseconds patience) noexcept {
    if (state_ == BreakerState::closed) return true;
    if (now < next_) return false;
    state_ = BreakerState::half_open;
    next_ = now + std::min(patience, milliseconds{std::chrono::hours{24}});
    return true;
  }

  /// The server answered, whatever it said.
  void succeeded() noexcept { *this = {}; }

  /// No connection, or a lost one, or no answer in time. `random`: 64 random bits; half of each wait is drawn. `cheap`:
  /// that was told at once, as a refused connection is; to find that out often costs nobody much, and the server's
  /// return is noticed soon.
  void failed(TimePoint now, std::uint64_t random, bool cheap = false) noexcept {
    ++failures_;
    // Calls that were under way when it opened tell it nothing new.
    if (state_ == BreakerState::open || failures_ < failures_to_open) return;
    state_ = BreakerState::open;
    if (cheap) wait_ = std::min(wait_, longest_wait_where_cheap);
    const auto half = static_cast<std::uint64_t>(wait_.count()) / 2;
    next_ = now + milliseconds{static_cast<milliseconds::rep>(half + random % (half + 1))};
    wait_ = std::min(2 * wait_, longest_wait);
  }

 private:
  BreakerState state_ = BreakerState::closed;
  int failures_ = 0;
  milliseconds wait_ = first_wait;
  TimePoint next_{};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
