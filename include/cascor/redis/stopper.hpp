// What stop() ends: the sockets on which calls are under way, and every wait that is not on a socket.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "cascor/core/clock.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/redis/descriptor.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

class Transport;

/// One an engine; stop() is for good. Safe from any thread. The mutex guards the list of transports, so that none is
/// closed while it is being interrupted, and the dials' event; nothing else is locked under it.
template <class CascorWhenUsed = void>
class Stopper {
 public:
  Stopper() : event_{make_event()} {}
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;
  ~Stopper() = default;

  /// Interrupts every transport in the list, each that comes later, and every wait on fd().
  void stop() noexcept;
  /// What those who dial now wait on beside their sockets: raised by stop(), and by the next interrupt().
  class Dialling {
   public:
    int fd() const noexcept { return event_.fd(); }
    bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
    void end() noexcept {
      ended_.store(true, std::memory_order_release);
      raise_event(event_);
    }

   private:
    Descriptor event_ = make_event();
    std::atomic<bool> ended_{false};
  };

  /// Interrupts every transport that is in the list now, and every dial that has begun; what comes later is let be.
  void interrupt() noexcept;
  /// For one dial, from before it is known where to.
  std::shared_ptr<Dialling> dialling();
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }
  /// Readable once stopped; for wait_until_ready().
  int fd() const noexcept { return event_.fd(); }
  /// Waits for that long in real time, or until stopped.
  void pause(milliseconds time) const noexcept;
  /// The error of a call that was ended by stop(), and throwing it.
  static ConnectionError error();
  [[noreturn]] static void raise() { throw error(); }

  void add(Transport& transport);
  void remove(Transport& transport) noexcept;

 private:
  Descriptor event_;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<cascor::detail::Dependent<Transport, CascorWhenUsed>*> transports_;
  std::shared_ptr<Dialling> dialling_;  // null: nobody has dialled since the last interrupt()
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/stopper.ipp"
#endif
