#pragma once

#include <algorithm>
#include <iterator>
#include <utility>

#include "cascor/cache/pending_changes.hpp"
#include "cascor/core/glob.hpp"
#include "cascor/core/weight.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

template <class CascorWhenUsed>
std::size_t PendingChanges<CascorWhenUsed>::bytes_of(const Write& write) noexcept {
  return heap_block(sizeof write + 2 * sizeof(void*)) + heap_block(write.key.capacity() + 1) +
         heap_block(sizeof(std::string) + 2 * sizeof(void*)) + heap_block(write.bytes->capacity() + 1);
}

// A node of an unordered container, with its bucket.
template <class CascorWhenUsed>
std::size_t PendingChanges<CascorWhenUsed>::bytes_of(std::string_view key) noexcept {
  return heap_block(sizeof(std::string) + sizeof(Increment) + 2 * sizeof(void*)) + heap_block(key.size() + 1) +
         sizeof(void*);
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::forget(Place write) {
  bytes_ -= bytes_of(*write);
  by_key_.erase(write->key);
  writes_.erase(write);
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::forget_increment(std::string_view key) {
  if (increments_.erase(std::string{key}) != 0) bytes_ -= bytes_of(key);
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::write(std::string_view key, std::shared_ptr<const std::string> bytes,
                                           TimePoint expires, OnlyIf only_if, std::shared_ptr<const ValueTags> tags) {
  bool over_removal = false;
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    only_if = in_place_of(found->second->only_if, only_if);
    over_removal = found->second->over_removal;
    forget(found->second);
  }
  forget_increment(key);
  writes_.push_back({std::string{key}, std::move(bytes), expires, only_if, std::move(tags), over_removal});
  const auto added = std::prev(writes_.end());
  by_key_.emplace(added->key, added);
  if (erased_.erase(added->key) != 0) {
    erased_bytes_ -= bytes_of(key);
    added->only_if = OnlyIf::always;  // the condition was met by the removal, which this write takes the place of
    added->over_removal = true;
  }
  bytes_ += bytes_of(*added);
  if (bytes_of(*added) > max_bytes_) drop(added);  // alone: the others fit
  keep_within_bounds();
}

// One condition for two writes, the newer of which memory took behind the older: what both in turn come to in Redis.
template <class CascorWhenUsed>
OnlyIf PendingChanges<CascorWhenUsed>::in_place_of(OnlyIf older, OnlyIf newer) noexcept {
  // Behind any write but one that itself wanted an entry, there is one.
  return newer == OnlyIf::present && older != OnlyIf::present ? OnlyIf::always : newer;
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::rewrite(std::string_view key, std::shared_ptr<const std::string> bytes,
                                             TimePoint expires) {
  const OnlyIf only_if = by_key_.at(key)->only_if;
  write(key, std::move(bytes), expires, OnlyIf::always, by_key_.at(key)->tags);
  if (const auto found = by_key_.find(key); found != by_key_.end()) found->second->only_if = only_if;
}

// Without the write Redis would go on with the value before it: that one has to go.
template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::drop(Place write) {
  std::string key = write->key;
  forget(write);
  remove_key(std::move(key));
  ++dropped_;
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::keep_within_bounds() {
  while (bytes_ + erased_bytes_ > max_bytes_) {
    if (!erased_.empty() && (erased_bytes_ > max_bytes_ / 4 || bytes_ == 0)) {
      widen_largest_group();
    } else if (!writes_.empty()) {
      drop(writes_.begin());
    } else {
      forget_increment(std::string{increments_.begin()->first});
      ++dropped_;
    }
  }
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::widen_largest_group() {
  std::unordered_map<String, std::size_t> groups;
  for (const std::string& key : erased_) ++groups[wider_(context_, key)];
  const auto largest =
      std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  widened_ += largest->second;
  remove_pattern(largest->first);
  for (auto key = erased_.begin(); key != erased_.end();) {
    if (!glob_match(largest->first, *key)) {
      ++key;
      continue;
    }
    erased_bytes_ -= bytes_of(*key);
    key = erased_.erase(key);
  }
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::remove_key(std::string key) {
  if (removes_everything()) return;
  const std::size_t bytes = bytes_of(key);
  if (erased_.insert(std::move(key)).second) erased_bytes_ += bytes;
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::remove_pattern(std::string pattern) {
  if (removes_everything() || std::find(patterns_.begin(), patterns_.end(), pattern) != patterns_.end()) return;
  patterns_.push_back(std::move(pattern));
  if (patterns_.back() != everything_ && patterns_.size() <= max_patterns) return;
  if (patterns_.back() != everything_) widened_ += patterns_.size();
  patterns_.assign(1, everything_);
  tags_.clear();
  erased_bytes_ = 0;
  erased_.clear();
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::erase(std::string_view key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) forget(found->second);
  forget_increment(key);
  remove_key(std::string{key});
  keep_within_bounds();
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::invalidate(std::string pattern) {
  for (auto write = writes_.begin(); write != writes_.end();) {
    const auto next = std::next(write);
    if (glob_match(pattern, write->key)) forget(write);
    write = next;
  }
  for (auto one = increments_.begin(); one != increments_.end();) {
    if (!glob_match(pattern, one->first)) {
      ++one;
      continue;
    }
    bytes_ -= bytes_of(one->first);
    one = increments_.erase(one);
  }
  remove_pattern(std::move(pattern));
}

template <class CascorWhenUsed>
bool PendingChanges<CascorWhenUsed>::has_tag(const Write& write, const std::string& tag) {
  return write.tags && std::find(write.tags->names.begin(), write.tags->names.end(), tag) != write.tags->names.end();
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::remove_tag(std::string tag) {
  if (removes_everything() || std::find(tags_.begin(), tags_.end(), tag) != tags_.end()) return;
  tags_.push_back(std::move(tag));
  if (tags_.size() <= max_patterns) return;
  widened_ += tags_.size();
  tags_.clear();
  remove_pattern(everything_);
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::invalidate_tag(const std::string& tag) {
  for (auto write = writes_.begin(); write != writes_.end();) {
    const auto next = std::next(write);
    if (has_tag(*write, tag)) {  // what Redis has under its key may have another tag, or none
      std::string key = write->key;
      forget(write);
      remove_key(std::move(key));
    }
    write = next;
  }
  remove_tag(tag);
  keep_within_bounds();
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::increment(std::string_view key, std::int64_t by, TimePoint expires) {
  const auto [one, added] = increments_.try_emplace(std::string{key});
  if (added) bytes_ += bytes_of(key);
  one->second.expires = expires;
  // Two sums that each were one of 64 bits may add up to none: then Redis refuses it, as it would have.
  if (__builtin_add_overflow(one->second.by, by, &one->second.by)) one->second.by = by;
  keep_within_bounds();
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::touch(std::string_view key, TimePoint expires) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) found->second->expires = expires;
  if (const auto found = increments_.find(std::string{key}); found != increments_.end()) {
    found->second.expires = expires;
  }
}

template <class CascorWhenUsed>
auto PendingChanges<CascorWhenUsed>::take() -> Changes {
  by_key_.clear();
  bytes_ = 0;
  erased_bytes_ = 0;
  return {std::exchange(patterns_, {}), std::exchange(erased_, {}), std::exchange(writes_, {}),
          std::exchange(increments_, {}), std::exchange(tags_, {})};
}

template <class CascorWhenUsed>
void PendingChanges<CascorWhenUsed>::put_back(Changes changes) {
  const auto gone_since = [this](const std::string& key) {
    return by_key_.contains(key) || erased_.contains(key) ||
           std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const auto& pattern) { return glob_match(pattern, key); });
  };
  for (auto& [key, old] : changes.increments) {
    if (gone_since(key)) continue;
    const auto newer = increments_.find(key);
    increment(key, old.by, newer == increments_.end() ? old.expires : newer->second.expires);
  }
  // From the newest of the old ones to the oldest, each to the front: their order is kept.
  for (auto old = changes.writes.rbegin(); old != changes.writes.rend(); ++old) {
    if (const auto newer = by_key_.find(old->key); newer != by_key_.end()) {
      newer->second->only_if = in_place_of(old->only_if, newer->second->only_if);
      newer->second->over_removal = newer->second->over_removal || old->over_removal;
    }
    if (gone_since(old->key)) continue;
    if (std::any_of(tags_.begin(), tags_.end(), [&](const auto& tag) { return has_tag(*old, tag); })) {
      remove_key(old->key);
      continue;
    }
    writes_.push_front(std::move(*old));
    by_key_.emplace(writes_.front().key, writes_.begin());
    bytes_ += bytes_of(writes_.front());
  }
  for (const std::string& key : changes.erased) {
    if (const auto newer = by_key_.find(key); newer != by_key_.end()) {
      newer->second->only_if = OnlyIf::always;  // its condition was met by the removal
      newer->second->over_removal = true;
    } else {
      remove_key(key);
    }
  }
  for (std::string& tag : changes.tags) remove_tag(std::move(tag));
  for (std::string& pattern : changes.patterns) remove_pattern(std::move(pattern));
  keep_within_bounds();
}

#if defined(CASCOR_CACHE_COMPILED)
template class PendingChanges<>;
#endif

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
