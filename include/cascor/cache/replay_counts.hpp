// What one return of Redis has made of what was kept for it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cascor/cache/seen_values.hpp"
#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What became of what was kept, in one return of Redis.
template <class CascorWhenUsed = void>
struct ReplayCounts {
  std::uint64_t writes = 0;                            ///< stored, and sums added to
  std::uint64_t invalidations = 0;                     ///< keys, patterns and tags removed
  std::uint64_t expired = 0;                           ///< writes and sums whose time was over
  std::vector<Dependent<Sight, CascorWhenUsed>> stay;  ///< of what somebody else had written
  std::uint64_t changed = 0;                           ///< not stored: somebody else had written meanwhile
  std::uint64_t unknown = 0;  ///< not stored, what was there removed: it is not known which is newer
  std::uint64_t refused = 0;  ///< by Redis, or by only_if
  std::string why;            ///< in the server's words, of the last refusal
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
