#pragma once

#include <array>
#include <chrono>
#include <ctime>

#include "cascor/cache/report.hpp"

// JSON values depend on the parameter that nobody gives: nlohmann's overloads are costly to resolve in every program.
namespace cascor::inline CASCOR_CACHE_ABI {
namespace detail {

template <class Json, class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

CASCOR_CACHE_DEF std::string iso8601(WallTime time) {
  const Dependent<WallTime, CascorWhenUsed> since = time;
  const auto whole = std::chrono::floor<std::chrono::milliseconds>(since.time_since_epoch());
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(whole).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  Dependent<std::array<char, 32>, CascorWhenUsed> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const auto thousandths = std::to_string(1000 + (whole.count() % 1000 + 1000) % 1000);
  return std::string(text.data(), size) + '.' + thousandths.substr(1) + 'Z';
}

CASCOR_CACHE_FN Dependent<json, CascorWhenUsed> counted(const PrefixStats& stats) {
  return {{"hits", stats.hits},
          {"memory_hits", stats.memory_hits},
          {"redis_hits", stats.redis_hits},
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

CASCOR_CACHE_DEF void to_json(json& out, const BasicHealthDetails<CascorWhenUsed>& details) {
  using Json = detail::Dependent<json, CascorWhenUsed>;
  const auto pool = [](const PoolState& state) {
    return Json{{"size", state.size}, {"in_use", state.in_use}, {"waiting", state.waiting}, {"max", state.max}};
  };
  Json nodes = Json::array();
  for (const NodeState& node : details.nodes) {
    nodes.push_back(Json{{"role", node.role},
                         {"address", node.address},
                         {"state", node.state},
                         {"pool", pool(node.pool)},
                         {"last_error", node.last_error.empty() ? Json(nullptr) : Json(node.last_error)}});
  }
  out = Json{{"backend", details.backend},
             {"host", details.host},
             {"port", detail::or_null<Json>(details.port)},
             {"version", detail::or_null<Json>(details.version)},
             {"uptime_seconds", detail::or_null<Json>(details.uptime_seconds)},
             {"connected_clients", detail::or_null<Json>(details.connected_clients)},
             {"used_memory_human", detail::or_null<Json>(details.used_memory_human)},
             {"last_ping_ms", detail::or_null<Json>(details.last_ping_ms)},
             {"last_error", detail::or_null<Json>(details.last_error)},
             {"info_error", detail::or_null<Json>(details.info_error)},
             {"connection_attempts", details.connection_attempts},
             {"pending_writes", details.pending_writes},
             {"queued_writes", details.queued_writes},
             {"pool", pool(details.pool)},
             {"nodes", std::move(nodes)}};
}

CASCOR_CACHE_DEF void to_json(json& out, const BasicHealth<CascorWhenUsed>& health) {
  using Json = detail::Dependent<json, CascorWhenUsed>;
  out = Json{{"status", to_string(health.status)},
             {"mode", to_string(health.mode)},
             {"message", health.message},
             {"timestamp", health.timestamp},
             {"details", health.details}};
}

CASCOR_CACHE_DEF void to_json(json& out, const Latency& latency) {
  using Json = detail::Dependent<json, CascorWhenUsed>;
  out = Json{{"p50_us", latency.p50_us}, {"p99_us", latency.p99_us}, {"p999_us", latency.p999_us}};
}

CASCOR_CACHE_DEF void to_json(json& out, const PrefixStats& stats) {
  detail::Dependent<json, CascorWhenUsed>& result = out;
  result = detail::counted(stats);
}

CASCOR_CACHE_DEF void to_json(json& out, const BasicStats<CascorWhenUsed>& stats) {
  detail::Dependent<json, CascorWhenUsed>& result = out;
  result = detail::counted(stats);
  result["prefixes"] = stats.prefixes;
  result["compute"] = detail::Dependent<json, CascorWhenUsed>{
      {"loads", stats.compute.loads},          {"load_failures", stats.compute.load_failures},
      {"refreshes", stats.compute.refreshes},  {"waits", stats.compute.waits},
      {"coalesced", stats.compute.coalesced},  {"lock_waits", stats.compute.lock_waits},
      {"not_stored", stats.compute.not_stored}};
  result["redis"] = detail::Dependent<json, CascorWhenUsed>{{"commands", stats.redis.commands},
                                                            {"batches", stats.redis.batches},
                                                            {"retries", stats.redis.retries},
                                                            {"reconnects", stats.redis.reconnects},
                                                            {"breaker", stats.redis.breaker}};
  const auto& away = stats.fallback;
  result["fallback"] = detail::Dependent<json, CascorWhenUsed>{{"losses", away.losses},
                                                               {"pending", away.pending},
                                                               {"replayed", away.replayed},
                                                               {"invalidations", away.invalidations},
                                                               {"expired", away.expired},
                                                               {"widened", away.widened},
                                                               {"dropped",
                                                                {{"changed", away.dropped.changed},
                                                                 {"unknown", away.dropped.unknown},
                                                                 {"no_room", away.dropped.no_room},
                                                                 {"refused", away.dropped.refused}}}};
  const auto& behind = stats.write_behind;
  result["write_behind"] = detail::Dependent<json, CascorWhenUsed>{
      {"pending", behind.pending}, {"queued", behind.queued},   {"conflated", behind.conflated}, {"sent", behind.sent},
      {"kept", behind.kept},       {"refused", behind.refused}, {"waits", behind.waits}};
  const NearStats& near = stats.near_cache;
  result["near_cache"] = detail::Dependent<json, CascorWhenUsed>{{"link", near.link},
                                                                 {"entries", near.entries},
                                                                 {"bytes", near.bytes},
                                                                 {"evictions", near.evictions},
                                                                 {"invalidations", near.invalidations},
                                                                 {"demotions", near.demotions},
                                                                 {"overtaken", near.overtaken},
                                                                 {"flushes",
                                                                  {{"link_up", near.flushes.link_up},
                                                                   {"server", near.flushes.server},
                                                                   {"returned", near.flushes.returned},
                                                                   {"command", near.flushes.command},
                                                                   {"refused", near.flushes.refused}}}};
}

}  // namespace cascor::inline CASCOR_CACHE_ABI
