// The threads that answer requests. As many as are needed at once, up to a limit: one that waits for Redis keeps
// nobody else waiting.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace canopy {

/// The mutex guards all of it; work is done without it.
class Workers {
 public:
  explicit Workers(std::size_t at_most) : at_most_{at_most} {}
  /// Ends when all work that was given is done.
  ~Workers();
  void give(std::function<void()> work);

 private:
  void serve();

  const std::size_t at_most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace canopy
