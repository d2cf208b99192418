// The list that policies are made of.
#pragma once

#include <cstddef>

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

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
