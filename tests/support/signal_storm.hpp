// Signals that interrupt whatever waits, every few milliseconds, without SA_RESTART.
#pragma once

#include <signal.h>
#include <sys/time.h>

#include <chrono>

namespace support {

/// While it lives, SIGALRM comes each `interval`. One at a time, and made on the main thread.
class SignalStorm {
 public:
  explicit SignalStorm(std::chrono::microseconds interval) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, &before_);
    const timeval each{0, interval.count()};
    const itimerval timer{each, each};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;
  ~SignalStorm() {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_ {};
};

}  // namespace support
