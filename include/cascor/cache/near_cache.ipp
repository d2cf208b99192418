#pragma once

#include "cascor/cache/near_cache.hpp"
#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
NearCache<CascorWhenUsed>::NearCache(Options options)
    : options_{std::move(options)},
      covered_{covered_by(options_)},
      memory_{memory_options(options_),
              MemoryObserver<CascorWhenUsed>{std::make_shared<MemoryCounts<CascorWhenUsed>>(
                  options_.keys, options_.events != nullptr ? &options_.events->of_near() : nullptr)}} {}

// A key is under the longest prefix that it starts with, and that one is inside a tracked one or not.
template <class CascorWhenUsed>
unsigned NearCache<CascorWhenUsed>::covered_by(const Options& options) {
  unsigned covered = 0;
  for (std::size_t p = 0; p < prefix_count; ++p) {
    const std::string& text = options.keys->text(static_cast<Prefix>(p));
    for (const std::string& tracked : options.prefixes) {
      if (text.starts_with(tracked)) covered |= 1U << p;
    }
  }
  return covered;
}

template <class CascorWhenUsed>
MemoryCacheOptions NearCache<CascorWhenUsed>::memory_options(const Options& options) {
  Dependent<MemoryCacheOptions, CascorWhenUsed> wanted;
  wanted.max_bytes = options.max_bytes;
  wanted.eviction = options.eviction;
  wanted.clock = options.clock;
  wanted.give_back_pages = true;
  return wanted;
}

template <class CascorWhenUsed>
auto NearCache<CascorWhenUsed>::stale(std::string_view key, Now& now) -> Handle {
  const std::uint64_t epoch = epoch_.load(std::memory_order_acquire);
  Handle held = memory_.get(key, now);
  if (!held || held->epoch != epoch) return {};
  TimePoint end = std::min(held->fresh_until, held->demoted_at);
  if (!link_is_up()) {
    end = std::min(end, TimePoint{TimePoint::duration{down_since_.load(std::memory_order_relaxed)}});
  }
  return now() < later(end, options_.stale_for) ? held : Handle{};
}

template <class CascorWhenUsed>
auto NearCache<CascorWhenUsed>::finish(const Loading& loading, const std::shared_ptr<const std::string>& bytes,
                                       std::optional<milliseconds> ttl) -> Handle {
  const std::string& key = loading.load_.key();
  const bool may_keep =
      bytes && ttl && loading.epoch_ != 0 && loading.epoch_ == fresh_epoch_.load(std::memory_order_acquire);
  if (may_keep) {
    // Counted from before the question was sent, so that it ends here no later than there.
    const TimePoint expires = *ttl == no_expiry ? TimePoint::max() : later(loading.began_, *ttl);
    const TimePoint fresh_until = std::min(expires, loading.began_ + most_trusted);
    if (options_.clock->now() < fresh_until) {
      const TimePoint end = later(fresh_until, options_.stale_for);
      NearValue value{StoredValue{bytes}, fresh_until, expires, TimePoint::max(), loading.epoch_};
      if (memory_.publish(loading.load_, std::move(value), loading.began_, end)) {
        Now now{*options_.clock};
        Handle held = memory_.get(key, now);
        if (held && held->value.bytes() == bytes) return held;
        return {};
      }
      overtaken_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  // What another load has left there meanwhile may be older than what this one found.
  forget(key);
  return {};
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::outdate(FlushReason why) noexcept {
  {
    const std::lock_guard lock{mutex_};
    const std::uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
    epoch_.store(epoch, std::memory_order_release);
    if (link_is_up()) fresh_epoch_.store(epoch, std::memory_order_release);
  }
  flushes_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  if (options_.events != nullptr && memory_.size() > 0) options_.events->flushed(why);
  tell_any(why);
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::on_up() noexcept {
  flush(FlushReason::link_up);
  const std::lock_guard lock{mutex_};
  fresh_epoch_.store(epoch_.load(std::memory_order_relaxed), std::memory_order_release);
}

// A load of it is overtaken before what is there is looked at: it cannot put an old value there afterwards.
template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::on_key(std::string_view key) noexcept {
  invalidations_.fetch_add(1, std::memory_order_relaxed);
  memory_.overtake(key);
  bool demoted = false;
  try {
    demoted = options_.stale_for > milliseconds{0} && demote(key);
  } catch (...) {  // no memory for it
  }
  if (!demoted) forget(key);
  if (options_.changed != nullptr) options_.changed->ring();
  if (ChangeListener* const listener = options_.listener->load(std::memory_order_acquire)) listener->key_changed(key);
}

// False where it could not be. Another thread may put the same value there with more forms at the same time: then it is
// that one that is demoted.
template <class CascorWhenUsed>
bool NearCache<CascorWhenUsed>::demote(std::string_view key) {
  Now now{*options_.clock};
  while (true) {
    const Handle held = memory_.get(key, now);
    if (!held || held->demoted_at != TimePoint::max()) return true;
    NearValue demoted = *held;
    demoted.demoted_at = now();
    const bool fits = memory_.replace(key, held, std::move(demoted));
    if (fits) {
      demotions_.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    if (memory_.get(key, now) == held) return false;  // it has no room
  }
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::on_down(const CacheError& /*why*/) noexcept {
  const std::lock_guard lock{mutex_};
  if (!link_is_up()) return;
  down_since_.store(options_.clock->now().time_since_epoch().count(), std::memory_order_relaxed);
  fresh_epoch_.store(0, std::memory_order_release);
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::on_refused(const CacheError& why) noexcept {
  on_down(why);
  covered_.store(0, std::memory_order_relaxed);
  flush(FlushReason::refused);
  if (options_.on_refused) options_.on_refused(why);
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::tell_any(FlushReason why) const noexcept {
  if (ChangeListener* const listener = options_.listener->load(std::memory_order_acquire)) listener->any_changed(why);
}

template <class CascorWhenUsed>
void NearCache<CascorWhenUsed>::add_to(NearStats& stats) const {
  stats.entries = memory_.size();
  stats.bytes = memory_.bytes();
  stats.evictions = memory_.stats().evictions;
  stats.invalidations = invalidations_.load(std::memory_order_relaxed);
  stats.demotions = demotions_.load(std::memory_order_relaxed);
  stats.overtaken = overtaken_.load(std::memory_order_relaxed);
  const auto of = [this](FlushReason why) {
    return flushes_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  };
  stats.flushes = {of(FlushReason::link_up), of(FlushReason::server), of(FlushReason::returned),
                   of(FlushReason::command), of(FlushReason::refused)};
}

#if defined(CASCOR_CACHE_COMPILED)
template class NearCache<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
