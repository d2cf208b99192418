// The backend that a contract is shown on once more: Redis over TLS.
#pragma once

#include "support/backends.hpp"
#include "support/tls_server.hpp"

namespace support {

class OnRedisTls {
 public:
  static constexpr bool remote = true;
  static constexpr cascor::CacheTier tier = cascor::CacheTier::redis;
  static constexpr std::chrono::milliseconds slack = OnRedisTcp::slack;

  cascor::CacheConfig config() const {
    cascor::CacheConfig config;
    config.redis_url = tls_.url();
    config.tls.ca_file = tls_.authority().file;
    config.connection_pool.timeout = std::chrono::seconds{30};
    config.log_sink = log.sink();
    return config;
  }
  template <class Cache>
  std::optional<cascor::milliseconds> ttl_of(Cache& /*cache*/, const std::string& full_key) {
    return time_left_of(server, full_key);
  }

 private:
  TlsServer tls_;

 public:
  RedisServer& server = tls_.plain();
  CapturedLog log;
};

}  // namespace support
