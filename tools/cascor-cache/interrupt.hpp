// Ctrl-C: ends the program at once with 130 and the terminal as it was, but where a command asks to be told instead.
#pragma once

#include <chrono>

namespace tool {

/// From now on SIGINT, SIGTERM and SIGHUP end the program with 128 + their number, after terminal_to_restore() is
/// written.
void catch_interrupts();

/// What puts the terminal at `fd` back, written when a signal ends the program; null: nothing. The text must stay.
void terminal_to_restore(int fd, const char* text) noexcept;

/// While one lives, the first signal only makes interrupted() true; a second one ends the program at once.
class Interruptible {
 public:
  Interruptible() noexcept;
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible();

  /// The signal's number that came; 0: none did.
  int signal() const noexcept;
  bool interrupted() const noexcept { return signal() != 0; }
  /// The exit code for that: 130 for Ctrl-C.
  int exit_code() const noexcept;
  /// Waits for so long, or until a signal came; has one come?
  bool wait_for(std::chrono::milliseconds time) const noexcept;
};

}  // namespace tool
