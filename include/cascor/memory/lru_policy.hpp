// Least recently used: one list, newest first; a hit moves its entry to the front, the victim is at the back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cascor/memory/entry_list.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// The contract of a policy: inserted, hit and removed tell it what happens; victim() names the entry to evict, null
/// where there is none, which the shard then removes with evicted = true. replaced() puts a new entry into an old one's
/// place, recharged() says that one has another charge: neither is a hit by itself. A reader's hit comes through
/// PolicyNode::used(), and where `wants_order` also, a little later, through hit(). give_all() moves every entry to a
/// list. Guarded by the shard's lock; nothing throws.
class LruPolicy {
 public:
  static constexpr bool wants_order = true;

  void inserted(PolicyNode& node, std::uint64_t /*hash*/) noexcept { list_.push_newest(node); }
  void hit(PolicyNode& node) noexcept { list_.make_newest(node); }
  void replaced(PolicyNode& old, PolicyNode& by) noexcept { list_.replace(old, by); }
  void recharged(PolicyNode& node, std::size_t before) noexcept { list_.recharge(before, node.charge()); }
  void removed(PolicyNode& node, std::uint64_t /*hash*/, bool /*evicted*/) noexcept { list_.remove(node); }
  PolicyNode* victim() noexcept {
    list_.expect_third_oldest();
    return list_.oldest();
  }
  void give_all(EntryList& to) noexcept { to.take(list_); }

  /// Bytes it needs for an entry beside what is in the entry.
  static constexpr std::size_t bytes_per_entry = 0;

 private:
  EntryList list_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
