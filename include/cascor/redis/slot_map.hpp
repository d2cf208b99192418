// Which node of a cluster has which slots, as CLUSTER SLOTS tells it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cascor/core/reply.hpp"
#include "cascor/redis/options.hpp"
#include "cascor/redis/slots.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// Masters and the slots of each. A value; no I/O.
template <class CascorWhenUsed = void>
class SlotMap {
 public:
  using Masters = std::vector<cascor::detail::Dependent<Endpoint, CascorWhenUsed>>;
  static constexpr std::uint16_t nobody = 0xFFFF;

  SlotMap() { owners_.fill(nobody); }  // NOLINT(cppcoreguidelines-pro-type-member-init): filled
  /// From an answer to CLUSTER SLOTS of the node at `said_by`, whose own host an empty one stands for. Nothing where
  /// it is no such answer, or names no master.
  static std::optional<SlotMap> from(const Reply& reply, const Endpoint& said_by);

  const Masters& masters() const noexcept { return masters_; }
  /// The place of the slot's owner among masters(), or `nobody`.
  std::uint16_t owner(std::size_t slot) const noexcept { return owners_[slot]; }
  bool operator==(const SlotMap& other) const noexcept {
    return owners_ == other.owners_ && masters_.size() == other.masters_.size() &&
           std::equal(masters_.begin(), masters_.end(), other.masters_.begin(), same);
  }
  static bool same(const Endpoint& one, const Endpoint& other) noexcept {
    return one.port == other.port && one.host == other.host;
  }

 private:
  Masters masters_;
  std::array<std::uint16_t, slot_count> owners_;
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/redis/slot_map.ipp"
#endif
