// A place where a thread stops until the test lets it go on.
#pragma once

#include <condition_variable>
#include <mutex>

namespace support {

/// Each pass() waits for open(); arrived() counts those that came. Safe from any thread.
class Gate {
 public:
  void pass() {
    std::unique_lock lock{mutex_};
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock{mutex_};
    open_ = true;
    changed_.notify_all();
  }
  void await_arrival(int count = 1) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this, count] { return arrived_ >= count; });
  }
  int arrived() const {
    const std::lock_guard lock{mutex_};
    return arrived_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
  bool open_ = false;
};

}  // namespace support
