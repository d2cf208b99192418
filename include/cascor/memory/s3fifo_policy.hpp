// S3-FIFO, after Yang, Zhang, Qiu, Yue and Vinayak, "FIFO queues are all you need for cache eviction" (SOSP 2023):
// a small queue lets one-hit wonders leave early, a main queue gives second chances, a ghost remembers who left small.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cascor/memory/entry_list.hpp"
#include "cascor/memory/ghost_queue.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The contract is that of LruPolicy. A hit writes one byte at most and moves nothing. The small queue has a tenth of
/// the bytes, the ghost as many places as there are entries.
template <class CascorWhenUsed = void>
class S3FifoPolicy {
 public:
  static constexpr bool wants_order = false;

  void expect(std::uint64_t hash) const noexcept { ghost_.expect(hash); }
  void inserted(PolicyNode& node, std::uint64_t hash) noexcept {
    node.uses(0);
    node.in_main(ghost_.contains(hash));
    queue_of(node).push_newest(node);
  }
  void hit(PolicyNode& node) noexcept {
    if (node.uses() < PolicyNode::most_uses) node.uses(static_cast<std::uint8_t>(node.uses() + 1));
  }
  void replaced(PolicyNode& old, PolicyNode& by) noexcept {
    by.uses(old.uses());
    by.in_main(old.in_main());
    queue_of(old).replace(old, by);
  }
  void recharged(PolicyNode& node, std::size_t before) noexcept { queue_of(node).recharge(before, node.charge()); }
  void removed(PolicyNode& node, std::uint64_t hash, bool evicted) noexcept {
    queue_of(node).remove(node);
    if (!evicted || node.in_main()) return;
    try {
      ghost_.add(hash, main_.size() + small_.size());
    } catch (...) {  // no memory for the ghost: the entry is forgotten, which costs a hit at most
    }
  }
  PolicyNode* victim() noexcept {
    small_.expect_oldest();
    main_.expect_oldest();
    while (true) {
      const bool from_small =
          small_.size() > 0 && (main_.size() == 0 || small_.charge() > (small_.charge() + main_.charge()) / 10);
      EntryList& queue = from_small ? small_ : main_;
      PolicyNode* const oldest = queue.oldest();
      if (oldest == nullptr || oldest->uses() == 0) return oldest;
      queue.remove(*oldest);
      // From the small queue a read entry goes up with a clean slate, in the main one it pays for its next round.
      oldest->uses(from_small ? std::uint8_t{0} : static_cast<std::uint8_t>(oldest->uses() - 1));
      oldest->in_main(true);
      main_.push_newest(*oldest);
    }
  }
  /// The ghosts stay until this is destroyed.
  void give_all(EntryList& to) noexcept {
    to.take(main_);
    to.take(small_);
  }
  void swap(S3FifoPolicy& other) noexcept {
    std::swap(small_, other.small_);
    std::swap(main_, other.main_);
    ghost_.swap(other.ghost_);
  }
  const GhostQueue<CascorWhenUsed>& ghost() const noexcept { return ghost_; }

  static constexpr std::size_t bytes_per_entry = GhostQueue<CascorWhenUsed>::bytes_per_ghost;

 private:
  EntryList& queue_of(const PolicyNode& node) noexcept { return node.in_main() ? main_ : small_; }

  EntryList small_;
  EntryList main_;
  GhostQueue<CascorWhenUsed> ghost_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
