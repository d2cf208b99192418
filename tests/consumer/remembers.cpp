#include <cascor/cache.hpp>

bool remembers(cascor::CacheManager& cache);

bool remembers(cascor::CacheManager& cache) {
  const auto metrics = cache.get_cached_metrics("latest");
  return metrics && metrics->value("epoch", 0) == 5;
}
