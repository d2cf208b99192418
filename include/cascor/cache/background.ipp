#pragma once

#include <system_error>
#include <utility>

#include "cascor/cache/background.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
bool Background<CascorWhenUsed>::post(TaskPtr& task) {
  const std::lock_guard lock{mutex_};
  if (stopping_ || waiting_.size() >= most_waiting_) return false;
  if (waiting_.size() >= idle_ && threads_.size() < most_threads_) {
    try {
      threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {  // one more would have been quicker
      if (threads_.empty()) return false;
    }
  }
  waiting_.push_back(std::move(task));
  wake_.notify_one();
  return true;
}

template <class CascorWhenUsed>
void Background<CascorWhenUsed>::run() noexcept {
  std::unique_lock lock{mutex_};
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    TaskPtr task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task->run();
    task.reset();
    lock.lock();
  }
}

template <class CascorWhenUsed>
void Background<CascorWhenUsed>::stop() noexcept {
  std::deque<TaskPtr> dropped;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    dropped.swap(waiting_);
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class Background<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
