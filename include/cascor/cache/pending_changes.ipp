#pragma once

#include <algorithm>
#include <iterator>
#include <utility>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

CASCOR_CACHE_DEF std::size_t PendingChanges::bytes_of(const PendingWrite& write) noexcept {
  return heap_block(sizeof write + 2 * sizeof(void*)) + heap_block(write.key.capacity() + 1) +
         heap_block(sizeof(std::string) + 2 * sizeof(void*)) + heap_block(write.bytes->capacity() + 1);
}

CASCOR_CACHE_DEF void PendingChanges::forget(Writes::iterator write) {
  bytes_ -= bytes_of(*write);
  by_key_.erase(write->key);
  writes_.erase(write);
}

CASCOR_CACHE_DEF void PendingChanges::write(std::string_view key, std::shared_ptr<const std::string> bytes,
                                            TimePoint expires) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  writes_.push_back({std::string{key}, std::move(bytes), expires});
  const auto added = std::prev(writes_.end());
  by_key_.emplace(added->key, added);
  erased_.erase(added->key);
  bytes_ += bytes_of(*added);
  if (bytes_of(*added) > max_bytes_) drop(added);  // alone: the others fit
  keep_within_bounds();
}

// Without the write Redis would go on with the value before it: that one has to go.
CASCOR_CACHE_DEF void PendingChanges::drop(Writes::iterator write) {
  std::string key = write->key;
  forget(write);
  remove_key(std::move(key));
  ++dropped_;
}

CASCOR_CACHE_DEF void PendingChanges::keep_within_bounds() {
  while (bytes_ > max_bytes_ && !writes_.empty()) drop(writes_.begin());
}

CASCOR_CACHE_DEF void PendingChanges::remove_key(std::string key) {
  if (removes_everything()) return;
  erased_.insert(std::move(key));
  if (erased_.size() > max_erased) remove_pattern(everything_);
}

CASCOR_CACHE_DEF void PendingChanges::remove_pattern(std::string pattern) {
  if (removes_everything() || std::find(patterns_.begin(), patterns_.end(), pattern) != patterns_.end()) return;
  patterns_.push_back(std::move(pattern));
  if (patterns_.back() != everything_ && patterns_.size() <= max_patterns) return;
  patterns_.assign(1, everything_);
  erased_.clear();
}

CASCOR_CACHE_DEF void PendingChanges::erase(std::string_view key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  remove_key(std::string{key});
}

CASCOR_CACHE_DEF void PendingChanges::invalidate(std::string pattern) {
  for (auto write = writes_.begin(); write != writes_.end();) {
    const auto next = std::next(write);
    if (glob_match(pattern, write->key)) forget(write);
    write = next;
  }
  remove_pattern(std::move(pattern));
}

CASCOR_CACHE_DEF PendingChanges::Changes PendingChanges::take() {
  by_key_.clear();
  bytes_ = 0;
  return {std::exchange(patterns_, {}), std::exchange(erased_, {}), std::exchange(writes_, {})};
}

CASCOR_CACHE_DEF void PendingChanges::put_back(Changes changes) {
  const auto gone_since = [this](const std::string& key) {
    return by_key_.contains(key) || erased_.contains(key) ||
           std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const auto& pattern) { return glob_match(pattern, key); });
  };
  // From the newest of the old ones to the oldest, each to the front: their order is kept.
  for (auto old = changes.writes.rbegin(); old != changes.writes.rend(); ++old) {
    if (gone_since(old->key)) continue;
    writes_.push_front(std::move(*old));
    by_key_.emplace(writes_.front().key, writes_.begin());
    bytes_ += bytes_of(writes_.front());
  }
  for (const std::string& key : changes.erased) {
    if (!by_key_.contains(key)) remove_key(key);
  }
  for (std::string& pattern : changes.patterns) remove_pattern(std::move(pattern));
  keep_within_bounds();
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
