// GET /metrics. A file of its own, as prometheus-cpp's headers are its alone.
#pragma once

#include <cascor/cache.hpp>
#include <cstddef>
#include <string>

namespace canopy {

/// What Prometheus reads: the cache's statistics and health, and how many viewers there are.
std::string prometheus_text(cascor::CacheManager& cache, std::size_t viewers);

}  // namespace canopy
