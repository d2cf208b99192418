#pragma once

#include <array>
#include <chrono>
#include <ctime>

#include "cascor/cache/report.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

CASCOR_CACHE_DEF std::string iso8601(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(whole).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const std::string thousandths = std::to_string(1000 + (whole.count() % 1000 + 1000) % 1000);
  return std::string{text.data(), size} + '.' + thousandths.substr(1) + 'Z';
}

CASCOR_CACHE_FN json counted(const PrefixStats& stats) {
  return {{"hits", stats.hits},
          {"misses", stats.misses},
          {"stale", stats.stale},
          {"errors", stats.errors},
          {"hit_rate", stats.hit_rate},
          {"sets", stats.sets},
          {"evictions", stats.evictions},
          {"expirations", stats.expirations},
          {"entries", stats.entries},
          {"bytes", stats.bytes},
          {"get", stats.get},
          {"set", stats.set}};
}

}  // namespace detail

CASCOR_CACHE_DEF void to_json(json& out, const HealthDetails& details) {
  out = {{"backend", details.backend},
         {"host", details.host},
         {"port", detail::or_null(details.port)},
         {"version", detail::or_null(details.version)},
         {"uptime_seconds", detail::or_null(details.uptime_seconds)},
         {"connected_clients", detail::or_null(details.connected_clients)},
         {"used_memory_human", detail::or_null(details.used_memory_human)},
         {"last_ping_ms", detail::or_null(details.last_ping_ms)},
         {"last_error", detail::or_null(details.last_error)},
         {"info_error", detail::or_null(details.info_error)},
         {"connection_attempts", details.connection_attempts},
         {"pending_writes", details.pending_writes},
         {"pool",
          {{"size", details.pool.size},
           {"in_use", details.pool.in_use},
           {"waiting", details.pool.waiting},
           {"max", details.pool.max}}}};
}

CASCOR_CACHE_DEF void to_json(json& out, const Health& health) {
  out = {{"status", to_string(health.status)},
         {"mode", to_string(health.mode)},
         {"message", health.message},
         {"timestamp", health.timestamp},
         {"details", health.details}};
}

CASCOR_CACHE_DEF void to_json(json& out, const Latency& latency) {
  out = {{"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}, {"p999_us", latency.p999_us}};
}

CASCOR_CACHE_DEF void to_json(json& out, const PrefixStats& stats) { out = detail::counted(stats); }

CASCOR_CACHE_DEF void to_json(json& out, const Stats& stats) {
  out = detail::counted(stats);
  out["prefixes"] = stats.prefixes;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
