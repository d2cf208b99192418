// What the processors do meanwhile: one for server and client together, or all kept from falling asleep.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

namespace bench {

/// Puts this thread, and every thread and process that it starts from now on, on one processor: a round trip is then
/// the two programs' work and a switch between them, not the waking of a processor that sleeps.
inline void stay_on_one_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  if (::sched_setaffinity(0, sizeof one, &one) != 0) std::perror("sched_setaffinity");
}

/// While it lives, a thread of the lowest priority spins on each processor, so that none has to be woken.
class KeptAwake {
 public:
  KeptAwake() {
    for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) {
      spinners_.emplace_back([this, cpu] { spin_on(cpu); });
    }
  }
  KeptAwake(const KeptAwake&) = delete;
  KeptAwake& operator=(const KeptAwake&) = delete;
  ~KeptAwake() {
    stopping_ = true;
    for (std::thread& spinner : spinners_) spinner.join();
  }

 private:
  void spin_on(unsigned cpu) const {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    const sched_param none{};
    if (::sched_setaffinity(0, sizeof one, &one) != 0 || ::sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
      std::perror("no idle-priority spinner");
      return;
    }
    while (!stopping_.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 1000; ++i) asm volatile("" ::: "memory");
    }
  }

  std::atomic<bool> stopping_{false};
  std::vector<std::thread> spinners_;
};

}  // namespace bench
