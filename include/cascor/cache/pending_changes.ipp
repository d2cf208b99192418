#pragma once

#include <algorithm>
#include <iterator>
#include <utility>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_INLINE std::size_t PendingChanges::bytes_of(const PendingWrite& write) noexcept {
  return heap_block(sizeof write + 2 * sizeof(void*)) + heap_block(write.key.capacity() + 1) +
         heap_block(sizeof(std::string) + 2 * sizeof(void*)) + heap_block(write.bytes->capacity() + 1);
}

CASCOR_CACHE_INLINE void PendingChanges::forget(Writes::iterator write) {
  bytes_ -= bytes_of(*write);
  by_key_.erase(write->key);
  writes_.erase(write);
}

CASCOR_CACHE_INLINE void PendingChanges::write(std::string_view key, std::shared_ptr<const std::string> bytes,
                                               TimePoint expires) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  writes_.push_back({std::string{key}, std::move(bytes), expires});
  const auto added = std::prev(writes_.end());
  by_key_.emplace(added->key, added);
  bytes_ += bytes_of(*added);
  keep_within_bounds();
}

CASCOR_CACHE_INLINE void PendingChanges::keep_within_bounds() {
  while (bytes_ > max_bytes_ && !writes_.empty()) {
    forget(writes_.begin());
    ++dropped_;
  }
}

CASCOR_CACHE_INLINE void PendingChanges::invalidate(std::string pattern) {
  for (auto write = writes_.begin(); write != writes_.end();) {
    const auto next = std::next(write);
    if (glob_match(pattern, write->key)) forget(write);
    write = next;
  }
  if (std::find(invalidations_.begin(), invalidations_.end(), pattern) != invalidations_.end()) return;
  invalidations_.push_back(std::move(pattern));
  if (invalidations_.size() > max_invalidations) invalidations_.assign(1, everything_);
}

CASCOR_CACHE_INLINE PendingChanges::Changes PendingChanges::take() {
  by_key_.clear();
  bytes_ = 0;
  return {std::exchange(invalidations_, {}), std::exchange(writes_, {})};
}

CASCOR_CACHE_INLINE void PendingChanges::put_back(Changes changes) {
  const std::vector<std::string> newer = std::exchange(invalidations_, std::move(changes.invalidations));
  // From the newest of the old ones to the oldest, each to the front: their order is kept.
  for (auto old = changes.writes.rbegin(); old != changes.writes.rend(); ++old) {
    const bool gone = by_key_.count(old->key) != 0 || std::any_of(newer.begin(), newer.end(), [&](const auto& pattern) {
                        return glob_match(pattern, old->key);
                      });
    if (gone) continue;
    writes_.push_front(std::move(*old));
    by_key_.emplace(writes_.front().key, writes_.begin());
    bytes_ += bytes_of(writes_.front());
  }
  keep_within_bounds();
  for (const std::string& pattern : newer) {
    if (std::find(invalidations_.begin(), invalidations_.end(), pattern) == invalidations_.end()) {
      invalidations_.push_back(pattern);
    }
  }
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
