// Linux's epoll, and a way to wake it: what the two threads that watch many sockets have in common.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>

namespace canopy {

/// wake() is safe from any thread, everything else is for the thread that waits.
class Poller {
 public:
  /// Throws std::system_error.
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();

  /// Watches a socket, or watches it for something else from now on; closing it ends that.
  void watch(int socket, std::uint32_t events) const;
  void forget(int socket) const;
  void wake() const;
  /// Waits, and calls `on_event(socket, events)` for each socket that has something.
  template <class OnEvent>
  void wait(std::chrono::milliseconds at_most, const OnEvent& on_event) {
    std::array<epoll_event, 256> events{};
    const int count =
        ::epoll_wait(poller_, events.data(), static_cast<int>(events.size()), static_cast<int>(at_most.count()));
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wake_up_) {
        take_wake_up();
      } else {
        on_event(event.data.fd, event.events);
      }
    }
  }

 private:
  void take_wake_up() const;

  int poller_ = -1;
  int wake_up_ = -1;
};

}  // namespace canopy
