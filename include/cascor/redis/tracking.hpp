// The link on which one server says which keys under some prefixes changed: a connection and a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cascor/core/invalidations.hpp"
#include "cascor/core/random.hpp"
#include "cascor/redis/connection.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/stopper.hpp"
#include "cascor/redis/tracking_rules.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// See InvalidationLink. Dials by itself, three round trips on a thread of its own; made again, after a pause, whenever
/// it is lost. The mutex guards the thread's start, its pauses and its end; it is not held while something is dialled,
/// sent, received or told. Time is real time, whatever the cache's clock says: a network does not wait for a clock that
/// stands still.
template <class CascorWhenUsed = void>
class TrackingLink final : public InvalidationLink {
 public:
  struct Options {
    RedisOptions redis;
    std::vector<std::string> prefixes;  ///< none inside another
    /// Subscribed to where the account may not have Redis's own channel: pushes come to a subscriber of any.
    std::string other_channel;
    milliseconds ask_after{1000};  ///< a PING after so much silence
    milliseconds patience{2000};   ///< and so long for its answer
    /// Is there a server to dial? While not, it is asked again, at each nudge() and now and then. Empty: always.
    std::function<bool()> may_dial;
  };

  /// `told` must live until close() has returned.
  TrackingLink(Options options, InvalidationSink& told)
      : options_{std::move(options)}, told_{told}, random_{options_.redis.random} {}
  TrackingLink(const TrackingLink&) = delete;
  TrackingLink& operator=(const TrackingLink&) = delete;
  ~TrackingLink() override { close(); }

  void open() noexcept override;
  void nudge() noexcept override;
  void renew() noexcept override;
  void close() noexcept override;
  LinkState state() const noexcept override { return state_.load(std::memory_order_relaxed); }

 private:
  static TimePoint real_now() noexcept { return SystemClock::shared()->now(); }
  static Deadline within(milliseconds time) { return Deadline{*SystemClock::shared(), time}; }
  void start() noexcept;
  void run() noexcept;
  bool pause(milliseconds most);
  bool serve_until_lost();
  Stopper<CascorWhenUsed>* next_stopper();
  bool start_tracking(Connection<CascorWhenUsed>& connection);
  void listen(Connection<CascorWhenUsed>& connection);
  void tell(const Reply& reply);
  void refuse(const CacheError& why) noexcept;

  const Options options_;
  InvalidationSink& told_;
  cascor::detail::Random random_;
  std::atomic<LinkState> state_{LinkState::unopened};

  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Stopper<CascorWhenUsed>> stopper_;  // of the connection there is
  bool nudged_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/tracking.ipp"
#endif
