// What tests that fork ask first.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

// Defined where the tests run under ThreadSanitizer, which does not follow a process of several threads into a fork.
#if defined(__SANITIZE_THREAD__)
#define FORKS_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FORKS_UNDER_TSAN 1
#endif
#endif

namespace support {

/// Runs `check` in a child; its verdict. A child that hangs is ended, and has failed.
template <class Check>
bool holds_in_child(Check&& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    bool good = false;
    try {
      good = check();
    } catch (...) {
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return false;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace support
