// Caches whose server comes and goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/eventually.hpp"
#include "support/redis_server.hpp"

namespace support {

/// A cache on Redis at `port` that finds out quickly when the server is back.
inline cascor::CacheConfig config_for_port(int port, const CapturedLog& log) {
  cascor::CacheConfig config;
  config.redis_url = "redis://127.0.0.1:" + std::to_string(port) + "/0";
  config.connection_pool.timeout = std::chrono::seconds{20};
  config.log_sink = log.sink();
  config.random = [] { return std::uint64_t{5}; };  // milliseconds between the attempts to come back
  return config;
}
inline cascor::CacheConfig config_for(const RedisServer& server, const CapturedLog& log) {
  return config_for_port(server.port(), log);
}

inline bool eventually_restored(const CapturedLog& log, std::size_t times = 1) {
  return eventually([&] { return log.count("INFO: Redis connection restored: ") == times; });
}
inline bool eventually_away(cascor::CacheManager& cache) {
  return eventually([&] { return cache.health().mode == cascor::HealthMode::fallback; });
}

/// The lines that tell of a change of state, in order: "away", "back".
inline std::vector<std::string> changes_in(const CapturedLog& log) {
  std::vector<std::string> changes;
  for (const auto& line : log.lines()) {
    if (line.starts_with("WARNING: Redis unavailable")) changes.emplace_back("away");
    if (line.starts_with("INFO: Redis connection restored")) changes.emplace_back("back");
  }
  return changes;
}

}  // namespace support
