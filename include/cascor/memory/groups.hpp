// The entries of a shard by group, so that a whole group is invalidated at once: its entries go onto a list of those
// whose memory is still to be given back, and are told from live ones by the group's generation.
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

/// Groups of keys that begin alike, as an observer knows them.
struct GroupsUnder {
  GroupSet whole = 0;  ///< every key of these begins so
  GroupSet part = 0;   ///< some may
  GroupSet kept = 0;   ///< some may, but a pattern does not reach them
};

/// How many entries of each group.
using GroupSizes = std::array<std::size_t, most_groups>;

/// Guarded by the shard's lock; O(1) each but for each(); never throws. For values of a type that is not grouped it
/// does nothing, and none of them is ever invalidated.
template <class Value>
class Groups {
 public:
  using Node = Entry<Value>;

  void add(Node& node, std::size_t group) noexcept {
    if constexpr (Node::is_grouped) {
      node.links() = {nullptr, nullptr, static_cast<std::uint32_t>(group), generations_[group]};
      lists_[group].push(node);
    }
  }
  void remove(Node& node) noexcept {
    if constexpr (Node::is_grouped) (is_valid(node) ? lists_[node.links().group] : invalid_).remove(node);
  }
  bool is_valid(const Node& node) const noexcept {
    if constexpr (Node::is_grouped) {
      const auto& links = node.links();
      return links.generation == generations_[links.group];
    } else {
      return true;
    }
  }
  /// From now on the entries of these groups are not valid. Adds how many they were to `sizes`; their sum.
  std::size_t invalidate(GroupSet groups, GroupSizes& sizes) noexcept {
    std::size_t sum = 0;
    for (std::size_t group = 0; group < most_groups; ++group) {
      if ((groups >> group & 1U) == 0) continue;
      sum += lists_[group].size;
      sizes[group] += lists_[group].size;
      invalid_.take(lists_[group]);
      ++generations_[group];
    }
    return sum;
  }
  std::size_t count_invalid() const noexcept { return invalid_.size; }
  /// One that is not valid; null where there is none.
  Node* first_invalid() const noexcept { return invalid_.newest; }
  /// Forgets all. Adds how many valid ones there were to `sizes`.
  void clear(GroupSizes& sizes) noexcept {
    for (std::size_t group = 0; group < most_groups; ++group) sizes[group] += lists_[group].size;
    lists_ = {};
    invalid_ = {};
  }
  /// Visits every valid entry of these groups, which `visit` may remove.
  template <class Visit>
  void each(GroupSet groups, Visit&& visit) const {
    for (std::size_t group = 0; group < most_groups; ++group) {
      if ((groups >> group & 1U) == 0) continue;
      for (Node* node = lists_[group].newest; node != nullptr;) {
        Node* const next = node->links().older;
        visit(*node);
        node = next;
      }
    }
  }

 private:
  struct List {
    Node* newest = nullptr;
    Node* oldest = nullptr;
    std::size_t size = 0;

    void push(Node& node) noexcept {
      node.links().older = newest;
      (newest != nullptr ? newest->links().newer : oldest) = &node;
      newest = &node;
      ++size;
    }
    void remove(Node& node) noexcept {
      const auto& links = node.links();
      (links.newer != nullptr ? links.newer->links().older : newest) = links.older;
      (links.older != nullptr ? links.older->links().newer : oldest) = links.newer;
      --size;
    }
    void take(List& other) noexcept {
      if (other.size == 0) return;
      other.oldest->links().older = newest;
      (newest != nullptr ? newest->links().newer : oldest) = other.oldest;
      newest = other.newest;
      size += other.size;
      other = {};
    }
  };

  std::array<List, most_groups> lists_{};
  std::array<std::uint32_t, most_groups> generations_{};
  List invalid_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
