// What the tests of the near cache share.
#pragma once

#include <string>

#include "cascor/cache.hpp"
#include "support/eventually.hpp"

namespace support {

/// Reads the key until the near cache answers.
inline bool eventually_near(cascor::CacheManager& cache, const std::string& key) {
  return eventually([&] { return cache.get(key).tier() == cascor::CacheTier::memory; });
}

}  // namespace support
