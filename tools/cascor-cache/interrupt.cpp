#include "interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "exit_codes.hpp"

namespace tool {
namespace {

// What the handler touches: lock-free atomics, and descriptors made before the first signal.
std::atomic<int> last_signal{0};
std::atomic<int> listeners{0};
std::atomic<const TerminalState*> terminal{nullptr};
std::atomic<unsigned> resumed{0};
int wake_read = -1;
int wake_write = -1;

void write_to(int fd, const char* text) noexcept { (void)!::write(fd, text, std::strlen(text)); }

// Ctrl-Z. It goes on behind SIGSTOP.
void stop(int /*signal*/) {
  const int saved = errno;
  const TerminalState* const state = terminal.load();
  if (state != nullptr) write_to(state->fd, state->put_back);
  ::kill(::getpid(), SIGSTOP);
  if (state != nullptr) write_to(state->fd, state->take_again);
  ++resumed;
  errno = saved;
}

void handle(int signal) {
  const int saved = errno;
  if (listeners.load() > 0 && last_signal.exchange(signal) == 0) {
    const char byte = 0;
    (void)!::write(wake_write, &byte, 1);
    errno = saved;
    return;
  }
  if (const TerminalState* const state = terminal.load()) write_to(state->fd, state->put_back);
  ::_exit(interrupted_by + signal);
}

}  // namespace

void catch_interrupts() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error{"no pipe could be made"};
  wake_read = ends[0];
  wake_write = ends[1];
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP}) {
    struct sigaction action {};
    // What the caller has had ignored, as nohup does, stays so.
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;
    action.sa_handler = signal == SIGTSTP ? stop : handle;
    ::sigaction(signal, &action, nullptr);
  }
}

void terminal_to_restore(const TerminalState* state) noexcept { terminal = state; }
unsigned times_resumed() noexcept { return resumed.load(); }

Interruptible::Interruptible() noexcept { ++listeners; }
Interruptible::~Interruptible() { --listeners; }

int Interruptible::signal() const noexcept { return last_signal.load(); }
int Interruptible::exit_code() const noexcept { return interrupted_by + signal(); }

bool Interruptible::wait_for(std::chrono::milliseconds time) const noexcept {
  // The byte stays in the pipe: once a signal has come, no wait lasts.
  pollfd wake{wake_read, POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (interrupted()) return true;
    if (left.count() <= 0) return false;
    ::poll(&wake, 1, static_cast<int>(left.count()));
  }
}

}  // namespace tool
