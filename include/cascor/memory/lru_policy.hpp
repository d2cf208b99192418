// Least recently used: one list, newest first; a hit moves its entry to the front, the victim is at the back.
#pragma once

#include <cstddef>

#include "cascor/memory/entry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// An intrusive list of entries. Guarded by the shard's lock; O(1) each; never throws.
class EntryList {
 public:
  void push_newest(PolicyNode& node) noexcept {
    node.newer = nullptr;
    node.older = newest_;
    (newest_ != nullptr ? newest_->newer : oldest_) = &node;
    newest_ = &node;
    charge_ += node.charge;
    ++size_;
  }
  void remove(PolicyNode& node) noexcept {
    (node.newer != nullptr ? node.newer->older : newest_) = node.older;
    (node.older != nullptr ? node.older->newer : oldest_) = node.newer;
    charge_ -= node.charge;
    --size_;
  }
  PolicyNode* newest() const noexcept { return newest_; }
  PolicyNode* oldest() const noexcept { return oldest_; }
  std::size_t charge() const noexcept { return charge_; }
  std::size_t size() const noexcept { return size_; }

 private:
  PolicyNode* newest_ = nullptr;
  PolicyNode* oldest_ = nullptr;
  std::size_t charge_ = 0;
  std::size_t size_ = 0;
};

/// The contract of a policy: inserted, hit and removed tell it what happens; victim() names the entry to evict, null
/// where there is none, which the shard then removes with evicted = true. replaced() puts a new entry into an old one's
/// place, and counts as a hit. clear() forgets everything. Guarded by the shard's lock; nothing throws.
class LruPolicy {
 public:
  void inserted(PolicyNode& node) noexcept { list_.push_newest(node); }
  void hit(PolicyNode& node) noexcept {
    if (list_.newest() == &node) return;
    list_.remove(node);
    list_.push_newest(node);
  }
  void replaced(PolicyNode& old, PolicyNode& by) noexcept {
    list_.remove(old);
    list_.push_newest(by);
  }
  void removed(PolicyNode& node, bool /*evicted*/) noexcept { list_.remove(node); }
  PolicyNode* victim() noexcept { return list_.oldest(); }
  void clear() noexcept { list_ = {}; }

  /// Bytes it needs for an entry beside what is in the entry.
  static constexpr std::size_t bytes_per_entry = 0;

 private:
  EntryList list_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
