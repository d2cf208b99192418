// How an engine and its server are: what health() answers.
#pragma once

#include <cstdint>
#include <memory>

#include "cascor/cache/engine_parts.hpp"
#include "cascor/cache/report.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// What an engine tells of itself: asks the server where Redis serves, has the next attempt to come back made at once
/// where it does not; and one of the servers for the others, where there are several. `queued_writes`: that wait to be
/// sent.
template <class CascorWhenUsed>
BasicHealth<CascorWhenUsed> health_of(EngineParts<CascorWhenUsed>& p, std::uint64_t queued_writes) {
  using Parts = EngineParts<CascorWhenUsed>;
  BasicHealth<CascorWhenUsed> health;
  health.timestamp = iso8601(p.clock->wall());
  if (!p.config.enabled) {
    health.details.backend = "none";
    health.message = "Cache disabled (backend.cache.enabled: false)";
    return health;
  }
  health.status = HealthStatus::up;
  health.mode = HealthMode::live;
  if (!p.is_remote()) {
    health.details.backend = "memory";
    health.message = "Memory cache in use";
    return health;
  }
  auto& details = health.details;
  details.backend = "redis";
  details.host = p.remote.host;
  if (p.remote.port != 0) details.port = p.remote.port;
  std::shared_ptr<const CacheError> error;
  if (const auto seen = p.fallback->now(); seen.serving == Parts::Serving::redis) {
    try {
      const auto info = p.remote.store->info(p.deadline(whenever));
      p.answered();
      details.last_ping_ms = info.ping_ms;
      health.message = "Redis connection healthy";
      if (info.info_error.empty()) {
        details.version = info.version;
        details.uptime_seconds = info.uptime_seconds;
        details.connected_clients = info.connected_clients;
        details.used_memory_human = info.used_memory_human;
      } else {
        details.info_error = info.info_error;
        health.message += " (limited info)";
      }
    } catch (const CacheError& failure) {
      error = failure.share();
      (void)p.note(failure, seen);
    }
  } else {
    p.fallback->nudge();
  }
  const auto state = p.fallback->state();
  details.connection_attempts = state.attempts;
  details.pending_writes = state.pending_writes;
  details.queued_writes = queued_writes;
  details.pool = p.remote.store->pool();
  details.nodes = p.remote.store->nodes(p.deadline(whenever));
  if (state.last_error) details.last_error = state.last_error->what();
  if (error) details.last_error = error->what();
  if (!state.live || error) {
    health.status = state.ever_reached ? HealthStatus::down : HealthStatus::unavailable;
    health.mode = state.live ? HealthMode::live : HealthMode::fallback;
    health.message = details.last_error.value_or("Redis is away");
  }
  return health;
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
