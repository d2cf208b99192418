// S3-FIFO, after Yang, Zhang, Qiu, Yue and Vinayak, "FIFO queues are all you need for cache eviction" (SOSP 2023):
// a small queue lets one-hit wonders leave early, a main queue gives second chances, a ghost remembers who left small.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "cascor/memory/lru_policy.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The hashes of entries that left the small queue unread, oldest first, as many as the main queue has entries.
class GhostQueue {
 public:
  void add(std::size_t hash, std::size_t room) {
    ++counts_[hash];
    order_.push_back(hash);
    while (order_.size() > room) forget_oldest();
  }
  bool contains(std::size_t hash) const { return counts_.find(hash) != counts_.end(); }

 private:
  void forget_oldest() noexcept {
    const auto found = counts_.find(order_.front());
    if (--found->second == 0) counts_.erase(found);
    order_.pop_front();
  }
  std::deque<std::size_t> order_;
  std::unordered_map<std::size_t, std::uint32_t> counts_;
};

/// The contract is that of LruPolicy. A hit writes one byte and moves nothing.
class S3FifoPolicy {
 public:
  void inserted(PolicyNode& node) noexcept {
    node.frequency = 0;
    node.in_main = ghost_.contains(node.hash);
    (node.in_main ? main_ : small_).push_newest(node);
  }
  static void hit(PolicyNode& node) noexcept {
    if (node.frequency < 3) ++node.frequency;
  }
  void replaced(PolicyNode& old, PolicyNode& by) noexcept {
    by.frequency = old.frequency;
    by.in_main = old.in_main;
    hit(by);
    EntryList& list = old.in_main ? main_ : small_;
    list.remove(old);
    list.push_newest(by);
  }
  void removed(PolicyNode& node, bool evicted) noexcept {
    (node.in_main ? main_ : small_).remove(node);
    if (!evicted || node.in_main) return;
    try {
      ghost_.add(node.hash, main_.size() + small_.size());
    } catch (...) {  // no memory for the ghost: the entry is forgotten, which costs a hit at most
    }
  }
  PolicyNode* victim() noexcept {
    while (true) {
      const bool from_small =
          small_.size() > 0 && (main_.size() == 0 || small_.charge() * 10 > small_.charge() + main_.charge());
      PolicyNode* const oldest = from_small ? small_.oldest() : main_.oldest();
      if (oldest == nullptr || oldest->frequency == 0) return oldest;
      (from_small ? small_ : main_).remove(*oldest);
      // From the small queue a read entry goes up with a clean slate, in the main one it pays for its next round.
      oldest->frequency = from_small ? std::uint8_t{0} : static_cast<std::uint8_t>(oldest->frequency - 1);
      oldest->in_main = true;
      main_.push_newest(*oldest);
    }
  }

 private:
  EntryList small_;
  EntryList main_;
  GhostQueue ghost_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
