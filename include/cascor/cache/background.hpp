// A few threads for what nobody waits for.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What is to be done. It must not throw.
class BackgroundTask {
 public:
  BackgroundTask() = default;
  BackgroundTask(const BackgroundTask&) = delete;
  BackgroundTask& operator=(const BackgroundTask&) = delete;
  virtual ~BackgroundTask() = default;
  virtual void run() noexcept = 0;
};

/// Runs tasks in the order in which they come, on at most `threads` threads, each started when there is work for it.
/// One mutex guards the queue; no task runs, and none dies, under it. Safe from any thread.
template <class CascorWhenUsed = void>
class Background {
 public:
  using TaskPtr = std::unique_ptr<Dependent<BackgroundTask, CascorWhenUsed>>;

  Background(std::size_t threads, std::size_t most_waiting) noexcept
      : most_threads_{threads}, most_waiting_{most_waiting} {}
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background() { stop(); }

  /// Hands it over; false, and the task is still the caller's, where the queue is full, there is no thread, or it was
  /// stopped.
  bool post(TaskPtr& task);
  /// Ends: waits for what is running, drops what is not. Not from a task of its own.
  void stop() noexcept;

 private:
  void run() noexcept;

  const std::size_t most_threads_;
  const std::size_t most_waiting_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<TaskPtr> waiting_;
  std::vector<Dependent<std::thread, CascorWhenUsed>> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/background.ipp"
#endif
