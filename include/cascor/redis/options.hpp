// What the Redis engine is told: where the server is, who is asking, and how patient to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cascor/core/clock.hpp"
#include "cascor/core/log.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::redis {

/// A server's address: host and port, or the path of a Unix socket.
struct Endpoint {
  std::string host;
  std::uint16_t port = 6379;
  std::string path;  ///< set: a Unix socket, host and port unused
};

/// "localhost:6379", "[::1]:6379" or "/run/redis.sock": as messages and log lines show it.
inline std::string to_string(const Endpoint& endpoint) {
  if (!endpoint.path.empty()) return endpoint.path;
  const bool ipv6 = endpoint.host.find(':') != std::string::npos;
  return (ipv6 ? '[' + endpoint.host + ']' : endpoint.host) + ':' + std::to_string(endpoint.port);
}

/// How the circuit breaker stands: calls pass; they fail at once; one call is finding out.
enum class BreakerState : unsigned char { closed, open, half_open };

/// "closed", "open", "half-open".
constexpr std::string_view to_string(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed: return "closed";
    case BreakerState::open: return "open";
    case BreakerState::half_open: break;
  }
  return "half-open";
}

class SecureLayer;

struct RedisOptions {
  Endpoint endpoint;
  std::shared_ptr<const SecureLayer> secure;  ///< set: TLS is spoken there; see tls.hpp
  /// Where the server is now, asked at each dial in place of `endpoint`; throws ConnectionError where nobody knows.
  /// Empty: at `endpoint`.
  std::function<Endpoint(Deadline)> locate;
  bool must_be_master = false;  ///< a server that says by ROLE that it is none counts as away
  std::string username;
  /// Asked at each dial, so that credentials may rotate; empty: no password.
  std::function<std::string()> password;
  int database = 0;

  std::size_t max_connections = 50;
  /// How many of them short calls share; 0: one each for up to 8 callers at once, and 2 to 4 for more.
  std::size_t shared_connections = 0;
  milliseconds timeout{5000};           ///< of a call, and of each round trip of a call that takes many
  bool retry = true;                    ///< send again what is safe to send twice
  bool keepalive = true;                ///< TCP keepalive
  milliseconds check_after_idle{1000};  ///< an idle connection this old is looked at before it is used
  milliseconds max_idle{300'000};       ///< a connection unused for so long is closed, at the next call; 0: never
  milliseconds max_lifetime{
      3'600'000};  ///< a connection is closed at about this age, an eighth earlier at most; 0: never

  /// Told of each change of the circuit breaker, in order, and why: the last error, or that the server answered. Called
  /// on the thread that made the call, outside all locks; what it throws is swallowed.
  std::function<void(BreakerState, std::string_view reason)> on_breaker;

  /// Told of each error reply that says that the account may not. As on_breaker.
  std::function<void(std::string_view words)> on_no_right;

  std::shared_ptr<const Clock> clock = SystemClock::shared();
  std::function<std::uint64_t()> random;  ///< 64 random bits, for jitter; empty: std::random_device's seed
};

}  // namespace cascor::inline CASCOR_CACHE_ABI::redis
