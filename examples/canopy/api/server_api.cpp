#include "api/server_api.hpp"

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <utility>

#include "api/prometheus_text.hpp"
#include "api/redis_panel.hpp"
#include "http/reply.hpp"

namespace canopy {

using cascor::json;

namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;

std::uint64_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What of this process's memory the cache uses, against its limit.
json memory_of(const cascor::Stats& stats, const cascor::CacheConfig& config) {
  const bool near = config.type == cascor::CacheType::redis;
  return {{"used_bytes", near ? stats.near_cache.bytes : stats.bytes},
          {"limit_bytes", (near ? config.near_cache.max_memory_mb : config.max_memory_mb) * mebibyte},
          {"tier", near ? "near cache" : "memory"},
          {"resident_bytes", resident_bytes()}};
}

}  // namespace

void ServerApi::add_to(Routes& routes) {
  const auto shows = [&routes](std::string_view path, std::function<json()> what) {
    routes.on("GET", path,
              [what = std::move(what)](const Request&, Response& response) { send_json(response, what()); });
  };
  shows("/api/health", [this] { return health(); });
  shows("/api/status", [this] { return status(); });
  shows("/api/statistics", [this] { return statistics(); });
  shows("/api/v1/redis/status", [this] { return redis_status(*health_.now(), cache_.config()); });
  routes.on("GET", "/metrics", [this](const Request&, Response& response) {
    response.set_header("Cache-Control", "no-store");
    response.set_content(prometheus_text(cache_, viewers_.count()), "text/plain; version=0.0.4; charset=utf-8");
  });
  shows("/api/v1/redis/metrics", [this] { return redis_metrics(*health_.now(), cache_.config()); });
}

json ServerApi::health() const {
  const auto state = health_.now();
  const bool good = state->health.status == cascor::HealthStatus::up;
  return {{"status", good ? "healthy" : "degraded"},
          {"version", CASCOR_CACHE_VERSION_STRING},
          {"uptime_seconds", uptime_seconds()},
          {"viewers", viewers_.count()},
          {"cache", state->health}};
}

json ServerApi::status() {
  CacheFacts facts;
  json status = training_.metrics(facts);
  status["run"] = training_.current_run();
  status["viewers"] = viewers_.count();
  status["cache"] = {{"status", to_string(health_.now()->health.status)},
                     {"mode", to_string(health_.now()->health.mode)},
                     {"metrics", to_string(facts.status)},
                     {"tier", to_string(facts.tier)}};
  return status;
}

json ServerApi::statistics() const {
  const auto state = health_.now();
  const cascor::Stats stats = cache_.stats();
  json statistics = stats;
  statistics["memory"] = memory_of(stats, cache_.config());
  statistics["backend"] = {{"status", to_string(state->health.status)}, {"mode", to_string(state->health.mode)},
                           {"message", state->health.message},          {"timestamp", state->health.timestamp},
                           {"latency_ms", state->latency_ms},           {"details", state->health.details}};
  statistics["viewers"] = viewers_.count();
  statistics["uptime_seconds"] = uptime_seconds();
  return statistics;
}

std::int64_t ServerApi::uptime_seconds() const {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - started_).count();
}

}  // namespace canopy
