// What a dashboard asks of a training: start, pause, resume, stop, reset. The training asks between two epochs.
#pragma once

#include <cascor/cache.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "interrupt.hpp"

namespace examples {

/// The mutex guards all of it. Safe from any thread.
class Commands {
 public:
  void obey(const cascor::Command& command) {
    const std::lock_guard lock{mutex_};
    if (command.name == "pause") paused_ = true;
    if (command.name == "stop") stop_ = true;
    if (command.name == "reset") reset_ = true;
    if (command.name == "start") start_ = !running_ || stop_;
    if (command.name != "pause") paused_ = false;
    changed_.notify_all();
  }
  bool paused() const {
    const std::lock_guard lock{mutex_};
    return paused_;
  }
  /// Waits while it is paused, for that long at most; is it still?
  bool wait_while_paused(std::chrono::milliseconds at_most) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, at_most, [this] { return !paused_; });
    return paused_ && !interrupted();
  }
  bool wants_end() const {
    const std::lock_guard lock{mutex_};
    return stop_ || reset_;
  }
  /// Is the training to begin again? Asked once for each reset.
  bool take_reset() {
    const std::lock_guard lock{mutex_};
    const bool reset = reset_ && !stop_ && !interrupted();
    reset_ = false;
    return reset;
  }
  /// Say it before the end shows: from now on a start is one of the next run.
  void run_ended() {
    const std::lock_guard lock{mutex_};
    running_ = paused_ = stop_ = false;
  }
  /// Waits, for that long at most, for a start or a reset of a training that has ended; is there to be one?
  bool wait_for_start(std::chrono::milliseconds at_most) {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, at_most, [this] { return start_ || reset_; });
    if (!start_ && !reset_) return false;
    paused_ = stop_ = start_ = reset_ = false;
    return running_ = true;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool running_ = true;
  bool paused_ = false;
  bool stop_ = false;
  bool start_ = false;
  bool reset_ = false;
};

}  // namespace examples
