// Events that happen where no code of an application may run, told to it on a thread of their own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "cascor/core/event.hpp"
#include "cascor/core/log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Tells in the order in which it was told. Where the application is slower, events past most_waiting are counted, and
/// told of as one. The mutex guards the queue; the application's code runs outside it. Safe from any thread.
template <class CascorWhenUsed = void>
class EventTeller {
 public:
  static constexpr std::size_t most_waiting = 1'000;

  /// `on_event` may be empty: then nothing is ever told.
  EventTeller(std::function<void(const CacheEvent&)> on_event, Log log)
      : on_event_{std::move(on_event)}, log_{std::move(log)} {}
  EventTeller(const EventTeller&) = delete;
  EventTeller& operator=(const EventTeller&) = delete;
  ~EventTeller() { stop(); }
  /// Nothing is told any more, what is waiting included; waits for the handler that runs. By the cache's own end.
  void stop() noexcept;

  bool wanted() const noexcept { return static_cast<bool>(on_event_); }
  /// Never waits, and takes no other lock: may be called under any.
  void post(std::string_view kind, std::string_view detail) noexcept;

 private:
  void run();
  void tell(const CacheEvent& event) const;

  const std::function<void(const CacheEvent&)> on_event_;
  const Log log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Dependent<CacheEvent, CascorWhenUsed>> waiting_;
  std::uint64_t untold_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // started by the first event
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/event_teller.ipp"
#endif
