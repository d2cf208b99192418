// The entries of a shard by group, so that invalidating one does not look at the others.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "cascor/memory/entry.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Which groups: one bit each.
using GroupSet = std::uint32_t;
inline constexpr std::size_t most_groups = 8;
inline constexpr GroupSet all_groups = (GroupSet{1} << most_groups) - 1;

/// A list of entries for each group. Guarded by the shard's lock; O(1) each; never throws. For values of a type that is
/// not grouped it does nothing.
template <class Value>
class Groups {
 public:
  using Node = Entry<Value>;

  void add(Node& node, std::size_t group) noexcept {
    if constexpr (Node::is_grouped) {
      auto& links = node.links();
      links = {nullptr, newest_[group], group};
      if (links.older != nullptr) links.older->links().newer = &node;
      newest_[group] = &node;
    }
  }
  void remove(Node& node) noexcept {
    if constexpr (Node::is_grouped) {
      auto& links = node.links();
      (links.newer != nullptr ? links.newer->links().older : newest_[links.group]) = links.older;
      if (links.older != nullptr) links.older->links().newer = links.newer;
    }
  }
  void clear() noexcept { newest_ = {}; }
  /// Visits every entry of these groups, which `visit` may remove.
  template <class Visit>
  void each(GroupSet groups, Visit&& visit) const {
    for (std::size_t group = 0; group < most_groups; ++group) {
      if ((groups >> group & 1U) == 0) continue;
      for (Node* node = newest_[group]; node != nullptr;) {
        Node* const next = node->links().older;
        visit(*node);
        node = next;
      }
    }
  }

 private:
  std::array<Node*, most_groups> newest_{};
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
