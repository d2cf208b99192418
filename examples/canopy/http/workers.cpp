#include "http/workers.hpp"

#include <utility>

namespace canopy {

Workers::~Workers() {
  {
    const std::lock_guard lock{mutex_};
    ending_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void Workers::give(std::function<void()> work) {
  {
    const std::lock_guard lock{mutex_};
    waiting_.push_back(std::move(work));
    if (waiting_.size() > idle_ && threads_.size() < at_most_) threads_.emplace_back([this] { serve(); });
  }
  changed_.notify_one();
}

void Workers::serve() {
  std::unique_lock lock{mutex_};
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace canopy
