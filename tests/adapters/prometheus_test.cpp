// cascor/prometheus.hpp: what a cache counts comes out as Prometheus reads it.
#include <prometheus/text_serializer.h>

#include <cascor/cache.hpp>
#include <cascor/prometheus.hpp>
#include <catch2/catch.hpp>
#include <string>

using Catch::Contains;

namespace {

std::string scraped(cascor::CacheManager& cache) {
  return prometheus::TextSerializer{}.Serialize(cascor::PrometheusCollectable{cache}.Collect());
}

}  // namespace

TEST_CASE("a scrape tells what the cache has counted, by prefix, result and tier", "[prometheus]") {
  cascor::CacheManager cache{cascor::CacheConfig{.type = cascor::CacheType::memory}};
  cache.cache_metrics("epoch_5", {{"loss", 0.25}});
  CHECK(cache.get_cached_metrics("epoch_5"));
  CHECK(cache.get_cached_metrics("epoch_5"));
  CHECK_FALSE(cache.get_cached_topology());

  const std::string text = scraped(cache);
  CHECK_THAT(text, Contains("# TYPE cascor_cache_reads_total counter\n"));
  CHECK_THAT(text, Contains("cascor_cache_reads_total{prefix=\"metrics\",result=\"hit\",tier=\"memory\"} 2\n"));
  CHECK_THAT(text, Contains("cascor_cache_reads_total{prefix=\"topology\",result=\"miss\",tier=\"none\"} 1\n"));
  CHECK_THAT(text, Contains("cascor_cache_sets_total{prefix=\"metrics\"} 1\n"));
  CHECK_THAT(text, Contains("cascor_cache_entries{prefix=\"metrics\"} 1\n"));
  CHECK_THAT(text, Contains("# TYPE cascor_cache_entries gauge\n"));
  CHECK_THAT(text, Contains("cascor_cache_latency_seconds{call=\"set\",quantile=\"0.99\"}"));
  CHECK_THAT(text, Contains("cascor_cache_up{backend=\"memory\"} 1\n"));
  CHECK_THAT(text, Contains("cascor_cache_fallback{backend=\"memory\"} 0\n"));
}

TEST_CASE("a Redis that is away shows as down, and as a fallback", "[prometheus]") {
  cascor::CacheConfig config;
  config.redis_url = "redis://127.0.0.1:1/0";
  config.log_sink = [](cascor::LogLevel, std::string_view) {};
  cascor::CacheManager cache{config};
  cache.cache_metrics("epoch_5", {{"loss", 0.25}});

  const std::string text = scraped(cache);
  CHECK_THAT(text, Contains("cascor_cache_up{backend=\"redis\"} 0\n"));
  CHECK_THAT(text, Contains("cascor_cache_fallback{backend=\"redis\"} 1\n"));
  CHECK_THAT(text, Contains("cascor_cache_pending_writes 1\n"));
}
