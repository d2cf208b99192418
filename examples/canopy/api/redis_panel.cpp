#include "api/redis_panel.hpp"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace canopy {

using cascor::HealthStatus;
using cascor::json;

namespace {

using Info = std::map<std::string, std::string, std::less<>>;

/// INFO's lines "name:value".
Info parse(std::string_view text) {
  Info info;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || line.front() == '#') continue;
    const auto end = line.find_last_not_of('\r');
    info.emplace(line.substr(0, colon), line.substr(colon + 1, end - colon));
  }
  return info;
}

template <class Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t count(const Info& info, std::string_view name) {
  const auto found = info.find(name);
  return found == info.end() ? 0 : number<std::int64_t>(found->second);
}

json text(const Info& info, std::string_view name) {
  const auto found = info.find(name);
  return found == info.end() ? json(nullptr) : json(found->second);
}

/// "keys=12,expires=3,avg_ttl=900"
json database(std::string_view values) {
  json counts{{"keys", 0}, {"expires", 0}, {"avg_ttl", 0}};
  for (auto& [name, into] : counts.items()) {
    const auto at = values.find(name + "=");
    if (at != std::string_view::npos) into = number<std::int64_t>(values.substr(at + name.size() + 1));
  }
  return counts;
}

double percent(std::int64_t part, std::int64_t rest) {
  if (part + rest == 0) return 0.0;
  return std::round(1'000.0 * static_cast<double>(part) / static_cast<double>(part + rest)) / 10.0;
}

json metrics_of(const Info& info) {
  const auto hits = count(info, "keyspace_hits");
  const auto misses = count(info, "keyspace_misses");
  const auto ratio = info.find("mem_fragmentation_ratio");
  json keyspace = json::object();
  for (auto at = info.lower_bound("db0"); at != info.end() && at->first.starts_with("db"); ++at) {
    keyspace[at->first] = database(at->second);
  }
  return {
      {"memory",
       {{"used_memory_bytes", count(info, "used_memory")},
        {"used_memory_human", text(info, "used_memory_human")},
        {"used_memory_peak_human", text(info, "used_memory_peak_human")},
        {"mem_fragmentation_ratio", ratio == info.end() ? 0.0 : number<double>(ratio->second)}}},
      {"stats",
       {{"total_connections_received", count(info, "total_connections_received")},
        {"total_commands_processed", count(info, "total_commands_processed")},
        {"instantaneous_ops_per_sec", count(info, "instantaneous_ops_per_sec")},
        {"keyspace_hits", hits},
        {"keyspace_misses", misses},
        {"hit_rate_percent", percent(hits, misses)}}},
      {"clients",
       {{"connected_clients", count(info, "connected_clients")}, {"blocked_clients", count(info, "blocked_clients")}}},
      {"keyspace", std::move(keyspace)}};
}

bool is_used(const cascor::CacheConfig& config) { return config.enabled && config.type == cascor::CacheType::redis; }

json common(const BackendState& state, const cascor::CacheConfig& config) {
  const auto& health = state.health;
  if (!is_used(config)) {
    return {{"status", "DISABLED"},
            {"mode", "DISABLED"},
            {"message", config.enabled ? "Redis is not used (backend.cache.type: memory)" : health.message},
            {"timestamp", health.timestamp}};
  }
  return {{"status", to_string(health.status)},
          {"mode", "LIVE"},
          {"message", health.message},
          {"timestamp", health.timestamp}};
}

json or_null(const auto& value) { return value ? json(*value) : json(nullptr); }

json details_of(const BackendState& state) {
  const auto& details = state.health.details;
  if (state.health.status == HealthStatus::up) {
    json shown{{"host", details.host},
               {"port", or_null(details.port)},
               {"version", or_null(details.version)},
               {"uptime_seconds", or_null(details.uptime_seconds)},
               {"connected_clients", or_null(details.connected_clients)},
               {"used_memory_human", or_null(details.used_memory_human)},
               {"last_ping_ms", or_null(details.last_ping_ms)},
               {"latency_ms", state.latency_ms}};
    if (details.info_error) shown["info_error"] = *details.info_error;
    return shown;
  }
  return {{"host", details.host},
          {"port", or_null(details.port)},
          {"last_error", or_null(details.last_error)},
          {"connection_attempts", details.connection_attempts},
          {"fallback", state.health.mode == cascor::HealthMode::fallback}};
}

}  // namespace

json redis_status(const BackendState& state, const cascor::CacheConfig& config) {
  json status = common(state, config);
  status["details"] = is_used(config)
                          ? details_of(state)
                          : json{{"config_enabled", config.enabled}, {"config_path", "backend.cache.enabled"}};
  return status;
}

json redis_metrics(const BackendState& state, const cascor::CacheConfig& config) {
  json metrics = common(state, config);
  const bool told = is_used(config) && state.health.status == HealthStatus::up && !state.info.empty();
  metrics["metrics"] = told ? metrics_of(parse(state.info)) : json(nullptr);
  return metrics;
}

}  // namespace canopy
