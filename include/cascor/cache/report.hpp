// What a cache tells of itself: health and statistics, as structs and as JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cascor/codec/json.hpp"
#include "cascor/core/clock.hpp"
#include "cascor/core/stats.hpp"

namespace cascor::inline CASCOR_CACHE_ABI {

/// `up`: the configured backend answers; `down`: it was reached and is not now; `unavailable`: it was never reached;
/// `disabled`: the cache is switched off.
enum class HealthStatus : unsigned char { up, down, disabled, unavailable };
/// Who serves: the configured backend, memory in its place, or nobody.
enum class HealthMode : unsigned char { live, fallback, disabled };

/// "UP", "DOWN", "DISABLED", "UNAVAILABLE".
constexpr std::string_view to_string(HealthStatus status) noexcept {
  switch (status) {
    case HealthStatus::up: return "UP";
    case HealthStatus::down: return "DOWN";
    case HealthStatus::disabled: return "DISABLED";
    case HealthStatus::unavailable: return "UNAVAILABLE";
  }
  return "UNKNOWN";
}
/// "LIVE", "FALLBACK", "DISABLED".
constexpr std::string_view to_string(HealthMode mode) noexcept {
  switch (mode) {
    case HealthMode::live: return "LIVE";
    case HealthMode::fallback: return "FALLBACK";
    case HealthMode::disabled: return "DISABLED";
  }
  return "UNKNOWN";
}

/// The particulars; what does not apply or is not known is absent, in JSON null.
template <class CascorWhenUsed = void>
struct BasicHealthDetails {
  template <class T>
  using Maybe = std::optional<detail::Dependent<T, CascorWhenUsed>>;

  std::string backend;  ///< "redis", "memory", "none"
  std::string host;     ///< of Redis; the path for a Unix socket
  Maybe<int> port;
  Maybe<std::string> version;
  Maybe<std::int64_t> uptime_seconds;
  Maybe<std::int64_t> connected_clients;
  Maybe<std::string> used_memory_human;
  Maybe<double> last_ping_ms;
  Maybe<std::string> last_error;
  Maybe<std::string> info_error;          ///< why the server told nothing of itself, where it answers PING
  std::uint64_t connection_attempts = 0;  ///< to bring Redis back, since it was lost
  std::uint64_t pending_writes = 0;       ///< that wait for its return
  std::uint64_t queued_writes = 0;        ///< that wait to be sent in the background
  PoolState pool;
  detail::Dependent<std::vector<NodeState>, CascorWhenUsed> nodes;  ///< with Sentinels or a cluster: every server
};
using HealthDetails = BasicHealthDetails<>;

template <class CascorWhenUsed = void>
struct BasicHealth {
  HealthStatus status = HealthStatus::disabled;
  HealthMode mode = HealthMode::disabled;
  std::string message;
  std::string timestamp;  ///< ISO 8601, UTC, to the millisecond
  BasicHealthDetails<CascorWhenUsed> details;
};
using Health = BasicHealth<>;

CASCOR_CACHE_FN void to_json(json& out, const BasicHealthDetails<CascorWhenUsed>& details);
CASCOR_CACHE_FN void to_json(json& out, const BasicHealth<CascorWhenUsed>& health);
CASCOR_CACHE_FN void to_json(json& out, const Latency& latency);
CASCOR_CACHE_FN void to_json(json& out, const PrefixStats& stats);
CASCOR_CACHE_FN void to_json(json& out, const BasicStats<CascorWhenUsed>& stats);

namespace detail {
/// "2026-11-22T21:13:19.042Z".
CASCOR_CACHE_FN std::string iso8601(WallTime time);
}  // namespace detail

}  // namespace cascor::inline CASCOR_CACHE_ABI

#if !defined(CASCOR_CACHE_COMPILED)
#include "cascor/cache/report.ipp"
#endif
