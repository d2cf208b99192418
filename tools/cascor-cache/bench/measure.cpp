#include "measure.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace tool::bench {

// The mutex guards the first exception.
double rate_of_threads(std::size_t threads, std::chrono::milliseconds time,
                       const std::function<void(std::size_t, std::size_t)>& call) {
  std::atomic<std::size_t> ready{0};
  std::atomic<bool> go{false};
  std::atomic<bool> stop{false};
  std::atomic<std::size_t> done{0};
  std::mutex mutex;
  std::exception_ptr failed;
  std::vector<std::thread> all;
  for (std::size_t thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      std::size_t mine = 0;
      try {
        call(thread, 0);  // what is done for the first time is not measured
        ++ready;
        go.wait(false);
        while (!stop.load(std::memory_order_relaxed)) call(thread, ++mine);
      } catch (...) {
        ++ready;
        const std::lock_guard lock{mutex};
        if (!failed) failed = std::current_exception();
      }
      done += mine;
    });
  }
  while (ready < threads) std::this_thread::yield();
  const auto began = Watch::now();
  go = true;
  go.notify_all();
  std::this_thread::sleep_for(time);
  stop = true;
  const double took = seconds_since(began);  // what ends after it is one call a thread at most
  for (auto& one : all) one.join();
  if (failed) std::rethrow_exception(failed);
  return static_cast<double>(done.load()) / took;
}

}  // namespace tool::bench
