// The backends that one contract is shown on: memory, Redis over TCP, Redis over a Unix socket. Each makes
// configurations for caches of its own, and looks past the cache at what is stored.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "cascor/cache.hpp"
#include "support/captured_log.hpp"
#include "support/redis_server.hpp"

namespace support {

class OnMemory {
 public:
  static constexpr bool remote = false;
  static constexpr cascor::CacheTier tier = cascor::CacheTier::memory;

  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.type = cascor::CacheType::memory;
    config.clock = clock_;
    config.log_sink = log.sink();
    return config;
  }
  /// What is left of a key's time; nullopt: it does not expire. By the cache's own account, on a clock that stands
  /// still.
  template <class Cache>
  std::optional<cascor::milliseconds> ttl_of(Cache& cache, const std::string& full_key) const {
    return cache.get(full_key).ttl();
  }
  /// No time passes but by the test's hand: what is left is known to the millisecond.
  static constexpr std::chrono::milliseconds slack{0};

  CapturedLog log;

 private:
  std::shared_ptr<cascor::ManualClock> clock_ = std::make_shared<cascor::ManualClock>();
};

/// What is left of a key's time on the server; nullopt: it does not expire.
inline std::optional<cascor::milliseconds> time_left_of(RedisServer& server, const std::string& full_key) {
  const auto left = server.raw("PTTL", full_key).integer;
  if (left == -2) throw std::runtime_error{"no such key: " + full_key};
  return left == -1 ? std::nullopt : std::optional{cascor::milliseconds{left}};
}

template <RedisServer::Where where>
class OnRedis {
 public:
  static constexpr bool remote = true;
  static constexpr cascor::CacheTier tier = cascor::CacheTier::redis;

  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.redis_url = server.url();
    config.connection_pool.timeout = std::chrono::seconds{30};
    config.log_sink = log.sink();
    return config;
  }
  template <class Cache>
  std::optional<cascor::milliseconds> ttl_of(Cache& /*cache*/, const std::string& full_key) {
    return time_left_of(server, full_key);
  }
  static constexpr std::chrono::milliseconds slack{900};  // less than the shortest TTL of a prefix

  RedisServer server{{}, where};
  CapturedLog log;
};

using OnRedisTcp = OnRedis<RedisServer::Where::ipv4>;
using OnRedisUnix = OnRedis<RedisServer::Where::unix_socket>;

/// The process-wide log level, for as long as this lives.
class LogLevelIs {
 public:
  explicit LogLevelIs(cascor::LogLevel level) : before_{cascor::log_level()} { cascor::set_log_level(level); }
  LogLevelIs(const LogLevelIs&) = delete;
  LogLevelIs& operator=(const LogLevelIs&) = delete;
  ~LogLevelIs() { cascor::set_log_level(before_); }

 private:
  cascor::LogLevel before_;
};

}  // namespace support
