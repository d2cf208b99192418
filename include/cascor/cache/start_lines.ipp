#pragma once

#include <string>
#include <string_view>

#include "cascor/cache/start_lines.hpp"
#include "cascor/config/fields.hpp"
#include "cascor/config/redis_url.hpp"
#include "cascor/config/text.hpp"

namespace cascor::inline CASCOR_CACHE_ABI::detail {

/// "lab" makes "labmetrics:latest" of a key, and what is under "lab2:" is under it too.
CASCOR_CACHE_FN bool ends_in_a_word(std::string_view name) {
  const auto last = static_cast<unsigned char>(name.back());
  return last >= 0x80 || (last >= '0' && last <= '9') || ((last | 0x20U) >= 'a' && (last | 0x20U) <= 'z');
}

CASCOR_CACHE_DEF void log_start(const Log& log, const CacheConfig& configured) {
  using Text = Dependent<std::string, CascorWhenUsed>;
  Dependent<CacheConfig, CascorWhenUsed> config = configured;
  const Text& space = config.key_namespace;
  if (ends_in_a_word(space)) {
    log.warning(config.origins.loaded->at("namespace").place + ": namespace: found " + shown(space) +
                ", which does not end with a colon: its keys are " + shown(space + "metrics:latest") +
                " and so on, and a cache with a longer namespace may lie inside it; is " + shown(space + ':') +
                " meant?");
  }
  if (!log.wants(LogLevel::debug)) return;
  const bool remote = config.type == CacheType::redis;
  Text line = "Configured: " + (remote ? to_string(RedisUrl::parse(config.redis_url)) : Text{"memory"}) +
              ", namespace " + printable(space) + ", ";
  line += (remote ? "in its place " : "at most ") + std::to_string(config.max_memory_mb) + " MiB in memory (" +
          Text{to_string(config.eviction)} + ')';
  if (remote && config.near_cache.enabled) line += ", near " + std::to_string(config.near_cache.max_memory_mb) + " MiB";
  line += ", timeout " + seconds_text(config.connection_pool.timeout) + "s, TTLs in seconds (0: no expiry):";
  Text ttls;
  for (const auto& field : Field<CascorWhenUsed>::all_of(config)) {
    constexpr Dependent<std::string_view, CascorWhenUsed> of_prefix = "prefix_ttl_seconds.";
    if (field.path.starts_with(of_prefix))
      ttls.append(" ").append(field.path.substr(of_prefix.size())).append(" ").append(field.text()).append(",");
  }
  log.debug(line + ttls + " others " + seconds_text(config.ttl));
}

}  // namespace cascor::inline CASCOR_CACHE_ABI::detail
