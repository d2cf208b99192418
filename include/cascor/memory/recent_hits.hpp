// Hits that a policy has yet to be told of, in the order in which each thread made them. Readers add, inside of the
// shard; whoever holds its lock drains, and whoever closes it drains before anything is removed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "cascor/memory/policy_node.hpp"
#include "cascor/memory/thread_slots.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// A list of hits for each of sixteen threads; more threads share them, and may then overwrite one another's last hits.
/// An entry on a list has not been removed: its reader was inside when it added it, and closing waits for readers.
/// While a shard is only locked, a reader may add what drain() has just read past; it is told of twice or not at all.
template <class CascorWhenUsed = void>
class RecentHits {
 public:
  /// Without this nothing is kept.
  void set_up() { lists_ = std::make_unique<std::array<List, lists>>(); }

  /// By a reader inside of the shard. Should somebody drain?
  bool add(const ThreadSlots& thread, PolicyNode& node) noexcept {
    if (!lists_) return false;
    List& list = (*lists_)[thread.number % lists];
    const std::uint32_t count = list.count.load(std::memory_order_relaxed);
    if (count >= room) return true;
    list.nodes[count].store(&node, std::memory_order_relaxed);
    list.count.store(count + 1, std::memory_order_release);
    return count >= enough;
  }
  /// Tells of each hit once, a thread's in their order. `are_far`: are the entries beside those told of too many for
  /// the processor's caches?
  template <class Tell>
  void drain(const ThreadSlots* newest_thread, bool are_far, Tell&& tell) noexcept {
    if (!lists_) return;
    const std::size_t threads = newest_thread == nullptr ? 0 : newest_thread->number + 1;
    for (std::size_t i = 0; i < threads && i < lists; ++i) drain((*lists_)[i], are_far, tell);
  }
  /// The same of one thread's.
  template <class Tell>
  void drain_own(const ThreadSlots& thread, bool are_far, Tell&& tell) noexcept {
    drain((*lists_)[thread.number % lists], are_far, tell);
  }

 private:
  static constexpr std::size_t lists = 16;
  static constexpr std::uint32_t room = 31;
  static constexpr std::uint32_t enough = 23;  // the rest is for those made while somebody else has the lock
  struct alignas(64) List {
    std::atomic<std::uint32_t> count{0};
    std::array<std::atomic<PolicyNode*>, room> nodes{};
  };
  template <class Tell>
  static void drain(List& list, bool are_far, Tell& tell) noexcept {
    const std::uint32_t count = list.count.load(std::memory_order_acquire);
    if (count == 0) return;
    for (std::uint32_t n = 0; are_far && n < count; ++n) {
      const PolicyNode* const node = list.nodes[n].load(std::memory_order_relaxed);
      __builtin_prefetch(node->newer(), 1);
      __builtin_prefetch(node->older(), 1);
    }
    for (std::uint32_t n = 0; n < count; ++n) tell(*list.nodes[n].load(std::memory_order_relaxed));
    list.count.store(0, std::memory_order_relaxed);
  }
  std::unique_ptr<std::array<List, lists>> lists_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
