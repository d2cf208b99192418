#pragma once

#include <poll.h>

#include "cascor/redis/stopper.hpp"
#include "cascor/redis/transport.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

template <class CascorWhenUsed>
void Stopper<CascorWhenUsed>::stop() noexcept {
  const std::lock_guard lock{mutex_};
  stopped_.store(true, std::memory_order_release);
  raise_event(event_);
  for (Transport* const transport : transports_) transport->interrupt();
  if (dialling_) dialling_->end();
}

template <class CascorWhenUsed>
void Stopper<CascorWhenUsed>::interrupt() noexcept {
  const std::lock_guard lock{mutex_};
  for (Transport* const transport : transports_) transport->interrupt();
  if (dialling_) dialling_->end();
  dialling_.reset();
}

template <class CascorWhenUsed>
auto Stopper<CascorWhenUsed>::dialling() -> std::shared_ptr<Dialling> {
  const std::lock_guard lock{mutex_};
  if (stopped()) raise();
  if (!dialling_) dialling_ = std::make_shared<Dialling>();
  return dialling_;
}

template <class CascorWhenUsed>
void Stopper<CascorWhenUsed>::pause(milliseconds time) const noexcept {
  static_cast<void>(wait_until_ready(-1, 0, Deadline{*SystemClock::shared(), time}, fd()));
}

template <class CascorWhenUsed>
ConnectionError Stopper<CascorWhenUsed>::error() {
  return ConnectionError{"Redis is not asked any more: the cache is being shut down",
                         "Destroy the cache after the last call on it."};
}

template <class CascorWhenUsed>
void Stopper<CascorWhenUsed>::add(Transport& transport) {
  const std::lock_guard lock{mutex_};
  if (stopped()) raise();
  transports_.push_back(&transport);
}

template <class CascorWhenUsed>
void Stopper<CascorWhenUsed>::remove(Transport& transport) noexcept {
  const std::lock_guard lock{mutex_};
  std::erase(transports_, &transport);
}

#if defined(CASCOR_CACHE_COMPILED)
template class Stopper<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
