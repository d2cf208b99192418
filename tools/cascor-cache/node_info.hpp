// What each node of a cluster says of itself: INFO, asked of it directly, as a cluster's commands go to any of them.
#pragma once

#include <cascor/config/cache_config.hpp>
#include <cascor/config/redis_url.hpp>
#include <cascor/redis/options.hpp>
#include <string>

#include "server_info.hpp"

namespace tool {

/// Dials as the cache does: the same account, TLS and patience.
class NodeInfo {
 public:
  /// Of a checked configuration. Throws ConfigError for a file of `tls` that is not what it should be.
  explicit NodeInfo(const cascor::CacheConfig& config);
  /// `address`: "10.0.0.7:6379". Throws ConnectionError, TimeoutError, AuthenticationError or ResponseError.
  ServerInfo of(const std::string& address) const;

 private:
  cascor::redis::RedisOptions options_;
};

}  // namespace tool
