// How Redis is, in the two shapes that Canopy's Redis panel reads. Pure functions.
#pragma once

#include <cascor/cache.hpp>
#include <string_view>

#include "api/health_watch.hpp"

namespace canopy {

/// /api/v1/redis/status
cascor::json redis_status(const BackendState& state, const cascor::CacheConfig& config);
/// /api/v1/redis/metrics
cascor::json redis_metrics(const BackendState& state, const cascor::CacheConfig& config);

}  // namespace canopy
