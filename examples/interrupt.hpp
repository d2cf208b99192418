// Ctrl-C ends a program in order: it asks interrupted() now and then. A second Ctrl-C ends it at once.
#pragma once

#include <atomic>
#include <csignal>

namespace examples {

inline std::atomic<bool>& interrupted() {
  static std::atomic<bool> flag{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may touch nothing else");
  return flag;
}

inline void stop_on_interrupt() {
  interrupted() = false;  // made before the first signal, so that the handler makes nothing
  const auto handler = [](int signal) {
    interrupted() = true;
    std::signal(signal, SIG_DFL);
  };
  std::signal(SIGINT, handler);
  std::signal(SIGTERM, handler);
}

}  // namespace examples
