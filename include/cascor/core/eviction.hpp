// Which entry goes when the memory tier is full: a choice that the configuration names and the memory tier carries out.
#pragma once

#include <string_view>

#include "cascor/version.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// Which entry goes when the memory tier is full.
enum class Eviction {
  lru,    ///< The least recently used one: exact within a shard, and small caches have one shard.
  s3fifo  ///< S3-FIFO: what was asked for once goes first, so a scan does not push out what is used; better hit ratios.
};

/// "lru", "s3fifo": the words of the configuration. O(1); never throws.
constexpr std::string_view to_string(Eviction eviction) noexcept {
  switch (eviction) {
    case Eviction::lru: return "lru";
    case Eviction::s3fifo: return "s3fifo";
  }
  return "unknown";
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
