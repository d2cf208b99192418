// A cache's statistics and health for Prometheus. Include it where you expose metrics; it is the only file here that
// knows prometheus-cpp (its core: link prometheus-cpp::core).
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cascor/cache/cache_manager.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// What a cache tells of itself, for prometheus-cpp: give it to an Exposer's or a Registry's RegisterCollectable, or
/// serialise what Collect() gives. Names begin with "cascor_cache_"; counts are since the cache was made. Refers to the
/// cache, which must outlive it. Safe from any thread.
template <class Cache = CacheManager>
class PrometheusCollectable final : public ::prometheus::Collectable {
 public:
  explicit PrometheusCollectable(Cache& cache) : cache_{cache} {}

  /// Asks health(), which asks the server: one or two round trips each time. Does not throw for a server's sake.
  std::vector<::prometheus::MetricFamily> Collect() const override {
    Families families;
    const auto stats = cache_.stats();
    add_reads(families, stats);
    add_memory(families, stats);
    add_latencies(families, stats);
    add_parts(families, stats);
    add_health(families, cache_.health());
    return std::move(families.all);
  }

 private:
  using Type = ::prometheus::MetricType;
  using Labels = std::vector<::prometheus::ClientMetric::Label>;

  struct Families {
    std::vector<::prometheus::MetricFamily> all{};

    ::prometheus::MetricFamily& begin(std::string_view name, std::string_view help, Type type) {
      all.push_back({std::string{"cascor_cache_"}.append(name), std::string{help}, type, {}});
      return all.back();
    }
    void counter(std::string_view name, std::string_view help, std::uint64_t value) {
      add(begin(name, help, Type::Counter), {}, static_cast<double>(value));
    }
    void gauge(std::string_view name, std::string_view help, double value) {
      add(begin(name, help, Type::Gauge), {}, value);
    }
  };

  static void add(::prometheus::MetricFamily& family, Labels labels, double value) {
    ::prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    (family.type == Type::Counter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(std::move(metric));
  }
  template <class Stats>
  static void by_prefix(Families& families, const Stats& stats, std::string_view name, std::string_view help, Type type,
                        std::uint64_t PrefixStats::*value) {
    auto& family = families.begin(name, help, type);
    for (const auto& [prefix, of_prefix] : stats.prefixes) {
      add(family, {{"prefix", prefix}}, static_cast<double>(of_prefix.*value));
    }
  }

  template <class Stats>
  static void add_reads(Families& families, const Stats& stats) {
    auto& reads =
        families.begin("reads_total", "Reads, by prefix, by what they gave and by who gave it", Type::Counter);
    for (const auto& [prefix, of_prefix] : stats.prefixes) {
      const auto count = [&reads, name = prefix](const char* result, const char* tier, std::uint64_t value) {
        add(reads, {{"prefix", name}, {"result", result}, {"tier", tier}}, static_cast<double>(value));
      };
      count("hit", "memory", of_prefix.memory_hits);
      count("hit", "redis", of_prefix.redis_hits);
      count("stale", "memory", of_prefix.stale);
      count("miss", "none", of_prefix.misses);
    }
    by_prefix(families, stats, "errors_total", "Calls that failed", Type::Counter, &PrefixStats::errors);
    by_prefix(families, stats, "sets_total", "Writes that were accepted", Type::Counter, &PrefixStats::sets);
  }
  template <class Stats>
  static void add_memory(Families& families, const Stats& stats) {
    by_prefix(families, stats, "evictions_total", "Entries that memory had no room for", Type::Counter,
              &PrefixStats::evictions);
    by_prefix(families, stats, "expirations_total", "Entries found expired in memory", Type::Counter,
              &PrefixStats::expirations);
    by_prefix(families, stats, "entries", "Entries in memory now", Type::Gauge, &PrefixStats::entries);
    by_prefix(families, stats, "bytes", "Bytes charged for the entries in memory", Type::Gauge, &PrefixStats::bytes);
    families.gauge("near_entries", "Entries in the near cache now", static_cast<double>(stats.near_cache.entries));
    families.gauge("near_bytes", "Bytes charged for them", static_cast<double>(stats.near_cache.bytes));
    families.counter("near_evictions_total", "Entries that the near cache had no room for", stats.near_cache.evictions);
    families.counter("near_invalidations_total", "Keys that the server said had changed",
                     stats.near_cache.invalidations);
  }
  template <class Stats>
  static void add_latencies(Families& families, const Stats& stats) {
    auto& family = families.begin("latency_seconds", "Time of a call, of one memory hit in 64 and of every other call",
                                  Type::Gauge);
    for (const auto& [call, latency] : {std::pair{"get", stats.get}, std::pair{"set", stats.set}}) {
      add(family, {{"call", call}, {"quantile", "0.5"}}, latency.p50_us / 1e6);
      add(family, {{"call", call}, {"quantile", "0.99"}}, latency.p99_us / 1e6);
      add(family, {{"call", call}, {"quantile", "0.999"}}, latency.p999_us / 1e6);
    }
  }
  template <class Stats>
  static void add_parts(Families& families, const Stats& stats) {
    families.counter("loads_total", "Computations of get_or_compute", stats.compute.loads);
    families.counter("load_failures_total", "Of these, those that threw", stats.compute.load_failures);
    families.counter("coalesced_total", "Calls that got what another call computed", stats.compute.coalesced);
    families.counter("redis_commands_total", "Commands sent to Redis", stats.redis.commands);
    families.counter("redis_retries_total", "Batches of them that were sent again", stats.redis.retries);
    families.counter("redis_reconnects_total", "Connections dialled after the first", stats.redis.reconnects);
    families.gauge("write_behind_pending", "Keys queued to be written now",
                   static_cast<double>(stats.write_behind.pending));
  }
  template <class Health>
  static void add_health(Families& families, const Health& health) {
    const Labels backend{{"backend", health.details.backend}};
    add(families.begin("up", "1 where the configured backend answers", Type::Gauge), backend,
        health.status == HealthStatus::up ? 1 : 0);
    add(families.begin("fallback", "1 where memory serves in Redis's place", Type::Gauge), backend,
        health.mode == HealthMode::fallback ? 1 : 0);
    families.gauge("pending_writes", "Writes that wait for Redis's return",
                   static_cast<double>(health.details.pending_writes));
    families.gauge("pool_connections", "Connections to Redis", static_cast<double>(health.details.pool.size));
    families.gauge("pool_in_use", "Of these, those in use now", static_cast<double>(health.details.pool.in_use));
    families.gauge("pool_waiting", "Calls that wait for one", static_cast<double>(health.details.pool.waiting));
  }

  Cache& cache_;
};

template <class Cache>
PrometheusCollectable(Cache&) -> PrometheusCollectable<Cache>;

}  // namespace cascor::inline CASCOR_CACHE_ABI
