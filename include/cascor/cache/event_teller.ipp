#pragma once

#include <exception>
#include <utility>

#include "cascor/cache/event_teller.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::stop() noexcept {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    wake_.notify_one();
  }
  if (!thread_.joinable()) return;
  if (thread_.get_id() == std::this_thread::get_id()) {
    log_.error(destroyed_inside);
    std::terminate();
  }
  thread_.join();
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::post(std::string_view kind, std::string_view detail) noexcept {
  if (!wanted()) return;
  const std::lock_guard lock{mutex_};
  try {
    if (stopping_) return;
    if (waiting_.size() >= most_waiting) {
      ++untold_;
      return;
    }
    waiting_.push_back({std::string{kind}, std::string{detail}});
    if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
    wake_.notify_one();
  } catch (...) {  // no memory, or no thread: an event less
    ++untold_;
  }
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::run() {
  std::unique_lock lock{mutex_};
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const auto some = std::exchange(waiting_, {});
    const std::uint64_t untold = std::exchange(untold_, 0);
    lock.unlock();
    for (const CacheEvent& event : some) tell(event);
    if (untold > 0) tell({some.back().kind, std::to_string(untold) + " more, of which the particulars were not kept"});
    lock.lock();
  }
}

template <class CascorWhenUsed>
void EventTeller<CascorWhenUsed>::tell(const CacheEvent& event) const {
  try {
    on_event_(event);
  } catch (...) {
    log_.error("CacheConfig::on_event threw; the cache goes on");
  }
}

#if defined(CASCOR_CACHE_COMPILED)
template class EventTeller<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
