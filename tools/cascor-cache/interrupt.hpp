// Ctrl-C: ends the program at once with 130 and the terminal as it was, but where a command asks to be told instead.
#pragma once

#include <chrono>

namespace tool {

/// From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT end the program with 128 + their number, with the terminal put back.
/// Ctrl-Z stops it so too.
void catch_interrupts();

/// What is written to a terminal when a signal ends or stops the program, and when it goes on. The texts must stay.
struct TerminalState {
  int fd = -1;
  const char* put_back = nullptr;
  const char* take_again = nullptr;
};
/// Null: nothing. The state must stay until another one is given.
void terminal_to_restore(const TerminalState* state) noexcept;
/// How often the program was stopped and went on: what was on the screen is gone each time.
unsigned times_resumed() noexcept;

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
