#pragma once

#include <algorithm>
#include <iterator>

#include "cascor/cache/engine.hpp"
#include "cascor/core/errors.hpp"
#include "cascor/core/event.hpp"
#include "cascor/training/delivery.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
void Delivery<CascorWhenUsed>::start(const std::shared_ptr<Delivery>& self) {
  const std::lock_guard lock{mutex_};
  try {
    thread_ = std::thread{[self] { self->run(); }};
  } catch (...) {
    closing_.store(true, std::memory_order_release);
    done_ = true;
    throw;
  }
  ended_ = false;
}

template <class CascorWhenUsed>
void Delivery<CascorWhenUsed>::run() noexcept {
  runs_on_.store(std::this_thread::get_id(), std::memory_order_release);
  try {
    deliver();
  } catch (const std::exception& error) {
    log_.error(what_ + " ended: " + error.what());
  } catch (...) {
    log_.error(what_ + " ended");
  }
  closing_.store(true, std::memory_order_release);
  runs_on_.store({}, std::memory_order_release);
  const std::lock_guard lock{mutex_};
  done_ = true;
}

template <class CascorWhenUsed>
void Delivery<CascorWhenUsed>::threw(std::string_view what) noexcept {
  ++thrown_;
  if ((thrown_ & (thrown_ - 1)) != 0) return;
  try {
    std::string line = "a handler of " + what_ + " threw";
    if (thrown_ > 1) line += " for the " + std::to_string(thrown_) + "th time";
    log_.error(line.append("; delivery goes on: ").append(printable(what)));
  } catch (...) {  // no memory for the line
  }
}

template <class CascorWhenUsed>
void Delivery<CascorWhenUsed>::close() noexcept {
  closing_.store(true, std::memory_order_release);
  on_close();
  if (is_here()) return;  // joined by who closes it next: its engine, at the latest
  std::unique_lock lock{mutex_};
  if (!thread_.joinable()) {
    changed_.wait(lock, [this] { return ended_; });
    return;
  }
  std::thread joined = std::move(thread_);
  lock.unlock();
  joined.join();
  lock.lock();
  ended_ = true;
  changed_.notify_all();
}

template <class CascorWhenUsed>
bool Delivery<CascorWhenUsed>::has_ended() const {
  const std::lock_guard lock{mutex_};
  return done_;
}

template <class CascorWhenUsed>
void Deliveries<CascorWhenUsed>::start(const std::shared_ptr<Delivery<CascorWhenUsed>>& delivery) {
  std::vector<std::shared_ptr<Delivery<CascorWhenUsed>>> ended;
  {
    const std::lock_guard lock{mutex_};
    if (over_) {
      throw ConnectionError{"nothing is delivered any more: the cache is being shut down",
                            "Destroy the cache after the last call on it."};
    }
    const auto gone =
        std::stable_partition(all_.begin(), all_.end(), [](const auto& one) { return !one->has_ended(); });
    ended.assign(std::make_move_iterator(gone), std::make_move_iterator(all_.end()));
    all_.erase(gone, all_.end());
    all_.push_back(delivery);
  }
  for (const auto& one : ended) one->close();
  delivery->start(delivery);
}

template <class CascorWhenUsed>
void Deliveries<CascorWhenUsed>::end() noexcept {
  std::vector<std::shared_ptr<Delivery<CascorWhenUsed>>> all;
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
    all.swap(all_);
  }
  if (std::any_of(all.begin(), all.end(), [](const auto& one) { return one->is_here(); })) {
    engine_.log().error(destroyed_inside);
    std::terminate();
  }
  for (const auto& one : all) one->close();
}

#if defined(CASCOR_CACHE_COMPILED)
template class Delivery<>;
template class Deliveries<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
