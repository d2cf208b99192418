// What the near cache keeps of an entry: a value read from Redis, and until when it may be served as what.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cascor/core/clock.hpp"
#include "cascor/memory/stored_value.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// Its bytes are always here. Immutable: it is demoted by putting another one in its place.
struct NearValue {
  using KeptByGroup = void;  ///< for Entry

  StoredValue value;
  TimePoint fresh_until;                    ///< its end on the server, or that of the time that it is trusted here
  TimePoint expires;                        ///< its end on the server; TimePoint::max(): none
  TimePoint demoted_at = TimePoint::max();  ///< since when it is no hit any more
  std::uint64_t epoch = 0;                  ///< of the near cache, when its load began

  friend std::size_t weight_of(const NearValue& near) noexcept {
    return sizeof near - sizeof near.value + near.value.weight();
  }
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
