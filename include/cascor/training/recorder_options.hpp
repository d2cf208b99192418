// How a training run is recorded.
#pragma once

#include <cstddef>

#include "cascor/core/clock.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// How a run is recorded. All of it may be left out.
struct RecorderOptions {
  std::size_t max_pending = 10'000;  ///< records held in memory; past them a file takes what comes
  milliseconds publish_every{100};   ///< how often the newest epoch is published, and stored as the latest, at most
};

}  // namespace cascor::inline CASCOR_CACHE_ABI
