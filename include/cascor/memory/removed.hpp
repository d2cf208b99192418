// Entries that have left a shard, on their way out of the lock.
#pragma once

#include <cstddef>

#include "cascor/memory/entry.hpp"
#include "cascor/memory/shard_lock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Entries that have left a shard, each with its reason. Destroying the list, which is for outside the lock, releases
/// them.
template <class Value>
class Removed {
 public:
  Removed() = default;
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
  ~Removed() {
    while (first_ != nullptr) {
      auto* const entry = static_cast<Entry<Value>*>(first_);
      first_ = first_->older();
      entry->hand_over(lock_->first_thread());
      Entry<Value>::release(entry);
    }
  }
  /// `freed`: bytes that now belong to nobody. They are not its whole charge where a successor or an allowance has it.
  void add(Entry<Value>& entry, Removal why, std::size_t freed, const ShardLock& lock) noexcept {
    entry.removal(why);
    entry.older(first_);
    first_ = &entry;
    freed_ += freed;
    lock_ = &lock;
  }
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t freed() const noexcept { return freed_; }
  template <class Visit>
  void each(Visit&& visit) const {
    for (PolicyNode* node = first_; node != nullptr; node = node->older()) {
      visit(static_cast<const Entry<Value>&>(*node));
    }
  }

 private:
  PolicyNode* first_ = nullptr;
  std::size_t freed_ = 0;
  const ShardLock* lock_ = nullptr;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
