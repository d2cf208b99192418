#pragma once

#include "cascor/core/ttl.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

CASCOR_CACHE_DEF milliseconds Ttl::resolve(milliseconds by_prefix, TimePoint now) const {
  const milliseconds ttl = state_ == State::by_prefix ? by_prefix : value_;
  if (state_ == State::negative || ttl.count() < 0) {
    throw DataError{"a negative TTL", "Give a TTL of zero or more; cascor::no_expiry (zero) means no expiry."};
  }
  if (state_ == State::too_long || ttl >= std::chrono::floor<milliseconds>(TimePoint::max() - now)) {
    throw DataError{"a TTL that ends past what the clock can tell",
                    "Give a shorter one, or cascor::no_expiry for an entry that does not expire."};
  }
  return ttl;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
