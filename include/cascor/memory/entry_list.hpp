// The list that policies are made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cascor/memory/policy_node.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// An intrusive list of entries. Guarded by the shard's lock; O(1) each; never throws.
class EntryList {
 public:
  void push_newest(PolicyNode& node) noexcept {
    node.newer(nullptr);
    node.older(newest_);
    if (newest_ != nullptr) {
      newest_->newer(&node);
    } else {
      oldest_ = &node;
    }
    newest_ = &node;
    charge_ += node.charge();
    ++size_;
  }
  void remove(PolicyNode& node) noexcept {
    PolicyNode* const newer = node.newer();
    PolicyNode* const older = node.older();
    if (&node == expected_) expected_ = newer;
    if (older == nullptr && ahead_ != 0) --ahead_;
    if (newer != nullptr) {
      newer->older(older);
    } else {
      newest_ = older;
    }
    if (older != nullptr) {
      older->newer(newer);
    } else {
      oldest_ = newer;
    }
    charge_ -= node.charge();
    --size_;
  }
  void make_newest(PolicyNode& node) noexcept {
    PolicyNode* const newer = node.newer();
    if (newer == nullptr) return;
    PolicyNode* const older = node.older();
    newer->older(older);
    if (older != nullptr) {
      older->newer(newer);
    } else {
      oldest_ = newer;
    }
    node.newer(nullptr);
    node.older(newest_);
    newest_->newer(&node);
    newest_ = &node;
  }
  /// Those of another list become the newest here, in their order; it is empty then.
  void take(EntryList& other) noexcept {
    if (other.newest_ == nullptr) return;
    other.oldest_->older(newest_);
    if (newest_ != nullptr) {
      newest_->newer(other.oldest_);
    } else {
      oldest_ = other.oldest_;
    }
    newest_ = other.newest_;
    charge_ += other.charge_;
    size_ += other.size_;
    other = {};
  }
  /// `by` takes the place of `old`.
  void replace(PolicyNode& old, PolicyNode& by) noexcept {
    PolicyNode* const newer = old.newer();
    PolicyNode* const older = old.older();
    if (&old == expected_) expected_ = &by;
    by.newer(newer);
    by.older(older);
    if (newer != nullptr) {
      newer->older(&by);
    } else {
      newest_ = &by;
    }
    if (older != nullptr) {
      older->newer(&by);
    } else {
      oldest_ = &by;
    }
    recharge(old.charge(), by.charge());
  }
  /// One of its entries has another charge now.
  void recharge(std::size_t before, std::size_t now) noexcept { charge_ = charge_ - before + now; }
  /// Has the third oldest brought near, if the call for the victim before has done so for the second: enough where the
  /// oldest is always the one that leaves.
  void expect_third_oldest() const noexcept {
    const PolicyNode* const second = oldest_ != nullptr ? oldest_->newer() : nullptr;
    if (second != nullptr) bring_near(second->newer());
  }
  /// Has those brought near that are the oldest but for a few: they were last looked at when they came in, and are far
  /// away when it is their turn to leave. Call it once for each entry that is evicted, of this list or another one: it
  /// goes one further on, as what comes after one is known only when that has arrived. Where that one is moved it
  /// begins anew.
  void expect_oldest() noexcept {
    if (expected_ == nullptr || ahead_ == 0) {
      expected_ = oldest_;
      ahead_ = 0;
    }
    for (const unsigned enough = ahead_ < 2 ? 2 : std::min(ahead_ + 1, most_ahead);
         ahead_ < enough && expected_ != nullptr; ++ahead_) {
      expected_ = expected_->newer();
      if (expected_ == nullptr) return;
      bring_near(expected_);
    }
  }
  PolicyNode* newest() const noexcept { return newest_; }
  PolicyNode* oldest() const noexcept { return oldest_; }
  std::size_t charge() const noexcept { return charge_; }
  std::size_t size() const noexcept { return size_; }

 private:
  static constexpr unsigned most_ahead = 16;

  // May be null: to ask whether it is would wait for it.
  static void bring_near(const PolicyNode* node) noexcept {
    __builtin_prefetch(node, 1);
    const std::uintptr_t next_line = reinterpret_cast<std::uintptr_t>(node) + 64;
    __builtin_prefetch(reinterpret_cast<const void*>(next_line));  // NOLINT(performance-no-int-to-ptr)
  }

  PolicyNode* newest_ = nullptr;
  PolicyNode* oldest_ = nullptr;
  std::size_t charge_ = 0;
  std::size_t size_ = 0;
  PolicyNode* expected_ = nullptr;
  unsigned ahead_ = 0;  // how far that is from the oldest, or was before some in between left
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
