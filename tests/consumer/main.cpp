// A program as an application would write it, of two translation units; built against the package in several ways.
#include <cascor/cache.hpp>

bool remembers(cascor::CacheManager& cache);

int main() {
  cascor::CacheConfig config;
  config.type = cascor::CacheType::memory;
  cascor::CacheManager cache{config};
  cache.cache_metrics("latest", {{"epoch", 5}});
  return remembers(cache) ? 0 : 1;
}
